// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Gets a vCPU out of a payload, from another thread.

use std::sync::Arc;

use crate::kvm_run::Cause;
use crate::monitor::slot::Slot;

/// Interrupts the calls of a [`Lane`](crate::Lane), as setting `immediate_exit` does for the guest's
/// vCPU. It keeps nothing of the lane or its world alive.
///
/// ```no_run
/// use fakemon_host::KickHandle;
///
/// /// Gets a vCPU out of a call, and out of KVM_RUN, from any thread.
/// fn interrupt(handle: &KickHandle, vcpu_thread: libc::pthread_t, signal: i32) {
///     handle.kick();
///     // SAFETY: that thread is still there, and handles the signal.
///     unsafe { libc::pthread_kill(vcpu_thread, signal) };
/// }
/// ```
#[derive(Clone, Debug)]
pub struct KickHandle {
    /// Those of the vCPU's payloads.
    slots: Arc<[Arc<Slot>]>,
}

impl KickHandle {
    pub(crate) fn new(slots: Arc<[Arc<Slot>]>) -> Self {
        KickHandle { slots }
    }

    /// Makes a call in progress, or else the next one, return at its next entry into the payload; also
    /// the next one if that in progress fails or is abandoned. A payload that is running this very moment
    /// is interrupted by the signal that the VMM then sends to the vCPU's thread.
    pub fn kick(&self) {
        self.slots.iter().for_each(|slot| slot.kick(Cause::Kick));
    }
}
