// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The payloads of a world as a value, for a guest that is saved.

use super::World;
use crate::error::Error;
use crate::monitor::saved::SavedPiece;
use crate::payload::Payload;

/// What the payloads of a [world](World) have in their own memory. [`World::save`] makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedWorld {
    payloads: Vec<SavedPayload>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct SavedPayload {
    board: String,
    /// Its data is to be made anew after a hang.
    is_spoiled: bool,
    memory: Vec<SavedPiece>,
}

impl World {
    /// Saves what all payloads have in their own memory, with calls in progress or without. The guest's memory
    /// is the VMM's to save, and what is on each CPU is the [lanes'](crate::Lane::save): save all of these
    /// while no vCPU is in [`Lane::trap`](crate::Lane::trap) or the like.
    ///
    /// # Errors
    /// [`Error::Busy`] if a payload runs.
    pub fn save(&self) -> Result<SavedWorld, Error> {
        let save = |payload: &Payload| {
            if let Some(cpu) = payload.vm().running() {
                return Err(Error::Busy(cpu));
            }
            Ok(SavedPayload {
                board: payload.blob().board().to_owned(),
                is_spoiled: payload.is_spoiled(),
                memory: payload.vm().memory().save(),
            })
        };
        let payloads = self.payloads().map(save).collect::<Result<_, _>>()?;
        Ok(SavedWorld { payloads })
    }

    /// Makes the payloads what they were in another world, of the same blobs, as many CPUs and a host with pages
    /// of the same size, by this version of the library. Restore the [lanes](crate::Lane::restore) after
    /// this.
    ///
    /// # Errors
    /// [`Error::Snapshot`] if it was another world or another engine, [`Error::Busy`] if a vCPU is in a call.
    /// Nothing has been restored then.
    pub fn restore(&self, saved: &SavedWorld) -> Result<(), Error> {
        // The guest's memory may be elsewhere in the list, and the blob has to ask again.
        let regions = self.shared.ram.change();
        if saved.payloads.len() != self.payloads().count() {
            return Err(Error::Snapshot("it has other payloads"));
        }
        self.check_idle()?;
        for (payload, saved) in self.payloads().zip(&saved.payloads) {
            if payload.blob().board() != saved.board {
                return Err(Error::Snapshot("it has other payloads"));
            }
            if !payload.vm().memory().fits(&saved.memory) {
                return Err(Error::Snapshot(
                    "its blob is another one, or its host, its library, its engine or its number of CPUs",
                ));
            }
        }
        for (payload, saved) in self.payloads().zip(&saved.payloads) {
            payload.vm().memory().restore(&saved.memory);
            payload.set_spoiled(saved.is_spoiled);
        }
        self.announce(&regions);
        Ok(())
    }
}
