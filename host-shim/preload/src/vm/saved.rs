// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the guest's firmware remembers, for a VMM that saves its guest: words that `registers.rs` shows it
//! as registers of the guest's first CPU.
//!
//! VMMs read and write registers at many times, also while other CPUs run, and write what they have read a
//! moment ago. So what is written counts for nothing while the guest runs, nor if it is what was read;
//! otherwise the payloads remember it when the guest runs for the first time after that.

use std::error::Error;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};

use super::{Vm, lock};
use crate::state::{self, Bad, State};

/// The words.
#[derive(Debug, Default)]
pub(super) struct Saved {
    /// As they were when the first one was read last, and written since.
    words: Vec<u64>,
    /// The VMM has written something else than it has read.
    is_changed: bool,
}

impl Vm {
    /// How many words there are.
    pub(crate) fn saved_words(&self) -> usize {
        match self.settings.serves() {
            true => state::room(self.data_words()),
            false => 0,
        }
    }

    /// A word. All are read anew when the first one is.
    pub(crate) fn saved_word(&self, n: usize) -> Option<u64> {
        let mut saved = lock(&self.saved);
        if !saved.is_changed && (n == 0 || saved.words.is_empty()) {
            saved.words = self.state().to_words(self.settings.digest);
        }
        saved.words.get(n).copied()
    }

    /// Takes a word, if the guest is not running.
    pub(crate) fn restore_word(&self, n: usize, word: u64) -> Option<()> {
        let mut saved = lock(&self.saved);
        if saved.words.is_empty() {
            saved.words = self.state().to_words(self.settings.digest);
        }
        let own = saved.words.get_mut(n)?;
        if *own != word && !self.has_run.load(Ordering::SeqCst) {
            *own = word;
            saved.is_changed = true;
        }
        Some(())
    }

    /// The guest is reset: what was to be restored is not for its next life.
    pub(super) fn forget_saved(&self) {
        *lock(&self.saved) = Saved::default();
    }

    /// A vCPU is about to run.
    pub(crate) fn note_run(self: &Arc<Self>) -> Result<(), Box<dyn Error>> {
        // Others read this all the time, and it changes once in a life.
        if self.has_run.load(Ordering::SeqCst) {
            return Ok(());
        }
        let mut saved = lock(&self.saved);
        if !self.has_run.load(Ordering::SeqCst) {
            self.restore(&mut saved)?;
            self.has_run.store(true, Ordering::SeqCst);
        }
        Ok(())
    }

    fn restore(self: &Arc<Self>, saved: &mut MutexGuard<'_, Saved>) -> Result<(), Box<dyn Error>> {
        if !saved.is_changed {
            return Ok(());
        }
        let data = self.data_words();
        let state = State::of_words(&saved.words, self.settings.digest, data).map_err(why)?;
        let Some(world) = self.serve()? else {
            return Ok(());
        };
        let mut rest = state.data.as_slice();
        let mut all = Vec::new();
        for blob in &self.settings.blobs {
            let (own, others) = rest.split_at(blob.data_size() / size_of::<u64>());
            all.push(own.iter().flat_map(|word| word.to_le_bytes()).collect());
            rest = others;
        }
        world.set_data(&all)?;
        self.set_clock(state.now);
        self.restore_alarms(&state.pending)?;
        // An entry that was due is made up for by one for no reason.
        for vcpu in self.vcpus() {
            if self.cpus.is_on(vcpu.number) {
                (0..all.len()).for_each(|payload| world.interrupt(vcpu.id, payload));
            }
        }
        **saved = Saved::default();
        Ok(())
    }

    fn state(&self) -> State {
        let data = match self.world() {
            Some(world) => world.data(),
            None => self.settings.blobs.iter().map(|blob| blob.data()).collect(),
        };
        // A blob's data is whole pages.
        let bytes = data.concat();
        let (words, _) = bytes.as_chunks();
        State {
            now: self.now(),
            pending: self.pending_alarms(),
            data: words.iter().map(|word| u64::from_le_bytes(*word)).collect(),
        }
    }

    fn data_words(&self) -> usize {
        let blobs = self.settings.blobs.iter();
        blobs.map(|blob| blob.data_size()).sum::<usize>() / size_of::<u64>()
    }
}

/// Why a guest cannot go on with what the VMM has restored.
fn why(bad: Bad) -> &'static str {
    match bad {
        Bad::TooMuch => "its blob remembered more than there was room for when it was saved",
        Bad::Others => "it was saved with another blob than this",
        Bad::Damaged => "what its blob remembered has been damaged, or restored in part",
    }
}
