// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A payload beside one of the guest's vCPUs, and who switches between the two.

use fakemon_abi::note::Range;

use crate::engine::binding::Binding;
use crate::error::Error;
use crate::guest::vcpu::Guest;
use crate::payload::blob::cpu::BlobCpu;
use crate::step::Trap;

/// Who switches between the guest and a payload.
#[derive(Debug)]
pub(super) enum Switch {
    /// This library, by KVM_RUN of the monitor's vCPU.
    Userspace,
    /// KVM, within KVM_RUN of the guest's.
    Kernel(Binding),
}

/// A payload's place beside one vCPU of the guest.
#[derive(Debug)]
pub(super) struct Seat {
    // First, so that KVM lets go of the vCPU before it is closed.
    pub(super) switch: Switch,
    pub(super) blob: BlobCpu,
}

impl Seat {
    /// Whether KVM has a call of this payload in progress.
    pub(super) fn is_in_kvm(&self) -> bool {
        match &self.switch {
            Switch::Kernel(binding) => binding.in_call(),
            Switch::Userspace => false,
        }
    }

    /// The range in which the payload claims a call.
    pub(super) fn claim(&self, trap: Trap) -> Option<Range> {
        self.blob.claim(trap.function, trap.conduit)
    }

    /// Has KVM forget the call that it has in progress.
    pub(super) fn give_up(&self) -> Result<(), Error> {
        match &self.switch {
            Switch::Userspace => Ok(()),
            Switch::Kernel(binding) => binding.give_up().map_err(|cause| Error::Kvm {
                what: "give up a call",
                cause,
            }),
        }
    }

    /// Abandons what the payload was doing, with all the EL1 state that it leaves, and parks it.
    pub(super) fn start_over(&mut self, guest: &Guest) -> Result<(), Error> {
        let slot = self.blob.vcpu.slot();
        // It runs no more, whatever of this fails.
        slot.end();
        slot.set_paused(false);
        self.give_up()?;
        self.blob.vcpu.complete_access();
        self.blob.start(guest)
    }
}
