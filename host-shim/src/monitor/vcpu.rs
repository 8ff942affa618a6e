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
    /// A signal, or a kick.
    Interrupted,
    /// Something that no payload should give KVM.
    Other(String),
}

/// The vCPU.
#[derive(Debug)]
pub(crate) struct Vcpu {
    fd: VcpuFd,
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
        let run = NonNull::from(fd.get_kvm_run());
        // SAFETY: kvm_run stays mapped as long as `fd`, and Drop detaches it first.
        unsafe { vm.slot(number).attach(run, vm.is_bound()) };
        Ok(Vcpu {
            fd,
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

    pub(crate) fn fd(&mut self) -> &mut VcpuFd {
        &mut self.fd
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
    pub(crate) fn complete_access(&mut self) {
        self.fd.set_kvm_immediate_exit(1);
        let _interrupted = self.fd.run();
        self.fd.set_kvm_immediate_exit(0);
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
    pub(crate) fn run(&mut self) -> Exit {
        self.slot.enter(self.signal.thread());
        // SAFETY: KVM_RUN takes no argument, and runs a guest that sees no memory of this process but
        // what its memory slots say.
        let request = unsafe { NoArg::<KVM_RUN>::new() };
        // SAFETY: as above.
        let ran = unsafe { ioctl(self.fd.as_kvm_fd(), request) };
        self.slot.leave();
        match ran {
            Ok(()) => self.last_exit(),
            Err(Errno::INTR | Errno::AGAIN) => {
                self.fd.set_kvm_immediate_exit(0);
                Exit::Interrupted
            }
            Err(error) => Exit::Other(error.to_string()),
        }
    }

    /// What its `kvm_run` says of the last time when it left.
    #[inline(always)]
    pub(crate) fn last_exit(&mut self) -> Exit {
        let run = self.fd.get_kvm_run();
        match run.exit_reason {
            KVM_EXIT_MMIO => {
                // SAFETY: for this reason KVM has filled in this arm of the union.
                let mmio = unsafe { run.__bindgen_anon_1.mmio };
                let (address, size) = (mmio.phys_addr, mmio.data.len().min(mmio.len as usize));
                match mmio.is_write {
                    0 => Exit::Load { address, size },
                    _ => Exit::Store {
                        address,
                        size,
                        value: u64::from_le_bytes(mmio.data),
                    },
                }
            }
            KVM_EXIT_HYPERCALL => {
                // SAFETY: as above.
                let call = unsafe { run.__bindgen_anon_1.hypercall };
                Exit::Call(call.nr as u32)
            }
            KVM_EXIT_INTR => {
                run.immediate_exit = 0;
                Exit::Interrupted
            }
            KVM_EXIT_UNKNOWN => {
                // SAFETY: as above. With the kernel engine it is what KVM_RUN would have returned.
                let error = unsafe { run.__bindgen_anon_1.hw.hardware_exit_reason };
                Exit::Other(std::io::Error::from_raw_os_error(error as i32).to_string())
            }
            reason => Exit::Other(format!("exit {reason} of KVM_RUN")),
        }
    }

    /// Gives the load for which it has left its value.
    pub(crate) fn finish_load(&mut self, value: u64) {
        let run = self.fd.get_kvm_run();
        if run.exit_reason == KVM_EXIT_MMIO {
            // Eight bytes, of which KVM takes as many as the load has.
            run.__bindgen_anon_1.mmio.data = value.to_le_bytes();
        }
    }
}

impl Drop for Vcpu {
    fn drop(&mut self) {
        self.slot().detach();
    }
}
