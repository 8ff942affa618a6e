// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Entering a payload without a call, with the guest wherever it is.

use fakemon_host::Lane;

use crate::arguments::{self, Place};
use crate::error::{Failure, fakemon_error, guard};
use crate::lane::fakemon_lane;
use crate::step::fakemon_step;
use crate::world::fakemon_world;

/// Has a payload, counted from 0 in the order of the blobs, entered without a call on CPU number `cpu`, as
/// soon as that is not in a call: `fakemon_lane_is_due` says so from now on. Several of these that have not
/// been delivered are one. Get the vCPU out of KVM_RUN afterwards. A blob that has no place for such entries
/// is left alone.
///
/// # Errors
/// The world has no such CPU or payload.
///
/// # Safety
/// `world` comes from `fakemon_world_new` and is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_world_interrupt(
    world: *const fakemon_world,
    cpu: u32,
    payload: usize,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle.
        let fakemon_world(world) = unsafe { arguments::borrow(world, "world") }?;
        let (cpus, payloads) = (world.cpus(), world.payloads().count());
        if cpu >= cpus {
            let text = format!("cpu is {cpu}: the world was made for {cpus} CPUs");
            return Err(Failure::vmm(text));
        }
        if payload >= payloads {
            let text = format!("payload is {payload}: the world was made of {payloads} blobs");
            return Err(Failure::vmm(text));
        }
        world.interrupt(cpu, payload);
        Ok(())
    })
}

/// Tells whether a payload is to be entered without a call, and there is something to do for
/// `fakemon_lane_deliver` before the guest's vCPU runs on.
///
/// # Errors
/// None but null pointers.
///
/// # Safety
/// `lane` comes from `fakemon_lane_new`, is not freed, and no other thread uses it during this call.
/// `*is_due` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_lane_is_due(
    lane: *const fakemon_lane,
    is_due: *mut bool,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle, and nobody else's now.
        let lane = unsafe { arguments::borrow(lane, "lane") }?;
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(is_due, "is_due") }?;
        place.put(lane.lane.is_due());
        Ok(())
    })
}

/// Tells whether a payload is to be entered without a call, now or when the call in progress is over: then
/// a guest that waits for an interrupt (`FAKEMON_STEP_WAIT_FOR_INTERRUPT`) has waited long enough.
///
/// # Errors
/// None but null pointers.
///
/// # Safety
/// As for `fakemon_lane_is_due`, and `*is_raised` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_lane_is_raised(
    lane: *const fakemon_lane,
    is_raised: *mut bool,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle, and nobody else's now.
        let lane = unsafe { arguments::borrow(lane, "lane") }?;
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(is_raised, "is_raised") }?;
        place.put(lane.lane.is_raised());
        Ok(())
    })
}

/// Enters a payload that is due, with the guest where it is. `*step` is what to do next, as after
/// `fakemon_lane_trap`; without such a payload it is `FAKEMON_STEP_RUN`.
///
/// The guest's vCPU must have left KVM_RUN with nothing to complete: after an exit for an access to a
/// device, run it with `immediate_exit` set, which ends in EINTR.
///
/// # Errors
/// As for `fakemon_lane_trap`.
///
/// # Safety
/// As for `fakemon_lane_trap`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_lane_deliver(
    lane: *mut fakemon_lane,
    step: *mut fakemon_step,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle, and nobody else's now.
        let lane = unsafe { arguments::borrow_mut(lane, "lane") }?;
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(step, "step") }?;
        lane.step(place, Lane::deliver)
    })
}
