// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the VMM gives for a call, and what it is to do next.

use kvm_bindings::{KVM_EXIT_HYPERCALL, KVM_HYPERCALL_EXIT_SMC, kvm_run};

use crate::fault::BlobFault;
use crate::request::Request;
use crate::width::Conduit;

/// KVM_HYPERCALL_EXIT_MONITOR of the patches in `host-shim/kernel`.
const EXIT_MONITOR: u64 = 1 << 2;

/// A guest's SMC or HVC, as KVM_EXIT_HYPERCALL reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trap {
    /// Function ID: w0 or r0.
    pub function: u32,
    /// The instruction.
    pub conduit: Conduit,
    /// KVM has sent the call to a monitor, which now needs user space.
    pub(crate) of_monitor: bool,
}

impl Trap {
    /// A call that the VMM knows of in another way.
    pub const fn new(function: u32, conduit: Conduit) -> Self {
        Trap {
            function,
            conduit,
            of_monitor: false,
        }
    }

    /// Takes `nr` and `flags` of `struct kvm_run.hypercall`.
    pub fn from_exit(nr: u64, flags: u64) -> Self {
        let smc = flags & u64::from(KVM_HYPERCALL_EXIT_SMC) != 0;
        Trap {
            function: nr as u32,
            conduit: if smc { Conduit::Smc } else { Conduit::Hvc },
            of_monitor: flags & EXIT_MONITOR != 0,
        }
    }

    /// The call for which KVM_RUN has just ended, if it has ended for one.
    pub fn of(run: &kvm_run) -> Option<Self> {
        if run.exit_reason != KVM_EXIT_HYPERCALL {
            return None;
        }
        // SAFETY: every arm of this union is made of integers, which any bytes are.
        let call = unsafe { &run.__bindgen_anon_1.hypercall };
        // SAFETY: as above.
        let flags = unsafe { call.__bindgen_anon_1.flags };
        Some(Trap::from_exit(call.nr, flags))
    }
}

/// What the VMM does next.
///
/// ```no_run
/// use fakemon_host::{Error, Lane, Reply, Request, Step, Trap};
///
/// /// Serves a call of the guest's vCPU, for a VMM that knows the time and nothing else.
/// fn serve(lane: &mut Lane, trap: Trap) -> Result<(), Error> {
///     let mut step = lane.trap(trap)?;
///     loop {
///         step = match step {
///             Step::Ask(Request::Time) => lane.answer(Reply::of_host(&Request::Time))?,
///             Step::Ask(_) => lane.answer(Reply::not_supported())?,
///             Step::Interrupted => lane.resume()?,
///             // The guest goes on.
///             _ => return Ok(()),
///         };
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "the step says what has to happen before the guest can go on"]
#[non_exhaustive]
pub enum Step {
    /// Run the guest's vCPU. The call is over, or, with the kernel engine, goes on by that
    /// ([`Lane::in_call`](crate::Lane::in_call) tells).
    Run,
    /// The payload asks for something, and its vCPU stands still until
    /// [`Lane::answer`](crate::Lane::answer): now, later, or from another thread.
    Ask(Request),
    /// A signal or a kick came: do what it was for, then [`Lane::resume`](crate::Lane::resume).
    Interrupted,
    /// The call is over without a return, because the VMM has said yes to a
    /// [`Request::Power`]: the guest's vCPU goes on as that says.
    Left,
    /// The payload failed, the guest has been answered NOT_SUPPORTED, and is to run
    /// ([`OnFault::NotSupported`](crate::OnFault::NotSupported)).
    Fault(Box<BlobFault>),
}
