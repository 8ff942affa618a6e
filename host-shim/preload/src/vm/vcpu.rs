// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A vCPU of the VMM's: what is known of it, and how others get it out of KVM_RUN.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fakemon_host::abi::mpidr::AFFINITY;
use fakemon_host::regs::{self, RegisterError, Registers};
use fakemon_host::{Lane, Start, Width};
use kvm_bindings::{
    KVM_ARM_VCPU_EL1_32BIT, KVM_ARM_VCPU_POWER_OFF, KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_SINGLESTEP,
    KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_STOPPED, kvm_vcpu_init,
};

use crate::page::{Page, Return};
use crate::vm::Vm;
use crate::{kvm, signals};

/// No address.
const NOWHERE: u64 = u64::MAX;

/// A vCPU.
#[derive(Debug)]
pub(crate) struct Vcpu {
    /// A duplicate, so that it is there as long as this is.
    pub(crate) fd: OwnedFd,
    /// Its number for KVM, and for the payloads.
    pub(crate) id: u32,
    /// Its place among the power states.
    pub(crate) number: usize,
    pub(crate) page: Page,
    reset: Mutex<Reset>,
    /// The thread that is in KVM_RUN with it, or 0.
    thread: AtomicI32,
    stolen_time: AtomicU64,
    /// A debugger of the VMM's goes one instruction at a time.
    is_stepping: AtomicBool,
    serving: Mutex<Serving>,
    /// Last, since it has memory that the lane uses.
    pub(crate) vm: Arc<Vm>,
}

/// How the VMM has initialised it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reset {
    init: kvm_vcpu_init,
    /// SCTLR_EL1 after that.
    sctlr: u64,
}

/// What the thread keeps that runs it, from one KVM_RUN to the next.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    /// It has run before, and has its lane if it is to have one.
    pub(crate) is_ready: bool,
    pub(crate) lane: Option<Lane>,
    /// The thread that has let the kick signal through.
    pub(crate) thread: i32,
}

impl Vcpu {
    pub(crate) fn new(vm: &Arc<Vm>, fd: OwnedFd, id: u32) -> io::Result<Vcpu> {
        Ok(Vcpu {
            vm: vm.clone(),
            page: Page::new(&fd)?,
            fd,
            id,
            // It has no MPIDR before it is initialised.
            number: vm.cpus.add(fakemon_host::abi::mpidr::kvm(id), false),
            reset: Mutex::default(),
            thread: AtomicI32::new(0),
            stolen_time: AtomicU64::new(NOWHERE),
            is_stepping: AtomicBool::new(false),
            serving: Mutex::default(),
        })
    }

    pub(crate) fn registers(&self) -> Registers<'_> {
        Registers::of(&self.fd)
    }

    pub(crate) fn width(&self) -> Width {
        match self.reset().init.features[0] >> KVM_ARM_VCPU_EL1_32BIT & 1 {
            1 => Width::AArch32,
            _ => Width::AArch64,
        }
    }

    /// Whether the VMM has initialised it before.
    pub(crate) fn is_initialised(&self) -> bool {
        self.reset().sctlr != 0
    }

    /// Notes that the VMM has initialised it.
    pub(crate) fn note_init(&self, init: kvm_vcpu_init) {
        let on = init.features[0] >> KVM_ARM_VCPU_POWER_OFF & 1 == 0;
        // An SCTLR_EL1 after a reset has bits that are one on every CPU.
        let sctlr = self.registers().get(regs::SCTLR_EL1).unwrap_or(0);
        *self.lock_reset() = Reset { init, sctlr };
        self.vm.cpus.reset(self.number, on);
        self.note_mpidr();
    }

    /// Notes what it is called: VMMs may change that until it runs.
    pub(crate) fn note_mpidr(&self) {
        if let Ok(mpidr) = self.registers().get(regs::MPIDR_EL1) {
            self.vm.cpus.rename(self.number, mpidr);
        }
    }

    /// Notes what the VMM has set its state to.
    pub(crate) fn note_mp_state(&self, state: u32) {
        match state {
            KVM_MP_STATE_STOPPED => self.vm.cpus.set(self.number, false),
            KVM_MP_STATE_RUNNABLE => self.vm.cpus.set(self.number, true),
            _ => {}
        }
    }

    /// Notes what a debugger wants.
    pub(crate) fn note_debug(&self, control: u32) {
        let step = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP;
        let is_stepping = control & step == step;
        self.is_stepping.store(is_stepping, Ordering::Relaxed);
    }

    /// Whether it is to stop after one instruction.
    pub(crate) fn is_stepping(&self) -> bool {
        self.is_stepping.load(Ordering::Relaxed)
    }

    /// Notes where KVM keeps its stolen time.
    pub(crate) fn note_stolen_time(&self, address: u64) {
        self.stolen_time.store(address, Ordering::Relaxed);
    }

    /// Where KVM keeps its stolen time.
    pub(crate) fn stolen_time(&self) -> Option<u64> {
        let address = self.stolen_time.load(Ordering::Relaxed);
        (address != NOWHERE).then_some(address)
    }

    pub(crate) fn set_mp_state(&self, state: u32) -> io::Result<()> {
        kvm::set_mp_state(&self.fd, state)
    }

    /// Switches it off, as KVM does it for its own PSCI: that is how the VMM finds it.
    pub(crate) fn stop(&self) -> io::Result<()> {
        self.vm.cpus.stop(self.number);
        self.set_mp_state(KVM_MP_STATE_STOPPED)
    }

    /// Starts it, if that was asked for: as PSCI starts a CPU, from nothing.
    pub(crate) fn apply_start(&self) -> io::Result<()> {
        let Some(start) = self.vm.cpus.take_start(self.number) else {
            return Ok(());
        };
        let mut init = self.reset().init;
        init.features[0] &= !(1 << KVM_ARM_VCPU_POWER_OFF);
        let other = io::Error::other::<RegisterError>;
        let registers = self.registers();
        let mpidr = registers.get(regs::MPIDR_EL1).map_err(other)?;
        kvm::vcpu_init(&self.fd, init)?;
        // KVM before Linux 6.10 resets this, too, which the VMM may have set.
        if registers.get(regs::MPIDR_EL1).map_err(other)? & AFFINITY != mpidr & AFFINITY {
            registers.set(regs::MPIDR_EL1, mpidr).map_err(other)?;
        }
        let started = registers.start_at(self.width(), start.entry, start.context);
        started.map_err(other)
    }

    /// Has it come back from a power-down: it has kept its timers and its part of the interrupt
    /// controller.
    pub(crate) fn wake_up(&self, start: Start) -> Result<(), RegisterError> {
        let registers = self.registers();
        registers.set(regs::SCTLR_EL1, self.reset().sctlr)?;
        registers.start_at(self.width(), start.entry, start.context)
    }

    /// Has the guest make its call again.
    pub(crate) fn rewind(&self) -> Result<(), RegisterError> {
        // SMC and HVC have 32 bits in every instruction set.
        let pc = self.registers().get(regs::PC)?;
        self.registers().set(regs::PC, pc.wrapping_sub(4))
    }

    /// This thread, the caller's, is in KVM_RUN with it from now on.
    pub(crate) fn enter(&self, thread: i32) {
        self.thread.store(thread, Ordering::SeqCst);
    }

    /// It is no longer. A start that somebody asks for from now on is refused or seen by the caller,
    /// who looks for one after this.
    pub(crate) fn leave(&self) {
        self.thread.store(0, Ordering::SeqCst);
    }

    /// Whether some thread is in KVM_RUN with it.
    pub(crate) fn is_inside(&self) -> bool {
        self.thread.load(Ordering::SeqCst) != 0
    }

    /// Makes it come out of KVM_RUN, with EINTR, as the VMM's own kicks do.
    pub(crate) fn kick(&self, signal: i32) {
        self.page.want_return(Return::Kicked);
        let thread = self.thread.load(Ordering::SeqCst);
        if thread != 0 {
            signals::send(thread, signal);
        }
    }

    /// What its thread keeps; whoever has it keeps others out of KVM_RUN.
    pub(crate) fn serving(&self) -> MutexGuard<'_, Serving> {
        self.serving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, unless a thread is in KVM_RUN with it.
    pub(crate) fn try_serving(&self) -> Option<MutexGuard<'_, Serving>> {
        self.serving.try_lock().ok()
    }

    fn reset(&self) -> Reset {
        *self.lock_reset()
    }

    fn lock_reset(&self) -> MutexGuard<'_, Reset> {
        self.reset.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a descriptor of the VMM's for as long as this library needs it.
///
/// # Safety
/// It is open.
pub(crate) unsafe fn keep(fd: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: it is open, as the caller says, and borrowed for this call alone.
    unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()
}
