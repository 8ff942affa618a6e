// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why the monitor's vCPU has left KVM_RUN, and what becomes of a call whose blob failed.

use fakemon_abi::frame::SPSR_IL;
use fakemon_abi::layout::{DOORBELL_CALL, DOORBELL_RETURN, MONITOR_BASE};

use crate::engine::error::Error;
use crate::engine::frame::{ESR, FAR, SPSR, TAKEN};
use crate::engine::host::Host;
use crate::engine::step::Step;
use crate::engine::vcpu::MonitorVcpu;
use crate::fault::FaultReason;
use crate::limits::Limit;
use crate::policy::OnFault;
use crate::width::Width;

/// Why the monitor vCPU came back from KVM_RUN.
pub(crate) enum Exit {
    Returned,
    HostCall,
    Mmio,
    Interrupted,
    Fault(FaultReason),
}

const MODE: u64 = 0x1f;

impl Exit {
    /// Tells a doorbell from a secure access, which is done at once; `doorbell` is that of the
    /// vCPU.
    pub(crate) fn read(doorbell: u64, address: u64, data: &mut [u8], host: &mut dyn Host) -> Exit {
        match address.wrapping_sub(doorbell) {
            DOORBELL_RETURN => Exit::Returned,
            DOORBELL_CALL => Exit::HostCall,
            _ if address < MONITOR_BASE => {
                host.mmio_read(address, data);
                Exit::Mmio
            }
            _ => Exit::fault(format!("read of {address:#x}, where nothing is")),
        }
    }

    /// Does a secure access.
    pub(crate) fn write(address: u64, data: &[u8], host: &mut dyn Host) -> Exit {
        if address >= MONITOR_BASE {
            return Exit::fault(format!("write to {address:#x}, where it may not write"));
        }
        host.mmio_write(address, data);
        Exit::Mmio
    }

    pub(crate) fn fault(what: impl ToString) -> Exit {
        Exit::Fault(FaultReason::Exit(what.to_string()))
    }
}

impl MonitorVcpu {
    /// Decides whether what brought the vCPU back into the gate was the blob's return.
    ///
    /// PSTATE.IL is set by an ERET with SPSR.IL, or by an illegal ERET, and by nothing else; the
    /// exception that it raises saves it. So a saved SPSR.IL means that the blob has returned, even
    /// where an abort or misalignment at the target was reported in place of the Illegal Execution
    /// State exception.
    pub(crate) fn check_return(&self) -> Result<(), FaultReason> {
        let (spsr, taken) = (self.frame.get(SPSR), self.frame.get(TAKEN));
        if taken % 0x200 != 0 {
            return Err(FaultReason::Vector(taken));
        }
        if spsr & SPSR_IL == 0 {
            return Err(FaultReason::Exception {
                esr: self.frame.get(ESR),
                far: self.frame.get(FAR),
            });
        }
        let problem = match (self.width, spsr & MODE) {
            // EL0t, EL1t, EL1h, and AArch32 at EL0 below an AArch64 kernel.
            (Width::AArch64, 0x0 | 0x4 | 0x5 | 0x10) => return Ok(()),
            (Width::AArch64, _) => "the caller has no such mode",
            // A return to AArch32 EL1 is illegal within the monitor, which leaves it at EL1h.
            (Width::AArch32, 0x5) => return Ok(()),
            (Width::AArch32, _) => "an AArch32 caller keeps its mode",
        };
        Err(FaultReason::BadReturn { spsr, problem })
    }

    /// Why the watchdog has ended the current call, if it has.
    pub(crate) fn timeout(&self) -> Option<FaultReason> {
        let limit = self.slot().fired()?;
        let config = &self.shared.config;
        let time = match limit {
            Limit::CpuTime => config.watchdog,
            Limit::WallTime => config.watchdog_wall,
        };
        Some(FaultReason::Timeout(limit, time))
    }

    /// Reports a fault and makes the vCPU fit for the next call.
    pub(crate) fn fail(
        &mut self,
        reason: FaultReason,
        in_gate: bool,
        host: &mut dyn Host,
    ) -> Result<Step, Error> {
        let fault = self.describe(reason, in_gate)?;
        self.start_over()?;
        match self.shared.config.on_fault {
            OnFault::Fatal => Err(Error::Blob(Box::new(fault))),
            OnFault::NotSupported => {
                host.fault(&fault);
                self.answer_not_supported()?;
                Ok(Step::Done)
            }
        }
    }
}
