// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Gets a vCPU out of a payload, from another thread.

use std::sync::Arc;

use crate::monitor::slot::Slot;

/// Interrupts the calls of a [`Lane`](crate::Lane), as setting `immediate_exit` does for the guest's
/// vCPU. It keeps nothing of the lane or its world alive.
#[derive(Clone, Debug)]
pub struct KickHandle {
    slots: Arc<[Slot]>,
    cpu: u32,
    cpus: u32,
}

impl KickHandle {
    pub(crate) fn new(slots: &Arc<[Slot]>, cpu: u32, cpus: u32) -> Self {
        KickHandle {
            slots: slots.clone(),
            cpu,
            cpus,
        }
    }

    /// Makes a call in progress, or else the next one, return at its next entry into the payload. A
    /// payload that is running this very moment is interrupted by the signal that the VMM then sends
    /// to the vCPU's thread.
    pub fn kick(&self) {
        let own = self.slots.iter().skip(self.cpu as usize);
        own.step_by(self.cpus as usize).for_each(Slot::kick);
    }
}
