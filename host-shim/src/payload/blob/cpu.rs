// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob on one CPU: how it is parked, entered, and what its coming back means.
//!
//! Its EL1 state stays in place from one call to the next; only a fault makes it start over. Between
//! calls its vCPU is parked in the gate (`gate.S`), at a load from the doorbell. The frame carries the
//! registers in and out, so that a call needs no register of the monitor's vCPU read or written.

use std::sync::Arc;

use fakemon_abi::frame::{REGS, SPSR_IL};
use fakemon_abi::layout::{
    DOORBELL, DOORBELL_CALL, DOORBELL_RETURN, FRAME, GATE, HYP_VECTORS, TABLES_BASE, VCPU_STRIDE,
    VECTOR_FIQ_AARCH32, VECTOR_FIQ_AARCH64, VECTOR_LOWER_AARCH32, VECTOR_LOWER_AARCH64, vcpu_block,
};
use fakemon_abi::note::{CONDUIT_HVC, CONDUIT_SMC, Range, WINDOW_LEGACY32, WINDOW_SMCCC};

use crate::engine::binding::{Binding, EntryPoints};
use crate::engine::status::Status;
use crate::error::Error;
use crate::fault::FaultReason;
use crate::guest::vcpu::Guest;
use crate::monitor::memory::Memory;
use crate::monitor::run::Cause;
use crate::monitor::slot::Verdict;
use crate::monitor::vcpu::{Exit, Vcpu};
use crate::payload::Payload;
use crate::payload::blob::frame::{self, ELR, ENTRY, ESR, FAR, FramePtr, MEMORY, SP, SPSR, TAKEN};
use crate::payload::blob::{gate, image};
use crate::policy::{Config, Hvc};
use crate::record::CallRecord;
use crate::regs::{self, RegisterError, x};
use crate::tables;
use crate::width::{Conduit, Width, register_mask};

/// SCTLR_EL1 of the monitor: MMU and caches on, stack alignment checked, nothing writable executes
/// (WXN), and the bits that are RES1 on cores without the features behind them (Arm ARM,
/// SCTLR_EL1).
const SCTLR: u64 = {
    const M: u64 = 1 << 0;
    const C: u64 = 1 << 2;
    const SA: u64 = 1 << 3;
    const I: u64 = 1 << 12;
    const WXN: u64 = 1 << 19;
    const RES1: u64 = 1 << 29 | 1 << 28 | 1 << 23 | 1 << 22 | 1 << 20 | 1 << 11;
    M | C | SA | I | WXN | RES1
};

/// ESR_ELx.IL: the instruction has 32 bits.
const INSTRUCTION_IS_32_BIT: u64 = 1 << 25;

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

/// The blob on CPU number `cpu`.
#[derive(Debug)]
pub(crate) struct BlobCpu {
    pub(crate) vcpu: Vcpu,
    pub(crate) frame: FramePtr,
    pub(crate) cpu: u32,
    pub(crate) payload: Arc<Payload>,
    /// The doorbell in stage 2, which is what an exit tells.
    doorbell: u64,
    /// Where the addresses end that mean the same in stage 2, those of the guest and of the VMM's bus.
    guest_end: u64,
}

impl BlobCpu {
    /// Makes the vCPU and parks it.
    pub(crate) fn new(
        payload: &Arc<Payload>,
        cpu: u32,
        guest: &Guest,
        config: &Config,
    ) -> Result<Self, Error> {
        let signal = (!config.watchdog.is_zero()).then_some(config.kick_signal);
        let memory = payload.vm().memory();
        let mut blob = BlobCpu {
            vcpu: Vcpu::new(payload.vm(), cpu, signal)?,
            frame: FramePtr::new(memory, cpu, payload.vm().cpus()),
            cpu,
            payload: payload.clone(),
            doorbell: physical(memory, vcpu_block(cpu) + DOORBELL),
            guest_end: memory.layout().stage_2().guest_end(),
        };
        blob.start(guest)?;
        Ok(blob)
    }

    /// Makes the frame and the stack what they were at first, but for the count of changes of the
    /// guest's memory. The vCPU has to [start](Self::start) after that.
    pub(crate) fn forget(&self) {
        let changes = self.frame.get(MEMORY);
        image::clear_block(self.payload.vm().memory(), self.cpu);
        self.frame.set(MEMORY, changes);
        self.frame.introduce(self.cpu, self.payload.vm().cpus());
    }

    /// Gives the vCPU its EL1 state from nothing, and parks it.
    pub(crate) fn start(&mut self, guest: &Guest) -> Result<(), Error> {
        self.vcpu.reset()?;
        let own = self.vcpu.registers();
        own.set(regs::MPIDR_EL1, guest.registers().get(regs::MPIDR_EL1)?)?;
        let tables = physical(self.payload.vm().memory(), TABLES_BASE);
        own.set(regs::TTBR0_EL1, tables)?;
        own.set(regs::TCR_EL1, tables::TCR)?;
        own.set(regs::MAIR_EL1, tables::MAIR)?;
        own.set(regs::VBAR_EL1, self.block() + GATE)?;
        own.set(regs::SCTLR_EL1, SCTLR)?;
        own.set(regs::PSTATE, regs::PSTATE_EL1H_MASKED)?;
        own.set(regs::PC, self.block() + GATE + gate::park())?;
        self.park()
    }

    /// Runs it up to the doorbell, in the gate.
    fn park(&mut self) -> Result<(), Error> {
        self.vcpu.come_here()?;
        // A blob has ways to spoil even the gate, so this is watched as a call is.
        self.vcpu.slot().begin();
        let (mut signalled, mut kicked) = (false, false);
        let parked = loop {
            match self.vcpu.run() {
                Exit::Load { address, .. } if address == self.doorbell + DOORBELL_RETURN => {
                    break Ok(());
                }
                Exit::Interrupted => match self.vcpu.slot().fired() {
                    Some(Verdict::Limit(_)) => {
                        break Err("the gate does not run, the blob has damaged it".to_owned());
                    }
                    // A signal or kick of the VMM's, which is for a call. No data of the blob's is in use
                    // that could be made anew.
                    None | Some(Verdict::Reload) => {
                        signalled |= self.vcpu.signal().take();
                        kicked |= self.vcpu.take_kick();
                    }
                },
                exit => break Err(format!("unexpected exit {exit:?}")),
            }
        };
        self.vcpu.slot().end();
        if signalled {
            self.vcpu.signal().give_back();
        }
        if kicked {
            self.vcpu.slot().kick(Cause::Kick);
        }
        parked.map_err(|what| Error::Kvm {
            what: "park a monitor vCPU",
            cause: std::io::Error::other(what),
        })
    }

    /// Has KVM carry calls between the guest's vCPU and this one from now on.
    pub(crate) fn bind(&self, guest: &Guest, config: &Config) -> Result<Binding, Error> {
        let blob = self.payload.blob();
        let note = blob.note();
        let vectors = blob.vectors();
        let served = |conduit, table| (note.conduits & conduit != 0).then_some(vectors + table);
        let smc_vectors = served(CONDUIT_SMC, 0);
        let entry_points = EntryPoints {
            smc_vectors,
            hvc_vectors: match config.hvc {
                Hvc::AsNote => served(CONDUIT_HVC, HYP_VECTORS),
                Hvc::AsSmc => smc_vectors,
            },
            sp: self.stack_top(),
            tpidr: self.block() + FRAME,
            with_immediate: match note.window {
                WINDOW_SMCCC => (8, 4),
                // All that there is.
                _ => (REGS as u8, REGS as u8),
            },
        };
        // SAFETY: a binding goes before the monitor's vCPU (`Seat` declares it first).
        let status = unsafe { Status::of(self.vcpu.run_page().as_ptr()) };
        let (vcpu, memory) = (self.vcpu.fd(), self.payload.vm().memory().clone());
        let log = config.log;
        let bound = Binding::new(guest.fd(), vcpu, status, memory, &entry_points, log);
        bound.map_err(|cause| Error::Kvm {
            what: "have KVM carry calls to the monitor",
            cause,
        })
    }

    fn block(&self) -> u64 {
        vcpu_block(self.cpu)
    }

    /// What an exit's address is to the blob.
    #[cold]
    fn seen(&self, physical: u64) -> u64 {
        self.payload.vm().memory().layout().seen(physical)
    }

    fn stack_top(&self) -> u64 {
        self.block() + VCPU_STRIDE
    }

    /// The first register that has to be read from the caller: KVM has read w0 already, and nothing
    /// else of x0 means anything to SMCCC (DEN 0028, 2.5). A legacy call has data there, of which
    /// later kernels may mask bits in the function ID that they report.
    pub(crate) fn first_input(&self) -> usize {
        usize::from(self.payload.blob().note().window != WINDOW_LEGACY32)
    }

    /// The claimed range that a call falls into, if its conduit is served at all.
    pub(crate) fn claim(&self, function: u32, conduit: Conduit) -> Option<Range> {
        self.payload.blob().claim(function, conduit)
    }

    /// Leaves a call for the gate, which enters it when the vCPU runs.
    pub(crate) fn load(&self, call: &CallRecord, width: Width) {
        let (class, vector) = match (width, call.conduit) {
            (Width::AArch64, Conduit::Smc) => (0x17, VECTOR_LOWER_AARCH64),
            (Width::AArch64, Conduit::Hvc) => (0x16, HYP_VECTORS + VECTOR_LOWER_AARCH64),
            (Width::AArch32, Conduit::Smc) => (0x13, VECTOR_LOWER_AARCH32),
            (Width::AArch32, Conduit::Hvc) => (0x12, HYP_VECTORS + VECTOR_LOWER_AARCH32),
        };
        self.fill(call, class << 26 | INSTRUCTION_IS_32_BIT, vector);
    }

    /// Leaves an entry without a call for the gate, like [`load`](Self::load).
    pub(crate) fn load_entry(&self, interrupted: &CallRecord, width: Width) {
        let vector = match width {
            Width::AArch64 => VECTOR_FIQ_AARCH64,
            Width::AArch32 => VECTOR_FIQ_AARCH32,
        };
        self.fill(interrupted, 0, vector);
    }

    fn fill(&self, call: &CallRecord, esr: u64, vector: u64) {
        self.frame.set_x(&call.before);
        self.frame.set(ESR, esr);
        self.frame.set(ELR, call.pc);
        self.frame.set(SPSR, call.pstate | SPSR_IL);
        self.frame
            .set(ENTRY, self.payload.blob().vectors() + vector);
        self.frame.set(SP, self.stack_top());
    }

    /// Has the return of the call that KVM carries come to the doorbell, also if it has come to one of
    /// KVM's vectors already and no further.
    pub(crate) fn catch_return(&self) -> Result<(), RegisterError> {
        let (own, carried) = (self.vcpu.registers(), self.block() + GATE);
        let plain = carried + gate::PLAIN_VECTORS;
        own.set(regs::VBAR_EL1, plain)?;
        let vector = own.get(regs::PC)?.wrapping_sub(carried);
        match gate::RETURNS.contains(&vector) {
            true => own.set(regs::PC, plain + vector),
            false => Ok(()),
        }
    }

    /// Has KVM see returns by itself again.
    pub(crate) fn stop_catching(&self) -> Result<(), RegisterError> {
        let own = self.vcpu.registers();
        own.set(regs::VBAR_EL1, self.block() + GATE)
    }

    /// Has KVM begin the call that has been [loaded](Self::load), as if the guest had just made it.
    pub(crate) fn begin_in_kvm(&self, binding: &Binding, call: &CallRecord) -> Result<(), Error> {
        self.vcpu.complete_access();
        let own = self.vcpu.registers();
        let entry = self.frame.get(ENTRY);
        for n in 0..=30 {
            let value = match n {
                0..18 => call.before[n],
                18..30 => 0,
                _ => entry,
            };
            own.set(x(n as u64), value)?;
        }
        own.set(regs::SP_EL1, self.stack_top())?;
        own.set(regs::TPIDR_EL1, self.block() + FRAME)?;
        own.set(regs::ELR_EL1, call.pc)?;
        own.set(regs::SPSR_EL1, call.pstate | SPSR_IL)?;
        own.set(regs::ESR_EL1, self.frame.get(ESR))?;
        own.set(regs::PSTATE, regs::PSTATE_EL1H_MASKED)?;
        own.set(regs::PC, entry)?;
        self.vcpu.slot().count();
        binding
            .begin(call.outputs as u8)
            .map_err(|cause| Error::Kvm {
                what: "begin a call",
                cause,
            })
    }

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
    #[inline]
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

/// Where stage 2 has an address of the monitor's own.
fn physical(memory: &Memory, address: u64) -> u64 {
    let found = memory.layout().physical(address);
    found.expect("the layout has a place for all that the library uses")
}
