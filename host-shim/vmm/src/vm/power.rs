// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a vCPU loses and keeps when its power goes.
//!
//! KVM_ARM_VCPU_INIT is a reset: it clears everything, KVM's model of the generic timer included, and
//! on a CPU without FEAT_S2FWB it unmaps all memory of the VM. That is for CPU_ON. A CPU that comes back
//! from a power-down (PSCI CPU_SUSPEND and SYSTEM_SUSPEND) has not lost what lies in another power
//! domain: its timer, whose deadline may be what has woken it and whose interrupt nobody has handled
//! yet, and the GIC. Of its own registers, PSCI fixes few (DEN 0022, 6.4): the MMU and caches are off,
//! and PSTATE, PC and x0 are given. The others are unknown, so they may as well stay.

use std::time::Duration;

use fakemon_abi::mpidr::AFFINITY;
use fakemon_host::regs::{self, Register, Registers};
use fakemon_host::{Lane, Start};
use kvm_bindings::{
    KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_SUSPENDED, KVM_SYSTEM_EVENT_WAKEUP, kvm_vcpu_init,
};
use kvm_ioctls::VcpuFd;

use super::VmError;
use super::vcpu::{Exit, Vcpu};
use crate::control::{Control, Outcome};
use crate::reports::Kind;
use crate::say;

/// How long a suspended guest sleeps at most that has set neither timer nor alarm.
const SUSPEND: Duration = Duration::from_secs(1);

/// CNTV_CTL_EL0 (a 32-bit guest has the same two timers).
const CNTV_CTL: Register = regs::sysreg(3, 3, 14, 3, 1);
/// CNTP_CTL_EL0.
const CNTP_CTL: Register = regs::sysreg(3, 3, 14, 2, 1);
/// CNTx_CTL: the timer is on.
const ENABLE: u64 = 1 << 0;
/// CNTx_CTL: its interrupt is masked.
const IMASK: u64 = 1 << 1;

/// How a vCPU is reset.
#[derive(Debug)]
pub(super) struct Reset {
    init: kvm_vcpu_init,
    /// The board's own affinity fields.
    mpidr: Option<u64>,
    /// SCTLR_EL1 after a reset; the SCTLR of a 32-bit guest.
    sctlr: u64,
}

impl Reset {
    /// Says how to reset a vCPU that has just been initialised, and gives it the MPIDR of its board.
    pub(super) fn new(
        fd: &VcpuFd,
        init: kvm_vcpu_init,
        mpidr: Option<u64>,
    ) -> Result<Reset, VmError> {
        let sctlr = Registers::of(fd).get(regs::SCTLR_EL1)?;
        let reset = Reset { init, mpidr, sctlr };
        reset.number(fd)?;
        Ok(reset)
    }

    /// Resets the vCPU as CPU_ON does: nothing of what it was is left.
    fn cold(&self, fd: &VcpuFd) -> Result<(), VmError> {
        fd.vcpu_init(&self.init)
            .map_err(VmError::kvm("reset a vCPU"))?;
        self.number(fd)
    }

    /// Gives the vCPU its number, which KVM before 6.10 resets, too.
    fn number(&self, fd: &VcpuFd) -> Result<(), VmError> {
        let Some(mpidr) = self.mpidr else {
            return Ok(());
        };
        let registers = Registers::of(fd);
        let now = registers.get(regs::MPIDR_EL1)?;
        let wanted = now & !AFFINITY | mpidr;
        if now != wanted {
            registers.set(regs::MPIDR_EL1, wanted)?;
        }
        Ok(())
    }
}

impl Vcpu {
    /// Starts the vCPU from nothing.
    pub(super) fn start(&self, start: Start) -> Result<(), VmError> {
        self.reset.cold(&self.fd)?;
        Ok(Registers::of(&self.fd).start_at(self.width, start.entry, start.context)?)
    }

    /// Has a vCPU that comes back from a power-down go on there.
    pub(super) fn wake_up(&self, start: Start) -> Result<(), VmError> {
        let registers = Registers::of(&self.fd);
        registers.set(regs::SCTLR_EL1, self.reset.sctlr)?;
        Ok(registers.start_at(self.width, start.entry, start.context)?)
    }

    /// Sleeps until an interrupt is pending for this vCPU, the last one that is on, or a key is
    /// pressed. Without a timer or an alarm nothing might ever come, so such a guest wakes up by itself.
    pub(super) fn suspend(&mut self, start: Start) -> Result<(), VmError> {
        let (when, limit) = if self.has_timer()? {
            ("when its timer ends", None)
        } else if self.shared.has_alarm() {
            ("at its clock's alarm", None)
        } else {
            ("in a second", Some(SUSPEND))
        };
        let reports = &self.shared.reports;
        let told = reports.add(Kind::Suspend, || {
            say!("the guest is suspended; it wakes up {when}, or at a key");
        });
        self.shared.control.suspend(limit);
        let result = self.wait_while(|control| control.is_suspended());
        self.shared.control.wake();
        result?;
        if told {
            say!("the guest wakes up");
        }
        self.wake_up(start)
    }

    /// Resets the machine. What the guest says of it is for the firmware of real hardware, to boot into
    /// a loader say; here it is shown.
    pub(super) fn reset_system(&self, kind: u64, cookie: u64) -> Result<(), VmError> {
        if (kind, cookie) != (0, 0) {
            self.shared.reports.add(Kind::ResetType, || {
                say!("the guest asks for a reset of type {kind:#x} with cookie {cookie:#x}");
            });
        }
        self.end(Outcome::Reset)
    }

    /// Tells whether one of the vCPU's timers is running and may interrupt it.
    fn has_timer(&self) -> Result<bool, VmError> {
        let registers = Registers::of(&self.fd);
        let runs = |id| Ok::<_, VmError>(registers.get(id)? & (ENABLE | IMASK) == ENABLE);
        Ok(runs(CNTV_CTL)? || runs(CNTP_CTL)?)
    }

    /// Waits in KVM until an interrupt is pending for the vCPU, a payload is to be entered, or the run
    /// ends.
    pub(super) fn wait_for_interrupt(&mut self, lane: &Lane) -> Result<(), VmError> {
        self.wait_while(|_| !lane.is_raised())
    }

    /// As [`Vcpu::wait_for_interrupt`], and until a kick comes and `asleep` is no longer true.
    fn wait_while(&mut self, asleep: impl Fn(&Control) -> bool) -> Result<(), VmError> {
        self.set_state(KVM_MP_STATE_SUSPENDED)?;
        while !self.shared.control.stopped() && asleep(&self.shared.control) {
            match self.enter() {
                Exit::Done => {}
                Exit::System(KVM_SYSTEM_EVENT_WAKEUP) => break,
                Exit::Failed(outcome) => self.shared.control.stop(outcome),
                Exit::Hypercall | Exit::System(_) => {
                    return self.end(Outcome::Host("a suspended vCPU ran".into()));
                }
            }
        }
        self.set_state(KVM_MP_STATE_RUNNABLE)
    }
}
