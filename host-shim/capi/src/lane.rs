// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lanes, as handles: the calls of one of the guest's vCPUs.

use std::ffi::{CString, c_int};

use fakemon_host::{Error, KickHandle, Lane, Step, Trap, Width};

use crate::arguments::{self, Place};
use crate::error::{Failure, fakemon_error, guard};
use crate::step::{fakemon_reply, fakemon_step};
use crate::vcpu;
use crate::world::fakemon_world;

/// The secure half of one of the guest's vCPUs: carries its calls to the payloads and back. Any thread
/// may use it, one at a time.
#[derive(Debug)]
pub struct fakemon_lane {
    pub(crate) lane: Lane,
    /// What the last fault's step points to.
    message: CString,
}

/// Gets a vCPU out of a payload. Several threads may use one at the same time.
#[derive(Debug)]
pub struct fakemon_kick_handle(KickHandle);

impl fakemon_lane {
    /// Does something of the library's and puts the step that comes of it into `place`.
    pub(crate) fn step(
        &mut self,
        place: Place<fakemon_step>,
        go: impl FnOnce(&mut Lane) -> Result<Step, Error>,
    ) -> Result<(), Failure> {
        let step = match go(&mut self.lane)? {
            Step::Run => fakemon_step::Run,
            Step::Left => fakemon_step::Left,
            Step::Interrupted => fakemon_step::Interrupted,
            // The lane keeps what is asked until it is answered, and so the bytes of a text.
            Step::Ask(_) => self
                .lane
                .request()
                .map_or(fakemon_step::Other, fakemon_step::asking),
            Step::Fault(fault) => {
                let text = fault.to_string().replace('\0', "?");
                self.message = CString::new(text).unwrap_or_default();
                fakemon_step::fault(&self.message)
            }
            other => {
                let text = format!("fakemon.h has no step for {other:?}");
                return Err(Failure::new(fakemon_error::Internal, text));
            }
        };
        place.put(step);
        Ok(())
    }
}

/// Takes the lane of the guest's vCPU number `cpu`, counted from 0, whose EL1 is `width` wide, one of
/// `enum fakemon_width`. Take it once for each vCPU, after KVM_ARM_VCPU_INIT.
///
/// `*lane` is the caller's then, who ends it with `fakemon_lane_free`. It keeps the world's payloads
/// and the vCPU's file alive by itself.
///
/// # Errors
/// No payload serves such callers, `cpu` is out of range or taken, or KVM refuses.
///
/// # Safety
/// `world` comes from `fakemon_world_new` and is not freed, `vcpu_fd` is open during this call, and a
/// pointer can be written to `*lane`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_lane_new(
    world: *const fakemon_world,
    cpu: u32,
    vcpu_fd: c_int,
    width: u32,
    lane: *mut *mut fakemon_lane,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle.
        let world = unsafe { arguments::borrow(world, "world") }?;
        // SAFETY: the caller has promised that it is open.
        let vcpu = unsafe { arguments::file(vcpu_fd, "vcpu_fd") }?;
        let width: Width = vcpu::width(width)?;
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(lane, "lane") }?;
        let new = fakemon_lane {
            lane: world.0.lane(cpu, &vcpu, width)?,
            message: CString::default(),
        };
        place.put(Box::into_raw(Box::new(new)));
        Ok(())
    })
}

/// Begins to serve a call of the guest's vCPU, which has just exited with KVM_EXIT_HYPERCALL: `nr` and
/// `flags` are those of `struct kvm_run.hypercall` (`longmode` where the header of the kernel has no
/// `flags`). `*step` is what to do next.
///
/// A call that no payload claims is answered NOT_SUPPORTED, as KVM does by itself.
///
/// # Errors
/// The payload failed and the configuration is to stop then, the host could not carry the call out, or
/// another call is in progress. `*step` is not written.
///
/// # Safety
/// `lane` comes from `fakemon_lane_new`, is not freed, and no other thread uses it during this call.
/// `*step` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_lane_trap(
    lane: *mut fakemon_lane,
    nr: u64,
    flags: u64,
    step: *mut fakemon_step,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle, and nobody else's now.
        let lane = unsafe { arguments::borrow_mut(lane, "lane") }?;
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(step, "step") }?;
        lane.step(place, |lane| lane.trap(Trap::from_exit(nr, flags)))
    })
}

/// Answers what the payload has asked, and goes on with its call.
///
/// # Errors
/// As for `fakemon_lane_trap`; or it has not asked, which changes nothing.
///
/// # Safety
/// As for `fakemon_lane_trap`, and `*reply` can be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_lane_answer(
    lane: *mut fakemon_lane,
    reply: *const fakemon_reply,
    step: *mut fakemon_step,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle, and nobody else's now.
        let lane = unsafe { arguments::borrow_mut(lane, "lane") }?;
        // SAFETY: the caller has promised that it can be read.
        let reply = unsafe { arguments::borrow(reply, "reply") }?.into();
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(step, "step") }?;
        lane.step(place, |lane| lane.answer(reply))
    })
}

/// Goes on with a call that was left by a signal or a kick, which `FAKEMON_STEP_INTERRUPTED` has said.
///
/// # Errors
/// As for `fakemon_lane_trap`; or no call was left so, which changes nothing.
///
/// # Safety
/// As for `fakemon_lane_trap`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_lane_resume(
    lane: *mut fakemon_lane,
    step: *mut fakemon_step,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle, and nobody else's now.
        let lane = unsafe { arguments::borrow_mut(lane, "lane") }?;
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(step, "step") }?;
        lane.step(place, Lane::resume)
    })
}

/// Ends a call in progress, of which the guest has seen nothing yet, as if it had never been begun:
/// for a VMM that resets the guest's vCPU. After `fakemon_world_reset` it makes the payloads' vCPUs anew,
/// too. Otherwise, without a call, this does nothing.
///
/// # Errors
/// The host could not make the monitor's vCPU anew.
///
/// # Safety
/// `lane` comes from `fakemon_lane_new`, is not freed, and no other thread uses it during this call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_lane_abandon(lane: *mut fakemon_lane) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle, and nobody else's now.
        let lane = unsafe { arguments::borrow_mut(lane, "lane") }?;
        Ok(lane.lane.abandon()?)
    })
}

/// Tells whether a call is in progress: one that was left, one that waits for an answer, or, with the
/// kernel engine, one that goes on by nothing more than KVM_RUN of the guest's vCPU.
///
/// # Errors
/// None but null pointers.
///
/// # Safety
/// As for `fakemon_lane_abandon`, and `*in_call` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_lane_in_call(
    lane: *const fakemon_lane,
    in_call: *mut bool,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle, and nobody else's now.
        let lane = unsafe { arguments::borrow(lane, "lane") }?;
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(in_call, "in_call") }?;
        place.put(lane.lane.in_call());
        Ok(())
    })
}

/// Ends a lane, and the call that is in progress. NULL is no lane, and nothing happens.
///
/// # Safety
/// `lane` comes from `fakemon_lane_new`, and no thread uses it now or later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_lane_free(lane: *mut fakemon_lane) {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle and nobody's any more.
        unsafe { arguments::free(lane) };
        Ok(())
    });
}

/// Makes a handle with which any thread can get a lane's call to end in `FAKEMON_STEP_INTERRUPTED`.
///
/// `*handle` is the caller's then, who ends it with `fakemon_kick_handle_free`, before the lane or after.
///
/// # Errors
/// None but null pointers.
///
/// # Safety
/// As for `fakemon_lane_abandon`, and a pointer can be written to `*handle`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_kick_handle_new(
    lane: *const fakemon_lane,
    handle: *mut *mut fakemon_kick_handle,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle, and nobody else's now.
        let lane = unsafe { arguments::borrow(lane, "lane") }?;
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(handle, "handle") }?;
        let new = fakemon_kick_handle(lane.lane.kick_handle());
        place.put(Box::into_raw(Box::new(new)));
        Ok(())
    })
}

/// Makes a call in progress, or else the next one, return at its next entry into the payload. A
/// payload that is running this very moment is interrupted by the signal that the VMM then sends to
/// the vCPU's thread.
///
/// # Errors
/// None but null pointers.
///
/// # Safety
/// `handle` comes from `fakemon_kick_handle_new` and is not freed. The lane may be gone or in use.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_kick(handle: *const fakemon_kick_handle) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle.
        let handle = unsafe { arguments::borrow(handle, "handle") }?;
        handle.0.kick();
        Ok(())
    })
}

/// Ends a kick handle. NULL is none, and nothing happens.
///
/// # Safety
/// `handle` comes from `fakemon_kick_handle_new`, and no thread uses it now or later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_kick_handle_free(handle: *mut fakemon_kick_handle) {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle and nobody's any more.
        unsafe { arguments::free(handle) };
        Ok(())
    });
}
