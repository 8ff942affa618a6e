// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a blob's coming back means, and what of it the caller gets.

use fakemon_abi::frame::SPSR_IL;
use fakemon_abi::layout::{DOORBELL_CALL, DOORBELL_RETURN};

use crate::fault::FaultReason;
use crate::guest::vcpu::Guest;
use crate::monitor::vcpu::Exit;
use crate::payload::blob::cpu::BlobCpu;
use crate::payload::blob::frame::{self, ELR, ESR, FAR, SPSR, TAKEN};
use crate::record::CallRecord;
use crate::regs::{self, RegisterError, x};
use crate::width::{Width, register_mask};

/// What the blob is after.
#[derive(Debug)]
pub(crate) enum Event {
    HostCall,
    /// A secure access by an instruction of its own.
    Load {
        address: u64,
        size: usize,
    },
    Store {
        address: u64,
        size: usize,
        value: u64,
    },
    Interrupted,
    /// In a box, so that the other events stay small: this is on the hot path.
    Fault(Box<FaultReason>),
}

impl BlobCpu {
    /// What an exit of its vCPU means; [`None`] if the blob has come to the gate, by its return or by
    /// something that it did wrong.
    #[inline(always)]
    pub(crate) fn event(&self, exit: Exit) -> Option<Event> {
        let fault = |what| Event::Fault(Box::new(FaultReason::Exit(what)));
        Some(match exit {
            Exit::Load { address, size } => match address.wrapping_sub(self.doorbell) {
                DOORBELL_RETURN => return None,
                DOORBELL_CALL => Event::HostCall,
                _ if address < self.guest_end => Event::Load { address, size },
                _ => fault(format!(
                    "read of {:#x}, where nothing is",
                    self.seen(address)
                )),
            },
            Exit::Store { address, .. } if address >= self.guest_end => fault(format!(
                "write to {:#x}, where it may not write",
                self.seen(address)
            )),
            Exit::Store {
                address,
                size,
                value,
            } => Event::Store {
                address,
                size,
                value,
            },
            Exit::Call(function) => Event::Fault(Box::new(FaultReason::NestedCall(function))),
            Exit::Interrupted => Event::Interrupted,
            Exit::Other(what) => fault(what),
        })
    }

    /// Decides whether what brought the vCPU into the gate was the blob's return.
    ///
    /// PSTATE.IL is set by an ERET with SPSR.IL, or by an illegal ERET, and by nothing else; the
    /// exception that it raises saves it. So a saved SPSR.IL means that the blob has returned, even
    /// where an abort or misalignment at the target was reported in place of the Illegal Execution
    /// State exception.
    ///
    /// The result is the SPSR that has been looked at: another CPU of the blob can write the frame's.
    #[inline(always)]
    pub(crate) fn check_return(&self, width: Width) -> Result<u64, FaultReason> {
        const MODE: u64 = 0x1f;
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
        let problem = match (width, spsr & MODE) {
            // EL0t, EL1t, EL1h, and AArch32 at EL0 below an AArch64 kernel.
            (Width::AArch64, 0x0 | 0x4 | 0x5 | 0x10) => return Ok(spsr),
            (Width::AArch64, _) => return Err(FaultReason::no_such_mode(spsr)),
            // A return to AArch32 EL1 is illegal within the monitor, which leaves it at EL1h.
            (Width::AArch32, 0x5) => return Ok(spsr),
            (Width::AArch32, _) => "an AArch32 caller keeps its mode",
        };
        Err(FaultReason::BadReturn { spsr, problem })
    }

    /// Gives the caller the outputs that changed, and its PC and PSTATE if the blob changed them: the
    /// latter as in `spsr`, which has been [checked](Self::check_return). It tells whether the caller's
    /// CPU has that mode; if not, it has been given nothing.
    #[inline(always)]
    pub(crate) fn give_back(
        &self,
        spsr: u64,
        call: &mut CallRecord,
        guest: &Guest,
    ) -> Result<bool, RegisterError> {
        const NZCV: u64 = 0xf << 28;
        const SS: u64 = 1 << 21;
        const AIF: u64 = 0x7 << 6;
        let settable = match guest.width() {
            Width::AArch64 => !(SPSR_IL | SS),
            // An illegal return carries only these over.
            Width::AArch32 => NZCV | AIF,
        };
        let caller = guest.registers();
        if (spsr ^ call.pstate) & settable != 0 {
            let pstate = call.pstate & !settable | spsr & settable;
            match caller.set(regs::PSTATE, pstate) {
                // Not all CPUs have AArch32 at EL0.
                Err(error) if error.is_refusal() => return Ok(false),
                result => result?,
            }
        }
        let mask = register_mask(guest.width());
        let first = self.first_input();
        for n in 0..call.outputs {
            let value = self.frame.get(frame::x(n)) & mask;
            call.after[n] = value;
            // What was not read may have been anything before, as the upper half of x0.
            let read = (first..call.inputs).contains(&n);
            if !read || value != call.before[n] {
                caller.set(x(n as u64), value)?;
            }
        }
        let pc = self.frame.get(ELR);
        if pc != call.pc {
            caller.set(regs::PC, pc & mask)?;
        }
        Ok(true)
    }
}
