// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the VMM gives the engine for a call, and what it gets back.

use kvm_bindings::KVM_HYPERCALL_EXIT_SMC;

use crate::width::Conduit;

/// A guest's SMC or HVC, as KVM_EXIT_HYPERCALL reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Function ID: w0 or r0.
    pub function: u32,
    /// The instruction.
    pub conduit: Conduit,
}

impl Trap {
    /// Takes `nr` and `flags` of `struct kvm_run.hypercall`.
    pub fn from_exit(nr: u64, flags: u64) -> Self {
        let smc = flags & u64::from(KVM_HYPERCALL_EXIT_SMC) != 0;
        Trap {
            function: nr as u32,
            conduit: if smc { Conduit::Smc } else { Conduit::Hvc },
        }
    }
}

/// What the VMM does next with the guest's vCPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The call is over: run the guest.
    Done,
    /// A signal or a kick came: do what it was for, then [`resume`](crate::MonitorVcpu::resume).
    Interrupted,
    /// Wait until an interrupt is pending for the guest's vCPU, then
    /// [`resume`](crate::MonitorVcpu::resume).
    WaitForInterrupt,
    /// The guest's vCPU is off until another one starts it.
    CpuOff,
    /// Reset the guest's vCPU and start it at `entry` with `context` in its first register.
    CpuResume {
        /// Guest physical address.
        entry: u64,
        /// Value for x0 or r0.
        context: u64,
    },
    /// The guest has powered itself off.
    SystemOff,
    /// The guest has reset itself.
    SystemReset {
        /// Kind of reset as in PSCI SYSTEM_RESET2; 0 is a plain one.
        kind: u64,
        /// The guest's cookie.
        cookie: u64,
    },
    /// The guest is suspended; on wake-up its vCPU starts at `entry`, as for [`Step::CpuResume`].
    SystemSuspend {
        /// Guest physical address.
        entry: u64,
        /// Value for x0 or r0.
        context: u64,
    },
}
