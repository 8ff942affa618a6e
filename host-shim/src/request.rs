// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a payload asks of the VMM, and what the VMM answers: plain values, which can be kept, sent
//! to another thread, or answered much later.
//!
//! The arguments are whatever the payload says; the VMM checks them. Addresses that the guest has
//! handed over are the guest's claim.

use fakemon_abi::status::SUCCESS;

/// Something that a payload asks of the VMM. Its vCPU waits for [`Lane::answer`](crate::Lane::answer).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Request {
    /// Show bytes that the payload writes to its console, 256 at most.
    Console(Vec<u8>),
    /// Start the CPU with this MPIDR at guest physical address `entry`, with `context` in x0 or r0.
    /// The answer's status is what PSCI CPU_ON returns.
    CpuOn {
        /// Affinity fields of the CPU.
        mpidr: u64,
        /// Guest physical address; bit 0 selects Thumb for an AArch32 CPU.
        entry: u64,
        /// Value for its first register.
        context: u64,
    },
    /// Tell whether the CPUs that `mpidr` names at this affinity level are on: value 0 is on, 1 off, 2
    /// start pending.
    CpuAffinity {
        /// Affinity fields of the CPUs.
        mpidr: u64,
        /// The lowest affinity level that counts.
        level: u64,
    },
    /// Read a device as a secure access: the value is what it says, in the low bytes.
    Read {
        /// Guest physical address.
        address: u64,
        /// Bytes: 1, 2, 4 or 8.
        size: usize,
    },
    /// Write a device as a secure access.
    Write {
        /// Guest physical address.
        address: u64,
        /// Bytes: 1, 2, 4 or 8.
        size: usize,
        /// What to write, in the low bytes.
        value: u64,
    },
    /// Answer when an interrupt is pending for the guest's vCPU, or at once if nobody can tell.
    WaitForInterrupt,
    /// Tell the time: the values are nanoseconds of a monotonic clock that counts while the host is
    /// suspended, and nanoseconds since 1970.
    Time,
    /// Give this many words of random bits, 1 to 4, as values.
    Entropy {
        /// How many.
        words: usize,
    },
    /// Take an event for the VMM's trace.
    Event {
        /// Which.
        code: u64,
        /// What the payload says of it.
        args: [u64; 3],
    },
    /// Reset the guest unless this is asked again within `ns` nanoseconds; 0 stops the timer. There is
    /// one such timer for the guest.
    Watchdog {
        /// Nanoseconds.
        ns: u64,
    },
    /// Have the payload entered without a call on CPU number `cpu`: unless that CPU is off,
    /// [`World::interrupt`](crate::World::interrupt), then get the vCPU out of KVM_RUN.
    Interrupt {
        /// Number of the CPU, counted from 0.
        cpu: u32,
        /// Which payload asks, counted from 0.
        payload: usize,
    },
    /// Have the payload entered without a call on this CPU, in the same way, when the monotonic clock of
    /// [`Request::Time`] has reached `deadline`, or, if that is 0, not any more. Each payload has one
    /// such timer on each CPU.
    Timer {
        /// Nanoseconds.
        deadline: u64,
        /// Which payload asks, counted from 0.
        payload: usize,
    },
    /// Tell the guest physical address of this CPU's stolen time structure (Arm DEN 0057), if the VMM
    /// has told KVM to keep one ([`keep_stolen_time`](crate::keep_stolen_time)).
    StolenTime,
    /// The payload wants to end the call without a return. If the answer is
    /// [success](Reply::ok), the call is over, and the guest's vCPU goes on as the event says; else
    /// the payload goes on with the status.
    Power(PowerEvent),
}

/// A change of the guest's power state that ends the call in which it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PowerEvent {
    /// The guest's vCPU is off until another one starts it.
    CpuOff,
    /// The guest's vCPU comes back from a power-down: start it at `entry` with `context` in its first
    /// register.
    ///
    /// It has its MMU and caches off: SCTLR_EL1 as after a reset, then
    /// [`Registers::start_at`](crate::regs::Registers::start_at). Its timers (CNTV and CNTP, control
    /// and deadline), its part of the GIC and its MPIDR_EL1 are what they were, or the interrupt that
    /// has woken it is lost; all other registers may be. So do not call KVM_ARM_VCPU_INIT, which
    /// clears the timers and, before Linux 6.10, MPIDR_EL1.
    CpuResume {
        /// Guest physical address.
        entry: u64,
        /// Value for x0 or r0.
        context: u64,
    },
    /// The guest powers itself off.
    SystemOff,
    /// The guest resets itself.
    SystemReset {
        /// Kind of reset as in PSCI SYSTEM_RESET2; 0 is a plain one.
        kind: u64,
        /// The guest's cookie.
        cookie: u64,
    },
    /// The guest is suspended until an interrupt is pending for its vCPU, or something else that
    /// wakes such a machine happens; then its vCPU starts at `entry`, as for
    /// [`PowerEvent::CpuResume`].
    SystemSuspend {
        /// Guest physical address.
        entry: u64,
        /// Value for x0 or r0.
        context: u64,
    },
}

/// The VMM's answer to a [`Request`].
///
/// It has room for the answer to any request: a status, one of [`fakemon_abi::status`], and values as
/// the request says. Values that a request has no use for are not looked at; those that are not given
/// are zero. A [read or write](Request::Read) that the payload makes by a load or store of its own
/// has no use for the status either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    pub(crate) status: i32,
    pub(crate) values: [u64; 4],
}

impl Reply {
    /// It is done, and there is nothing to tell.
    pub const fn ok() -> Self {
        Reply::values([0; 4])
    }

    /// It is done, and this is what was asked for.
    pub const fn value(value: u64) -> Self {
        Reply::values([value, 0, 0, 0])
    }

    /// It is done, and these are what was asked for.
    pub const fn values(values: [u64; 4]) -> Self {
        Reply {
            status: SUCCESS,
            values,
        }
    }

    /// What a function of the VMM says that returns a [status](fakemon_abi::status).
    pub const fn status(status: i32) -> Self {
        Reply {
            status,
            values: [0; 4],
        }
    }

    /// The VMM has no such thing.
    pub const fn not_supported() -> Self {
        Reply::status(fakemon_abi::status::NOT_SUPPORTED)
    }
}
