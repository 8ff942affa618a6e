// SPDX-License-Identifier: Apache-2.0 OR MIT
//! KVM_RUN, within which firmware calls are served (`run/calls.rs`), and accesses to the board's pages
//! (`run/bus.rs`).
//!
//! Where a call stands that is not over is the lane's to know: what it has asked and not been answered.
//! An access to the bus is with the VMM, which has been shown an exit for it; a payload that waits for an
//! interrupt, or a guest that is suspended, has its vCPU in KVM_RUN, suspended.

use std::error::Error;
use std::io;

use fakemon_host::{Conduit, Lane, Policy, Reply, Request, World, inject_undefined};
use kvm_bindings::{
    KVM_EXIT_HYPERCALL, KVM_EXIT_MMIO, KVM_EXIT_SYSTEM_EVENT, KVM_MP_STATE_RUNNABLE,
    KVM_MP_STATE_SUSPENDED, KVM_SYSTEM_EVENT_RESET, KVM_SYSTEM_EVENT_WAKEUP,
};
use libc::c_int;

use self::calls::{again, go_on, woken};
use crate::page::Return;
use crate::vm::vcpu::{Serving, Vcpu};
use crate::{errno, kvm, patch, say, signals};

mod bus;
mod calls;

/// What comes next.
enum Next {
    /// KVM_RUN.
    Run,
    /// The VMM, with the exit that `kvm_run` tells of.
    Exit,
    /// The VMM, which has been interrupted.
    Interrupted,
}

/// Why a guest cannot go on: an error of the library's, of the host's, or a text.
type Failure = Box<dyn Error>;

/// The VMM's KVM_RUN.
pub(crate) fn run(vcpu: &Vcpu) -> io::Result<c_int> {
    let mut serving = vcpu.serving();
    let thread = signals::this_thread();
    vcpu.enter(thread);
    let result = prepare(vcpu, thread, &mut serving).and_then(|()| serve(vcpu, &mut serving));
    vcpu.leave();
    // The VMM may look at the vCPU now: it is to see all of a start or nothing of it.
    let result = result.and_then(|result| Ok(vcpu.apply_start().map(|()| result)?));
    let why = match result {
        Ok(result) => return result,
        Err(why) => why,
    };
    say!("CPU {} cannot go on: {why}", vcpu.id);
    vcpu.page.tell_internal_error();
    Ok(0)
}

/// Makes sure that this vCPU is served.
fn prepare(vcpu: &Vcpu, thread: c_int, serving: &mut Serving) -> Result<(), Failure> {
    if serving.thread != thread {
        let signal = vcpu.vm.settings.config.kick_signal;
        signals::let_through(signal)?;
        serving.thread = thread;
    }
    vcpu.vm.note_run()?;
    if !serving.is_ready {
        vcpu.note_mpidr();
        vcpu.vm.add_pages()?;
        serving.lane = match vcpu.vm.serve()? {
            Some(world) => Some(lane(vcpu, &world)?),
            None => None,
        };
        serving.is_ready = true;
    }
    if vcpu.vm.takes_device_tree(vcpu) {
        patch::device_tree(vcpu);
    }
    Ok(())
}

/// The vCPU's lane.
fn lane(vcpu: &Vcpu, world: &World) -> Result<Lane, Failure> {
    let (cpus, id) = (world.cpus(), vcpu.id);
    if id >= cpus {
        let why = format!(
            "it came when the guest was running, and there is room for {cpus} CPUs: give \
             --max-cpus {} or more",
            id + 1
        );
        return Err(why.into());
    }
    Ok(world.lane(id, &vcpu.fd, vcpu.width())?)
}

/// Runs the vCPU until there is something for the VMM.
fn serve(vcpu: &Vcpu, serving: &mut Serving) -> Result<io::Result<c_int>, Failure> {
    let mut is_interrupted = false;
    loop {
        vcpu.apply_start()?;
        if vcpu.vm.takes_reset() {
            vcpu.page.tell_system_event(KVM_SYSTEM_EVENT_RESET, 0);
            return Ok(Ok(0));
        }
        let mut next = match &mut serving.lane {
            Some(lane) => before_run(vcpu, lane)?,
            None => Next::Run,
        };
        if matches!(next, Next::Run) {
            next = match kvm::run(&vcpu.fd) {
                Ok(_) => exit(vcpu, serving.lane.as_mut())?,
                Err(error) if is_interruption(&error) => {
                    vcpu.page.take_back_return(Return::Kicked);
                    if serving.lane.is_none() {
                        return Ok(Err(error));
                    }
                    Next::Interrupted
                }
                Err(error) => return Ok(Err(error)),
            };
        }
        if let (Next::Interrupted, Some(lane)) = (&next, &mut serving.lane) {
            next = interrupted(vcpu, lane)?;
        }
        is_interrupted |= matches!(next, Next::Interrupted);
        match next {
            Next::Exit => return Ok(Ok(0)),
            // First the call that KVM carries.
            _ if is_interrupted && ends_here(vcpu, serving)? => {}
            _ if is_interrupted => {
                vcpu.page.tell_interrupted();
                return Ok(errno::error(libc::EINTR));
            }
            _ => {}
        }
    }
}

/// Has the call in progress that KVM carries by itself end here, if there is one, and tells so.
fn ends_here(vcpu: &Vcpu, serving: &mut Serving) -> Result<bool, Failure> {
    let lane = serving.lane.as_mut();
    let Some(lane) = lane.filter(|lane| lane.in_call() && lane.request().is_none()) else {
        return Ok(false);
    };
    // What this is for the VMM learns when the call is over.
    vcpu.page.forget_returns();
    let _run = lane.deliver()?;
    Ok(true)
}

fn is_interruption(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN))
}

/// What there is to do before the vCPU runs.
fn before_run(vcpu: &Vcpu, lane: &mut Lane) -> Result<Next, Failure> {
    match lane.request() {
        // The VMM has carried the access out.
        Some(Request::Read { .. } | Request::Write { .. }) => {
            let step = lane.answer(Reply::value(vcpu.page.access_value()))?;
            go_on(vcpu, lane, step)
        }
        Some(Request::WaitForInterrupt) if lane.is_raised() => woken(vcpu, lane),
        Some(_) => {
            // Again each time: a VMM that writes its state back takes it for one that runs.
            vcpu.set_mp_state(KVM_MP_STATE_SUSPENDED)?;
            Ok(Next::Run)
        }
        // Who has asked for an entry may have found this CPU on just before it went off.
        None if lane.is_due() && vcpu.vm.cpus.is_on(vcpu.number) => deliver(vcpu, lane),
        None => Ok(Next::Run),
    }
}

/// Enters a payload without a call, when what the vCPU has exited for is complete.
fn deliver(vcpu: &Vcpu, lane: &mut Lane) -> Result<Next, Failure> {
    vcpu.page.want_return(Return::Completing);
    let completed = kvm::run(&vcpu.fd);
    vcpu.page.take_back_return(Return::Completing);
    match completed {
        Err(error) if is_interruption(&error) => {
            let step = lane.deliver()?;
            go_on(vcpu, lane, step)
        }
        Err(error) => Err(error.into()),
        Ok(_) => exit(vcpu, Some(lane)),
    }
}

/// KVM_RUN has ended well: is it for us or for the VMM?
fn exit(vcpu: &Vcpu, lane: Option<&mut Lane>) -> Result<Next, Failure> {
    match (vcpu.page.exit_reason(), lane) {
        (KVM_EXIT_MMIO, _) => bus::exit(vcpu),
        (KVM_EXIT_HYPERCALL, _) if vcpu.vm.settings.policy == Policy::Undef => {
            inject_undefined(&vcpu.fd, vcpu.width())?;
            Ok(Next::Run)
        }
        (KVM_EXIT_HYPERCALL, Some(lane)) => {
            let Some(trap) = vcpu.page.trap() else {
                return Ok(Next::Exit);
            };
            // KVM forgets that it was to step over an SMC when it has user space answer that.
            let is_step = vcpu.is_stepping() && trap.conduit == Conduit::Smc;
            let step = lane.trap(trap)?;
            let next = go_on(vcpu, lane, step)?;
            let is_over = matches!(next, Next::Run) && !lane.in_call();
            if is_step && is_over && vcpu.vm.cpus.is_on(vcpu.number) {
                vcpu.page.tell_step();
                return Ok(Next::Exit);
            }
            Ok(next)
        }
        (KVM_EXIT_SYSTEM_EVENT, Some(lane)) if lane.request().is_some() => {
            match vcpu.page.system_event() {
                Some(KVM_SYSTEM_EVENT_WAKEUP) => woken(vcpu, lane),
                _ => Ok(Next::Exit),
            }
        }
        _ => Ok(Next::Exit),
    }
}

/// KVM_RUN was interrupted, or the payload, which the VMM is to hear of with no call half done: it may be
/// about to save the vCPU's state.
fn interrupted(vcpu: &Vcpu, lane: &mut Lane) -> Result<Next, Failure> {
    let next = match lane.request() {
        // A payload that waits may be woken for nothing.
        Some(Request::WaitForInterrupt) => woken(vcpu, lane)?,
        // A guest that is suspended asks for it again.
        Some(Request::Power(_)) => {
            vcpu.set_mp_state(KVM_MP_STATE_RUNNABLE)?;
            again(vcpu, lane)?
        }
        _ => Next::Interrupted,
    };
    Ok(match next {
        Next::Run => Next::Interrupted,
        other => other,
    })
}
