// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Host calls: what a blob may ask of the host, the "backdoor" of the 2013 thread.
//!
//! The blob fills [`HostCall::nr`] and [`HostCall::args`] in its frame and loads from the doorbell
//! register [`DOORBELL_CALL`](crate::layout::DOORBELL_CALL). When the load completes,
//! [`HostCall::status`] holds one of the [status](crate::status) codes and, where it is SUCCESS,
//! [`HostCall::results`] the answer. A number that the shim does not know is answered
//! NOT_SUPPORTED, never by a fault. Calls marked *no return* end the SMC: the caller goes on as the
//! call says and the blob's stack is abandoned.

use core::mem::{offset_of, size_of};

/// The part of the frame through which a blob makes a host call.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct HostCall {
    /// In: which call, one of this module's constants.
    pub nr: u64,
    /// In: the arguments, as the constant says.
    pub args: [u64; 6],
    /// Out: a [status](crate::status) code, sign-extended.
    pub status: i64,
    /// Out: the results, as the constant says.
    pub results: [u64; 4],
}

/// `() -> abi`: the shim's [`ABI_VERSION`](crate::ABI_VERSION).
pub const VERSION: u64 = 0;
/// `(address, length)`: writes bytes of the blob's own memory to the VMM's log, 256 at most.
pub const CONSOLE_WRITE: u64 = 1;
/// `(mpidr, entry, context)`: starts a CPU at guest physical address `entry` with `context` in its
/// x0 or r0.
pub const CPU_ON: u64 = 2;
/// `()`, no return: stops the calling CPU until somebody starts it again.
pub const CPU_OFF: u64 = 3;
/// `(mpidr, level) -> state`: 0 on, 1 off, 2 start pending (PSCI AFFINITY_INFO).
pub const CPU_AFFINITY: u64 = 4;
/// `()`: returns when an interrupt is pending for the calling CPU, or at once if the VMM cannot
/// tell.
pub const WAIT_FOR_INTERRUPT: u64 = 5;
/// `(entry, context)`, no return: resumes the calling CPU at `entry` as after a power-down, MMU off.
pub const CPU_RESUME: u64 = 6;
/// `()`, no return: powers the guest off.
pub const SYSTEM_OFF: u64 = 7;
/// `(kind, cookie)`, no return: resets the guest; `kind` as in PSCI SYSTEM_RESET2, 0 is a plain
/// reset.
pub const SYSTEM_RESET: u64 = 8;
/// `(entry, context)`, no return: suspends the guest; on wake-up the calling CPU starts at `entry`.
pub const SYSTEM_SUSPEND: u64 = 9;
/// `() -> (monotonic, realtime)`: nanoseconds of a clock that only goes forward, and since 1970. The
/// first counts from a moment of the VMM's choice, as a rule when its host booted, and goes on while
/// that is suspended: only differences mean something.
pub const TIME: u64 = 10;
/// `(words) -> w0..w3`: 1 to 4 words of 64 random bits.
pub const ENTROPY: u64 = 11;
/// `(va, access) -> pa`: translates an address of the caller; `access` is 0 for a read, 1 for a
/// write.
pub const TRANSLATE: u64 = 12;
/// `(address, size, value, write) -> value`: 1, 2, 4 or 8 bytes on the VMM's bus, marked secure.
pub const MMIO: u64 = 13;
/// `(code, a, b, c)`: leaves an event in the VMM's trace.
pub const LOG_EVENT: u64 = 14;
/// `()`, no return: the blob has filled the frame's [`PanicRecord`](crate::frame::PanicRecord) and
/// gives up.
pub const PANIC: u64 = 15;
/// `(n) -> (base, size, access)`: the n-th range of the guest's memory in bytes, counted from 0, and
/// the blob's access to it (1 read, 2 write): as its note says, but 1 where the VMM has made it
/// read-only. Regions that touch and have the same access are one range. INVALID_PARAMETERS past the
/// last; NOT_SUPPORTED for a blob without access. The answers hold while
/// [`Frame::memory`](crate::frame::Frame::memory) stays the same.
pub const GUEST_MEMORY: u64 = 16;
/// `(ns)`: resets the guest unless this is called again within `ns` nanoseconds; 0 stops the timer.
/// There is one such timer for the guest.
pub const WATCHDOG: u64 = 17;
/// `() -> pa`: guest physical address of the calling CPU's stolen time structure (Arm DEN 0057),
/// which the host keeps true.
pub const STOLEN_TIME: u64 = 18;
/// `(elr, spsr)`: sets ELR_EL1 and SPSR_EL1 of an AArch64 caller, for a caller that is to find
/// itself in an exception handler.
pub const SET_EXCEPTION: u64 = 19;
/// `(function) -> answer`: what the host's KVM answers to SMCCC_ARCH_FEATURES (Arm DEN 0028, 7) for
/// one of [`WORKAROUNDS`], sign-extended; NOT_SUPPORTED where that is its answer, and for all other
/// functions.
pub const WORKAROUND: u64 = 20;

/// `(mpidr)`: enters the blob on that CPU at its FIQ vector without a call, as soon as that CPU is not
/// in a call. SUCCESS for a CPU that is off, too, which is not entered; INVALID_PARAMETERS if there is
/// no such CPU, NOT_SUPPORTED by a host that cannot.
pub const INTERRUPT: u64 = 21;
/// `(deadline)`: enters the blob on the calling CPU at its FIQ vector, in the same way, when the
/// monotonic clock of [`TIME`] has reached `deadline` in nanoseconds; 0 takes that back. There is one
/// such timer for each CPU. NOT_SUPPORTED by a host that cannot.
pub const TIMER: u64 = 22;
/// `() -> vbar`: VBAR_EL1 of an AArch64 caller, where its exception vectors begin.
pub const VECTOR_BASE: u64 = 23;

/// SMCCC_ARCH_WORKAROUND_1, 2 and 3, the functions that [`WORKAROUND`] knows. A guest calls them
/// for mitigations of its CPU, which are KVM's work.
pub const WORKAROUNDS: [u32; 3] = [0x8000_8000, 0x8000_7fff, 0x8000_3fff];

/// The most bytes that one [`CONSOLE_WRITE`] takes.
pub const CONSOLE_MAX: usize = 256;

const _: () = {
    assert!(size_of::<HostCall>() == 96);
    assert!(offset_of!(HostCall, args) == 8);
    assert!(offset_of!(HostCall, status) == 56);
    assert!(offset_of!(HostCall, results) == 64);
};
