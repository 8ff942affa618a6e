// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A call from what a payload asks first until it is over, or until somebody else has something to do.

use fakemon_host::{Lane, PowerEvent, Reply, Request, Start, Step};
use kvm_bindings::{
    KVM_MP_STATE_RUNNABLE, KVM_SYSTEM_EVENT_RESET, KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2,
    KVM_SYSTEM_EVENT_SHUTDOWN, KVM_SYSTEM_EVENT_SUSPEND,
};

use super::bus::{self, Done};
use super::{Failure, Next};
use crate::answers::{Answer, answer};
use crate::page::Access;
use crate::say;
use crate::vm::vcpu::Vcpu;

/// Does what a payload asks, until the call is over or somebody else has something to do.
pub(super) fn go_on(vcpu: &Vcpu, lane: &mut Lane, mut step: Step) -> Result<Next, Failure> {
    let mut next = Next::Run;
    loop {
        step = match step {
            Step::Run | Step::Left => break,
            // First the call, then what it was interrupted for.
            Step::Interrupted => {
                next = Next::Interrupted;
                lane.resume()?
            }
            Step::Fault(fault) => {
                say!("{fault}");
                break;
            }
            Step::Ask(ref request) if let Some(access) = access(request) => {
                match bus::access(vcpu, &access, true) {
                    Some(Done::Value(value)) => lane.answer(Reply::value(value))?,
                    Some(Done::Event(kind)) => {
                        lane.abandon()?;
                        return bus::event(vcpu, kind);
                    }
                    None => {
                        vcpu.page.tell_access(&access);
                        return Ok(Next::Exit);
                    }
                }
            }
            // It waits in KVM_RUN (`before_run`).
            Step::Ask(Request::WaitForInterrupt) => return Ok(next),
            Step::Ask(Request::Power(PowerEvent::SystemSuspend { .. })) if !vcpu.vm.suspends() => {
                return Ok(next);
            }
            Step::Ask(Request::Power(event)) => return power(vcpu, lane, event),
            Step::Ask(request) => match answer(vcpu, &request) {
                Answer::Now(reply) => lane.answer(reply)?,
                Answer::Again => return again(vcpu, lane),
            },
            other => {
                return Err(format!("the library wants something unknown: {other:?}").into());
            }
        };
    }
    trace(vcpu, lane);
    Ok(next)
}

/// The access to the bus that a payload asks for, if it does.
fn access(request: &Request) -> Option<Access> {
    match *request {
        Request::Read { address, size } => Some(Access {
            address,
            size,
            write: None,
        }),
        Request::Write {
            address,
            size,
            value,
        } => Some(Access {
            address,
            size,
            write: Some(value),
        }),
        _ => None,
    }
}

/// An interrupt is pending for a vCPU that has waited for one.
pub(super) fn woken(vcpu: &Vcpu, lane: &mut Lane) -> Result<Next, Failure> {
    vcpu.set_mp_state(KVM_MP_STATE_RUNNABLE)?;
    match lane.request().cloned() {
        Some(Request::Power(event)) => power(vcpu, lane, event),
        Some(_) => {
            let step = lane.answer(Reply::ok())?;
            go_on(vcpu, lane, step)
        }
        None => Ok(Next::Run),
    }
}

/// Has the guest make its call again, and the VMM look what it wants.
pub(super) fn again(vcpu: &Vcpu, lane: &mut Lane) -> Result<Next, Failure> {
    lane.abandon()?;
    vcpu.rewind()?;
    Ok(Next::Interrupted)
}

/// Ends a call that does not return to the guest, as it says.
fn power(vcpu: &Vcpu, lane: &mut Lane, event: PowerEvent) -> Result<Next, Failure> {
    let Step::Left = lane.answer(Reply::ok())? else {
        return Err("a call has not ended".into());
    };
    trace(vcpu, lane);
    let off = |kind, flags| {
        vcpu.stop()?;
        vcpu.page.tell_system_event(kind, flags);
        Ok(Next::Exit)
    };
    match event {
        PowerEvent::CpuOff => {
            vcpu.vm.forget_timers(vcpu.id);
            vcpu.stop()?;
            Ok(Next::Run)
        }
        PowerEvent::SystemOff => off(KVM_SYSTEM_EVENT_SHUTDOWN, 0),
        PowerEvent::SystemReset { kind: 0, .. } => off(KVM_SYSTEM_EVENT_RESET, 0),
        PowerEvent::SystemReset { .. } => off(
            KVM_SYSTEM_EVENT_RESET,
            KVM_SYSTEM_EVENT_RESET_FLAG_PSCI_RESET2.into(),
        ),
        PowerEvent::SystemSuspend { entry, context } if vcpu.vm.suspends() => {
            // Where KVM leaves them for its own PSCI.
            let registers = vcpu.registers();
            registers.set(fakemon_host::regs::x(1), entry)?;
            registers.set(fakemon_host::regs::x(2), context)?;
            vcpu.page.tell_system_event(KVM_SYSTEM_EVENT_SUSPEND, 0);
            Ok(Next::Exit)
        }
        PowerEvent::CpuResume { entry, context } | PowerEvent::SystemSuspend { entry, context } => {
            vcpu.wake_up(Start { entry, context })?;
            Ok(Next::Run)
        }
        other => Err(format!("the blob wants something unknown: {other:?}").into()),
    }
}

fn trace(vcpu: &Vcpu, lane: &mut Lane) {
    if let Some(trace) = &vcpu.vm.settings.trace {
        lane.drain_log(|call| trace.call(vcpu.id, call));
    }
}
