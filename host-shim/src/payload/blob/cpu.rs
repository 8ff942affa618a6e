// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob on one CPU: how it is made and parked.
//!
//! Its EL1 state stays in place from one call to the next; only a fault makes it start over. Between
//! calls its vCPU is parked in the gate (`gate.S`), at a load from the doorbell. The frame carries the
//! registers in and out, so that a call needs no register of the monitor's vCPU read or written.

use std::sync::Arc;

use fakemon_abi::frame::REGS;
use fakemon_abi::layout::{
    DOORBELL, DOORBELL_RETURN, FRAME, GATE, HYP_VECTORS, TABLES_BASE, VCPU_STRIDE, vcpu_block,
};
use fakemon_abi::note::{CONDUIT_HVC, CONDUIT_SMC, Range, WINDOW_LEGACY32, WINDOW_SMCCC};

use crate::engine::binding::{Binding, EntryPoints};
use crate::engine::status::Status;
use crate::error::Error;
use crate::guest::vcpu::Guest;
use crate::kvm_run::Cause;
use crate::monitor::memory::Memory;
use crate::monitor::slot::Verdict;
use crate::monitor::vcpu::{Exit, Vcpu};
use crate::payload::Payload;
use crate::payload::blob::frame::{FramePtr, MEMORY};
use crate::payload::blob::{gate, image};
use crate::policy::Config;
use crate::regs;
use crate::tables;
use crate::width::Conduit;

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

/// The blob on CPU number `cpu`.
#[derive(Debug)]
pub(crate) struct BlobCpu {
    pub(crate) vcpu: Vcpu,
    pub(crate) frame: FramePtr,
    pub(crate) cpu: u32,
    pub(crate) payload: Arc<Payload>,
    /// The doorbell in stage 2, which is what an exit tells.
    pub(super) doorbell: u64,
    /// Where the addresses end that mean the same in stage 2, those of the guest and of the VMM's bus.
    pub(super) guest_end: u64,
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
    pub(crate) fn park(&mut self) -> Result<(), Error> {
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
        let vectors_for = |conduit| {
            let (bit, table) = match config.hvc.served_as(conduit) {
                Conduit::Smc => (CONDUIT_SMC, 0),
                Conduit::Hvc => (CONDUIT_HVC, HYP_VECTORS),
            };
            (note.conduits & bit != 0).then_some(vectors + table)
        };
        let entry_points = EntryPoints {
            smc_vectors: vectors_for(Conduit::Smc),
            hvc_vectors: vectors_for(Conduit::Hvc),
            sp: self.stack_top(),
            tpidr: self.block() + FRAME,
            with_immediate: match note.window {
                WINDOW_SMCCC => (8, 4),
                // All that there is.
                _ => (REGS as u8, REGS as u8),
            },
        };
        let status = Status::of(self.vcpu.run_page());
        let (vcpu, memory) = (self.vcpu.fd(), self.payload.vm().memory().clone());
        let log = config.log;
        let bound = Binding::new(guest.fd(), vcpu, status, memory, &entry_points, log);
        bound.map_err(|cause| Error::Kvm {
            what: "have KVM carry calls to the monitor",
            cause,
        })
    }

    pub(super) fn block(&self) -> u64 {
        vcpu_block(self.cpu)
    }

    /// What an exit's address is to the blob.
    #[cold]
    pub(super) fn seen(&self, physical: u64) -> u64 {
        self.payload.vm().memory().layout().seen(physical)
    }

    pub(super) fn stack_top(&self) -> u64 {
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
}

/// Where stage 2 has an address of the monitor's own.
fn physical(memory: &Memory, address: u64) -> u64 {
    let found = memory.layout().physical(address);
    found.expect("the layout has a place for all that the library uses")
}
