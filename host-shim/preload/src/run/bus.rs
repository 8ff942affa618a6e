// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Accesses to the bus: those to the board's own pages are carried out here, all others by the VMM.

use fakemon_devices::Effect;
use kvm_bindings::{KVM_SYSTEM_EVENT_RESET, KVM_SYSTEM_EVENT_SHUTDOWN};

use super::{Failure, Next, is_interruption};
use crate::kvm;
use crate::page::{Access, Return};
use crate::vm::vcpu::Vcpu;

/// What has become of an access.
pub(super) enum Done {
    /// It is over; the value is a load's.
    Value(u64),
    /// The machine is to do this, a system event of KVM's.
    Event(u32),
}

/// Carries an access out; [`None`] if it is the VMM's.
pub(super) fn access(vcpu: &Vcpu, access: &Access, secure: bool) -> Option<Done> {
    let pages = vcpu.vm.pages.as_ref()?;
    let Access { address, size, .. } = *access;
    match access.write {
        None => pages.read(address, size, secure).map(Done::Value),
        Some(value) => Some(match pages.write(address, size, value, secure)? {
            Effect::None => Done::Value(0),
            Effect::Off => Done::Event(KVM_SYSTEM_EVENT_SHUTDOWN),
            Effect::Reset => Done::Event(KVM_SYSTEM_EVENT_RESET),
        }),
    }
}

/// KVM_RUN has ended for an access of the guest's.
pub(super) fn exit(vcpu: &Vcpu) -> Result<Next, Failure> {
    let own = vcpu.page.access();
    match own.and_then(|own| access(vcpu, &own, false)) {
        None => Ok(Next::Exit),
        Some(Done::Value(value)) => {
            vcpu.page.answer_access(value);
            Ok(Next::Run)
        }
        Some(Done::Event(kind)) => {
            // The instruction is over before the VMM looks at the vCPU.
            vcpu.page.want_return(Return::Completing);
            let completed = kvm::run(&vcpu.fd);
            vcpu.page.take_back_return(Return::Completing);
            match completed {
                Err(error) if !is_interruption(&error) => Err(error.into()),
                _ => event(vcpu, kind),
            }
        }
    }
}

/// Tells the VMM what the machine is to do.
pub(super) fn event(vcpu: &Vcpu, kind: u32) -> Result<Next, Failure> {
    vcpu.stop()?;
    vcpu.page.tell_system_event(kind, 0);
    Ok(Next::Exit)
}
