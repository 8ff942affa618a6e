// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What comes out of a call, and what the VMM answers: a tagged union and a struct.

use std::ffi::{CStr, c_char};

use fakemon_host::abi::status;
use fakemon_host::{PowerEvent, Reply, Request};

/// A payload's failure.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_fault {
    /// What happened, in English, with the payload's registers.
    pub message: *const c_char,
}

/// Bytes for the console. There is no NUL at their end.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_console {
    /// The bytes.
    pub text: *const u8,
    /// How many, 256 at most.
    pub size: usize,
}

/// A CPU to start.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_cpu_on {
    /// Affinity fields of the CPU.
    pub mpidr: u64,
    /// Where; bit 0 selects Thumb for an AArch32 CPU.
    pub entry: u64,
    /// Value for x0 or r0.
    pub context: u64,
}

/// CPUs that are asked about.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_cpu_affinity {
    /// Their affinity fields.
    pub mpidr: u64,
    /// The lowest affinity level that counts.
    pub level: u64,
}

/// A read of a device.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_read {
    /// Where.
    pub address: u64,
    /// Bytes: 1, 2, 4 or 8.
    pub size: usize,
}

/// A write to a device.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_write {
    /// Where.
    pub address: u64,
    /// Bytes: 1, 2, 4 or 8.
    pub size: usize,
    /// What to write, in the low bytes.
    pub value: u64,
}

/// Random bits that are asked for.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_entropy {
    /// How many words, 1 to 4.
    pub words: usize,
}

/// Something for the VMM's trace.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_event {
    /// Which.
    pub code: u64,
    /// What the payload says of it.
    pub args: [u64; 3],
}

/// A timer to set.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_watchdog {
    /// Nanoseconds; 0 stops it.
    pub ns: u64,
}

/// A CPU on which a payload is to be entered without a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_interrupt {
    /// Number of the CPU, as that of its lane.
    pub cpu: u32,
    /// Which payload, in the order of the world's blobs.
    pub payload: usize,
}

/// A time at which a payload is to be entered without a call, on the CPU that asks.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_timer {
    /// When, on the monotonic clock of `FAKEMON_STEP_TIME`; 0 takes it back.
    pub deadline: u64,
    /// Which payload, in the order of the world's blobs.
    pub payload: usize,
}

/// Where a vCPU goes on.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_resume {
    /// Guest physical address.
    pub entry: u64,
    /// Value for x0 or r0.
    pub context: u64,
}

/// How the guest is reset.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_system_reset {
    /// As in PSCI SYSTEM_RESET2; 0 is a plain one.
    pub kind: u64,
    /// The guest's cookie.
    pub cookie: u64,
}

/// What the VMM does next.
///
/// From `FAKEMON_STEP_CONSOLE` on it is a request: the payload stands still until
/// `fakemon_lane_answer`, which may come at once, later, or from another thread. Who does not know
/// or have what is asked for answers `FAKEMON_STATUS_NOT_SUPPORTED`. Arguments are whatever the
/// payload says, so check them. Addresses are guest physical.
///
/// Pointers are the library's and stay valid until the next call with the lane.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fakemon_step {
    /// Run the guest's vCPU. The call is over, or, with the kernel engine, goes on by that.
    Run,
    /// The call is over without a return, because the VMM has said yes to one of the last five
    /// requests: the guest's vCPU goes on as that says.
    Left,
    /// A signal or a kick came: do what it was for, then `fakemon_lane_resume`.
    Interrupted,
    /// The payload failed, the guest has been answered NOT_SUPPORTED and is to run
    /// (`FAKEMON_ON_FAULT_NOT_SUPPORTED`).
    Fault(fakemon_fault),
    /// Show bytes that the payload writes to its console.
    Console(fakemon_console),
    /// Start a CPU. The status is what PSCI CPU_ON returns.
    CpuOn(fakemon_cpu_on),
    /// Tell whether CPUs are on: value 0 is 0 for on, 1 for off, 2 for start pending.
    CpuAffinity(fakemon_cpu_affinity),
    /// Read a device as a secure access: value 0 is what it says, in the low bytes.
    Read(fakemon_read),
    /// Write a device as a secure access.
    Write(fakemon_write),
    /// Answer when an interrupt is pending for the guest's vCPU, or at once if nobody can tell.
    WaitForInterrupt,
    /// Tell the time: value 0 is nanoseconds of a monotonic clock that counts while the host is
    /// suspended, value 1 nanoseconds since 1970.
    Time,
    /// Give so many words of random bits as values.
    Entropy(fakemon_entropy),
    /// Take an event for the VMM's trace.
    Event(fakemon_event),
    /// Reset the guest unless this is asked again within so many nanoseconds. There is one such timer
    /// for the guest.
    Watchdog(fakemon_watchdog),
    /// Unless that CPU is off, have the payload entered there: `fakemon_world_interrupt`, then get the
    /// vCPU out of KVM_RUN. Say yes either way; or that it is not supported, if the VMM does not call
    /// `fakemon_lane_deliver`.
    Interrupt(fakemon_interrupt),
    /// The same for the CPU that asks, when its clock has reached the deadline.
    Timer(fakemon_timer),
    /// Tell the address of this CPU's stolen time structure, if the VMM has told KVM to keep one
    /// (`fakemon_vcpu_keep_stolen_time`).
    StolenTime,
    /// A request that this header has no words for: answer `FAKEMON_STATUS_NOT_SUPPORTED`.
    Other,
    /// Say yes if the guest's vCPU is to be off until another one starts it.
    CpuOff,
    /// Say yes if the guest's vCPU is to come back from a power-down: start it there.
    ///
    /// It has its MMU and caches off: SCTLR_EL1 as after a reset, then `fakemon_vcpu_start_at`. Its
    /// timers (CNTV and CNTP, control and deadline), its part of the GIC and its MPIDR_EL1 are what
    /// they were, or the interrupt that has woken it is lost. So do not call KVM_ARM_VCPU_INIT, which
    /// clears the timers and, before Linux 6.10, MPIDR_EL1.
    CpuResume(fakemon_resume),
    /// Say yes if the guest is to be off.
    SystemOff,
    /// Say yes if the guest is to be reset.
    SystemReset(fakemon_system_reset),
    /// Say yes if the guest is to be suspended until an interrupt is pending for its vCPU, or
    /// something else that wakes such a machine happens; then its vCPU starts at `entry`, as for
    /// `FAKEMON_STEP_CPU_RESUME`.
    SystemSuspend(fakemon_resume),
}

/// Statuses of an answer, as PSCI spells them (Arm DEN 0022, 5.2.2).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fakemon_status {
    /// It is done. To one of the last five requests this says yes.
    Success = 0,
    /// There is no such thing.
    NotSupported = -1,
    /// An argument is out of range or malformed.
    InvalidParameters = -2,
    /// The request is understood and refused.
    Denied = -3,
    /// The CPU runs already.
    AlreadyOn = -4,
    /// The CPU has been asked to run and has not started yet.
    OnPending = -5,
    /// The VMM failed.
    InternalFailure = -6,
    /// There is no such CPU.
    NotPresent = -7,
    /// The CPU or feature is disabled.
    Disabled = -8,
    /// An address is not one that the guest may hand over.
    InvalidAddress = -9,
}

/// The VMM's answer to a request.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_reply {
    /// One of `enum fakemon_status`.
    pub status: i32,
    /// What was asked for, as the request says. Others are not looked at, and none of an answer that
    /// is not `FAKEMON_STATUS_SUCCESS`.
    pub values: [u64; 4],
}

// What C says and what the library understands are the same.
const _: () = {
    assert!(fakemon_status::Success as i32 == status::SUCCESS);
    assert!(fakemon_status::NotSupported as i32 == status::NOT_SUPPORTED);
    assert!(fakemon_status::InvalidParameters as i32 == status::INVALID_PARAMETERS);
    assert!(fakemon_status::Denied as i32 == status::DENIED);
    assert!(fakemon_status::AlreadyOn as i32 == status::ALREADY_ON);
    assert!(fakemon_status::OnPending as i32 == status::ON_PENDING);
    assert!(fakemon_status::InternalFailure as i32 == status::INTERNAL_FAILURE);
    assert!(fakemon_status::NotPresent as i32 == status::NOT_PRESENT);
    assert!(fakemon_status::Disabled as i32 == status::DISABLED);
    assert!(fakemon_status::InvalidAddress as i32 == status::INVALID_ADDRESS);
};

impl fakemon_step {
    /// The step that asks for this. It points to the request's own bytes.
    pub(crate) fn asking(request: &Request) -> Self {
        match *request {
            Request::Console(ref text) => fakemon_step::Console(fakemon_console {
                text: text.as_ptr(),
                size: text.len(),
            }),
            Request::CpuOn {
                mpidr,
                entry,
                context,
            } => fakemon_step::CpuOn(fakemon_cpu_on {
                mpidr,
                entry,
                context,
            }),
            Request::CpuAffinity { mpidr, level } => {
                fakemon_step::CpuAffinity(fakemon_cpu_affinity { mpidr, level })
            }
            Request::Read { address, size } => fakemon_step::Read(fakemon_read { address, size }),
            Request::Write {
                address,
                size,
                value,
            } => fakemon_step::Write(fakemon_write {
                address,
                size,
                value,
            }),
            Request::WaitForInterrupt => fakemon_step::WaitForInterrupt,
            Request::Time => fakemon_step::Time,
            Request::Entropy { words } => fakemon_step::Entropy(fakemon_entropy { words }),
            Request::Event { code, args } => fakemon_step::Event(fakemon_event { code, args }),
            Request::Watchdog { ns } => fakemon_step::Watchdog(fakemon_watchdog { ns }),
            Request::Interrupt { cpu, payload } => {
                fakemon_step::Interrupt(fakemon_interrupt { cpu, payload })
            }
            Request::Timer { deadline, payload } => {
                fakemon_step::Timer(fakemon_timer { deadline, payload })
            }
            Request::StolenTime => fakemon_step::StolenTime,
            Request::Power(event) => Self::power(event),
            _ => fakemon_step::Other,
        }
    }

    fn power(event: PowerEvent) -> Self {
        match event {
            PowerEvent::CpuOff => fakemon_step::CpuOff,
            PowerEvent::CpuResume { entry, context } => {
                fakemon_step::CpuResume(fakemon_resume { entry, context })
            }
            PowerEvent::SystemOff => fakemon_step::SystemOff,
            PowerEvent::SystemReset { kind, cookie } => {
                fakemon_step::SystemReset(fakemon_system_reset { kind, cookie })
            }
            PowerEvent::SystemSuspend { entry, context } => {
                fakemon_step::SystemSuspend(fakemon_resume { entry, context })
            }
            _ => fakemon_step::Other,
        }
    }

    /// The step that tells of a fault. It points to the message.
    pub(crate) fn fault(message: &CStr) -> Self {
        fakemon_step::Fault(fakemon_fault {
            message: message.as_ptr(),
        })
    }
}

impl From<&fakemon_reply> for Reply {
    fn from(reply: &fakemon_reply) -> Self {
        match reply.status {
            status::SUCCESS => Reply::values(reply.values),
            other => Reply::status(other),
        }
    }
}

#[cfg(test)]
mod tests;
