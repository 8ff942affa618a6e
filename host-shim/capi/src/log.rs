// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls that are over, for a VMM with a trace.

use std::ffi::c_void;

use fakemon_host::abi::frame::REGS;
use fakemon_host::{CallRecord, Conduit};

use crate::arguments;
use crate::error::{Failure, fakemon_error, guard};
use crate::lane::fakemon_lane;

/// The instruction of a call.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fakemon_conduit {
    /// SMC.
    Smc = 0,
    /// HVC.
    Hvc = 1,
}

/// A call that is over.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_call {
    /// Function ID, as w0 or r0 held it.
    pub function: u32,
    /// How the guest called.
    pub conduit: fakemon_conduit,
    /// How many of `before` were read from the caller.
    pub inputs: usize,
    /// How many of `after` may have been given back.
    pub outputs: usize,
    /// x0 to x17 with which the blob was entered.
    pub before: [u64; 18],
    /// x0 to x17 with which the blob returned, as many as `outputs` says.
    pub after: [u64; 18],
    /// Whether the guest has gone on after the call, rather than off, elsewhere or not at all.
    pub returned: bool,
    /// When the call was made, in nanoseconds of CLOCK_MONOTONIC; 0 without a log.
    pub begin_ns: u64,
    /// When it was over, likewise.
    pub end_ns: u64,
}

const _: () = assert!(REGS == 18);

impl From<&CallRecord> for fakemon_call {
    fn from(call: &CallRecord) -> Self {
        fakemon_call {
            function: call.function,
            conduit: match call.conduit {
                Conduit::Smc => fakemon_conduit::Smc,
                Conduit::Hvc => fakemon_conduit::Hvc,
            },
            inputs: call.inputs,
            outputs: call.outputs,
            before: call.before,
            after: call.after,
            returned: call.returned,
            begin_ns: call.begin_ns,
            end_ns: call.end_ns,
        }
    }
}

/// Hands out the calls of a lane that are over and have not been handed out, from the oldest, to `each`,
/// with `context`.
///
/// Have a VMM with a trace do this after each call, and when the guest's vCPU has stopped for good. Calls
/// that KVM carries are here only if there is a log (`struct fakemon_config`); the userspace engine keeps
/// no more than the last one.
///
/// # Errors
/// None but null pointers; `context` may be null.
///
/// # Safety
/// `lane` comes from `fakemon_lane_new`, is not freed, and no other thread uses it during this call.
/// `each` can be called with `context` and a call that it may read until it returns; it returns, and does
/// nothing with the lane.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_lane_drain_log(
    lane: *mut fakemon_lane,
    each: Option<unsafe extern "C" fn(context: *mut c_void, call: *const fakemon_call)>,
    context: *mut c_void,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle, and nobody else's now.
        let lane = unsafe { arguments::borrow_mut(lane, "lane") }?;
        let each = each.ok_or_else(|| Failure::vmm("each is a null pointer"))?;
        lane.lane.drain_log(|call| {
            let call = call.into();
            // SAFETY: the caller has promised that it takes these.
            unsafe { each(context, &raw const call) };
        });
        Ok(())
    })
}
