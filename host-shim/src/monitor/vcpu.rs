// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A vCPU of a monitor VM, as KVM has it: it runs, leaves, and can be made anew. What its exits mean
//! is its payload's to say.

use std::ptr::NonNull;
use std::sync::Arc;

use kvm_bindings::{
    KVM_ARM_VCPU_PSCI_0_2, KVM_EXIT_HYPERCALL, KVM_EXIT_INTR, KVM_EXIT_MMIO, KVM_EXIT_UNKNOWN,
    KVMIO, kvm_vcpu_init,
};
use kvm_ioctls::VcpuFd;
use rustix::io::Errno;
use rustix::ioctl::{NoArg, Opcode, ioctl, opcode};

use crate::error::Error;
use crate::fd::AsKvmFd;
use crate::kvm_run::{Cause, Mmio, RunPage};
use crate::monitor::Vm;
use crate::monitor::signal::KickSignal;
use crate::monitor::slot::Slot;
use crate::regs::Registers;

const KVM_RUN: Opcode = opcode::none(KVMIO as u8, 0x80);

/// Why a monitor's vCPU has left KVM_RUN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// A load where there is no memory; [`Vcpu::finish_load`] gives it a value.
    Load { address: u64, size: usize },
    /// A store where there is no memory, of the low bytes of `value`.
    Store {
        address: u64,
        size: usize,
        value: u64,
    },
    /// An SMC or HVC of its own: the function ID.
    Call(u32),
    /// A signal, a verdict of the watchdog's, or a kick, which stays until it is
    /// [taken](Vcpu::take_kick).
    Interrupted,
    /// Something that no payload should give KVM.
    Other(String),
}

/// The vCPU.
#[derive(Debug)]
pub(crate) struct Vcpu {
    fd: VcpuFd,
    run: RunPage,
    init: kvm_vcpu_init,
    slot: Arc<Slot>,
    signal: KickSignal,
    // Last, so that the VM outlives the vCPU.
    _vm: Arc<Vm>,
}

impl Vcpu {
    /// Makes vCPU `number`, which has to be [reset](Self::reset) before it runs. The watchdog gets it
    /// out of KVM_RUN by `signal`, if there is one.
    pub(crate) fn new(vm: &Arc<Vm>, number: u32, signal: Option<i32>) -> Result<Self, Error> {
        let mut init = kvm_vcpu_init::default();
        vm.fd()
            .get_preferred_target(&mut init)
            .map_err(Error::kvm("ask KVM for the CPU model"))?;
        init.features[0] |= 1 << KVM_ARM_VCPU_PSCI_0_2;
        let mut fd = vm
            .fd()
            .create_vcpu(u64::from(number))
            .map_err(Error::kvm("create a monitor vCPU"))?;
        // SAFETY: kvm_run stays mapped as long as `fd`, nobody asks that for a reference again, and whoever
        // has a copy is gone first: `Binding`, which a `Seat` drops before this, and the slot, which Drop
        // makes forget it.
        let run = unsafe { RunPage::new(NonNull::from(fd.get_kvm_run())) };
        vm.slot(number).attach(run, vm.is_bound());
        Ok(Vcpu {
            fd,
            run,
            init,
            slot: vm.slot(number).clone(),
            signal: KickSignal::new(signal),
            _vm: vm.clone(),
        })
    }

    /// What other threads know of it.
    pub(crate) fn slot(&self) -> &Arc<Slot> {
        &self.slot
    }

    pub(crate) fn fd(&self) -> &VcpuFd {
        &self.fd
    }

    pub(crate) fn run_page(&self) -> RunPage {
        self.run
    }

    pub(crate) fn registers(&self) -> Registers<'_> {
        Registers::of(&self.fd)
    }

    /// Gives it the state of a CPU that comes out of reset, whatever it was doing.
    pub(crate) fn reset(&self) -> Result<(), Error> {
        self.fd
            .vcpu_init(&self.init)
            .map_err(Error::kvm("initialise a monitor vCPU"))
    }

    /// Completes a load or store for which it has left, without running it any further.
    ///
    /// That happens at the beginning of the next KVM_RUN, and advances the PC, so it has to be over
    /// before the PC is set.
    pub(crate) fn complete_access(&self) {
        self.run.set(Cause::Completion);
        let _interrupted = self.kvm_run();
        self.run.clear(Cause::Completion);
    }

    /// Has the calling thread be the one that runs it.
    #[inline(always)]
    pub(crate) fn come_here(&mut self) -> Result<(), Error> {
        self.signal.follow(&self.fd)
    }

    /// The signal that may have interrupted it.
    pub(crate) fn signal(&self) -> &KickSignal {
        &self.signal
    }

    /// One KVM_RUN, which alone is the payload's time, on the thread that has it
    /// [come here](Self::come_here).
    #[inline(always)]
    pub(crate) fn run(&self) -> Exit {
        self.slot.enter(self.signal.thread());
        let ran = self.kvm_run();
        self.slot.leave();
        match ran {
            Ok(()) => self.last_exit(),
            Err(Errno::INTR | Errno::AGAIN) => {
                self.run.clear(Cause::Verdict);
                Exit::Interrupted
            }
            Err(error) => Exit::Other(error.to_string()),
        }
    }

    fn kvm_run(&self) -> Result<(), Errno> {
        // SAFETY: KVM_RUN takes no argument, and runs a guest that sees no memory of this process but
        // what its memory slots say.
        let request = unsafe { NoArg::<KVM_RUN>::new() };
        // SAFETY: as above.
        unsafe { ioctl(self.fd.as_kvm_fd(), request) }
    }

    /// Tells whether the VMM has kicked it, which then has had its effect.
    pub(crate) fn take_kick(&self) -> bool {
        self.run.clear(Cause::Kick)
    }

    /// What its `kvm_run` says of the last time when it left.
    #[inline(always)]
    pub(crate) fn last_exit(&self) -> Exit {
        match self.run.exit_reason() {
            KVM_EXIT_MMIO => {
                let Mmio {
                    address,
                    size,
                    is_write,
                } = self.run.mmio();
                match is_write {
                    false => Exit::Load { address, size },
                    true => Exit::Store {
                        address,
                        size,
                        value: self.run.stored(),
                    },
                }
            }
            KVM_EXIT_HYPERCALL => Exit::Call(self.run.called() as u32),
            KVM_EXIT_INTR => {
                self.run.clear(Cause::Verdict);
                Exit::Interrupted
            }
            KVM_EXIT_UNKNOWN => {
                // With the kernel engine it is what KVM_RUN would have returned.
                let error = self.run.hardware_exit_reason() as i32;
                Exit::Other(std::io::Error::from_raw_os_error(error).to_string())
            }
            reason => Exit::Other(format!("exit {reason} of KVM_RUN")),
        }
    }

    /// Gives the load for which it has left its value.
    pub(crate) fn finish_load(&self, value: u64) {
        if self.run.exit_reason() == KVM_EXIT_MMIO {
            self.run.set_loaded(value);
        }
    }
}

impl Drop for Vcpu {
    fn drop(&mut self) {
        self.slot().detach();
    }
}
