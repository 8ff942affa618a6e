// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A monitor vCPU: set up once, then parked in the gate between calls.
//!
//! Its EL1 state stays in place from one call to the next; only a fault of the blob makes it start
//! over.

use std::ptr::NonNull;
use std::sync::Arc;

use fakemon_abi::frame::REGS;
use fakemon_abi::layout::{
    DOORBELL, DOORBELL_RETURN, FRAME, GATE, HYP_VECTORS, TABLES_BASE, VCPU_STRIDE, vcpu_block,
};
use fakemon_abi::note::{CONDUIT_HVC, CONDUIT_SMC, WINDOW_SMCCC};
use kvm_bindings::{KVM_ARM_VCPU_PSCI_0_2, kvm_vcpu_init};
use kvm_ioctls::{VcpuExit, VcpuFd};

use crate::engine::carrier::{Carrier, Entrances};
use crate::engine::error::Error;
use crate::engine::frame::FramePtr;
use crate::engine::gate;
use crate::engine::monitor::Shared;
use crate::engine::record::CallRecord;
use crate::engine::regs::{self, Registers};
use crate::engine::slot::Slot;
use crate::tables;
use crate::width::Width;

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

/// Where a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No call; the vCPU is parked in the gate.
    Idle,
    /// A call was left, by a signal or to wait for an interrupt, and can go on.
    Suspended,
}

/// The monitor's half of one guest vCPU: carries the calls of the guest's vCPU to the blob and
/// back.
#[derive(Debug)]
pub struct MonitorVcpu {
    // First, so that KVM lets go of the vCPU before it is closed.
    pub(crate) carrier: Option<Carrier>,
    pub(crate) fd: VcpuFd,
    pub(crate) frame: FramePtr,
    pub(crate) guest: Registers,
    pub(crate) width: Width,
    pub(crate) cpu: u32,
    pub(crate) doorbell: u64,
    pub(crate) state: State,
    pub(crate) record: CallRecord,
    /// The call on record is over and has not been handed out by `drain_log`.
    pub(crate) unread: bool,
    init: kvm_vcpu_init,
    // Last, so that the VM outlives the vCPU.
    pub(crate) shared: Arc<Shared>,
}

impl MonitorVcpu {
    pub(crate) fn new(
        shared: Arc<Shared>,
        cpu: u32,
        guest: Registers,
        width: Width,
    ) -> Result<Self, Error> {
        let mut init = kvm_vcpu_init::default();
        let vm = &shared.vm;
        vm.get_preferred_target(&mut init)
            .map_err(Error::kvm("ask KVM for the CPU model"))?;
        init.features[0] |= 1 << KVM_ARM_VCPU_PSCI_0_2;
        let mut fd = vm
            .create_vcpu(u64::from(cpu))
            .map_err(Error::kvm("create a monitor vCPU"))?;
        let run = NonNull::from(fd.get_kvm_run());
        // SAFETY: kvm_run stays mapped as long as `fd`, and Drop detaches it first.
        unsafe { shared.watchdog.slot(cpu).attach(run, shared.carried) };
        let mut vcpu = MonitorVcpu {
            carrier: None,
            frame: FramePtr::new(&shared.memory, cpu, shared.cpus),
            fd,
            guest,
            width,
            cpu,
            doorbell: vcpu_block(cpu) + DOORBELL,
            state: State::Idle,
            record: CallRecord::NONE,
            unread: false,
            init,
            shared,
        };
        vcpu.initialise()?;
        if vcpu.shared.carried {
            vcpu.bind()?;
        }
        Ok(vcpu)
    }

    /// Has KVM carry calls between the guest's vCPU and this one from now on.
    fn bind(&mut self) -> Result<(), Error> {
        let note = self.shared.blob.note();
        let vectors = self.shared.blob.vectors();
        let served = |conduit, table| (note.conduits & conduit != 0).then_some(vectors + table);
        let entrances = Entrances {
            smc_vectors: served(CONDUIT_SMC, 0),
            hvc_vectors: served(CONDUIT_HVC, HYP_VECTORS),
            sp: self.stack_top(),
            tpidr: vcpu_block(self.cpu) + FRAME,
            with_immediate: match note.window {
                WINDOW_SMCCC => (8, 4),
                // All that there is.
                _ => (REGS as u8, REGS as u8),
            },
        };
        let log = self.shared.config.log;
        let carrier =
            Carrier::bind(&self.guest, &mut self.fd, &entrances, log).map_err(|source| {
                let what = "have KVM carry calls to the monitor";
                Error::Kvm { what, source }
            })?;
        self.carrier = Some(carrier);
        Ok(())
    }

    /// Gives the vCPU its EL1 state from nothing, and parks it.
    fn initialise(&mut self) -> Result<(), Error> {
        self.fd
            .vcpu_init(&self.init)
            .map_err(Error::kvm("initialise a monitor vCPU"))?;
        let own = Registers::of(&self.fd);
        own.set(regs::MPIDR_EL1, self.guest.get(regs::MPIDR_EL1)?)?;
        own.set(regs::TTBR0_EL1, TABLES_BASE)?;
        own.set(regs::TCR_EL1, tables::TCR)?;
        own.set(regs::MAIR_EL1, tables::MAIR)?;
        own.set(regs::VBAR_EL1, vcpu_block(self.cpu) + GATE)?;
        own.set(regs::SCTLR_EL1, SCTLR)?;
        self.park()
    }

    /// Abandons what the blob was doing, with all the EL1 state that it leaves, and parks the vCPU.
    pub(crate) fn start_over(&mut self) -> Result<(), Error> {
        if let Some(carrier) = &self.carrier {
            carrier.give_up().map_err(|source| {
                let what = "give up a call";
                Error::Kvm { what, source }
            })?;
        }
        self.slot().set_paused(false);
        // An access that has exited completes on the next KVM_RUN and then advances the PC, so that
        // must be over first.
        self.fd.set_kvm_immediate_exit(1);
        let _interrupted = self.fd.run();
        self.fd.set_kvm_immediate_exit(0);
        self.initialise()
    }

    /// Puts an initialised vCPU into the gate and runs it up to the doorbell.
    fn park(&mut self) -> Result<(), Error> {
        let own = Registers::of(&self.fd);
        own.set(regs::PSTATE, regs::PSTATE_EL1H_MASKED)?;
        own.set(regs::PC, vcpu_block(self.cpu) + GATE + gate::park())?;
        self.state = State::Idle;
        // A blob has ways to spoil even the gate, so this is watched as a call is.
        self.slot().begin();
        self.slot().enter();
        let parked = self.run_to_doorbell();
        self.slot().leave();
        parked
    }

    fn run_to_doorbell(&mut self) -> Result<(), Error> {
        let failed = |what: String| Error::Kvm {
            what: "park a monitor vCPU",
            source: std::io::Error::other(what),
        };
        loop {
            match self.fd.run() {
                Ok(VcpuExit::MmioRead(address, _))
                    if address == self.doorbell + DOORBELL_RETURN =>
                {
                    return Ok(());
                }
                Ok(exit) => return Err(failed(format!("unexpected exit {exit:?}"))),
                // A signal of the VMM's: nothing has happened yet, and the VMM will see it after
                // this.
                Err(error) if error.errno() == libc::EINTR => {
                    self.fd.set_kvm_immediate_exit(0);
                    if self.slot().fired().is_some() {
                        return Err(failed(
                            "the gate does not run, the blob has damaged it".into(),
                        ));
                    }
                }
                Err(error) => return Err(Error::kvm("park a monitor vCPU")(error)),
            }
        }
    }

    /// Top of the stack on which the blob runs.
    pub(crate) fn stack_top(&self) -> u64 {
        vcpu_block(self.cpu) + VCPU_STRIDE
    }

    /// What the watchdog knows of this vCPU.
    pub(crate) fn slot(&self) -> &Slot {
        self.shared.watchdog.slot(self.cpu)
    }

    /// The call being served, or the last one, for traces. Of the calls that KVM carries by itself
    /// it is the last that [`drain_log`](Self::drain_log) has handed out.
    pub fn last_call(&self) -> &CallRecord {
        &self.record
    }

    /// A handle with which any thread can make [`call`](Self::call) and [`resume`](Self::resume)
    /// return [`Step::Interrupted`](crate::Step::Interrupted).
    pub fn kick_handle(&self) -> KickHandle {
        KickHandle {
            shared: self.shared.clone(),
            cpu: self.cpu,
        }
    }
}

impl Drop for MonitorVcpu {
    fn drop(&mut self) {
        self.slot().detach();
    }
}

/// Interrupts a monitor vCPU, as setting `immediate_exit` does for the guest's.
#[derive(Clone, Debug)]
pub struct KickHandle {
    shared: Arc<Shared>,
    cpu: u32,
}

impl KickHandle {
    /// Makes a call in progress, or else the next one, return at its next entry into the blob. A
    /// blob that is running this very moment is interrupted by the signal that the VMM then sends
    /// to the vCPU's thread.
    pub fn kick(&self) {
        self.shared.watchdog.slot(self.cpu).kick();
    }
}
