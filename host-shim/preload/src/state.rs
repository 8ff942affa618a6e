// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a guest's firmware remembers, as words that a VMM can keep with the guest's registers.
//!
//! There are as many words as the blobs' data could need, but for a blob with much of it: it has room for
//! many CPUs, most of which a guest does not have, and what nobody has written is zero. So runs of zeros
//! are left out, and a blob that has written more than there is room for cannot be saved.

use std::ops::Range;

/// The most words for data.
const MOST_DATA: usize = 4096;
/// The most times that something is due at.
const MOST_TIMES: usize = 64;
/// The words before those times: the number of words that are used, which files it is of, the clock, and how
/// many times there are.
const HEAD: usize = 4;

/// A place with a timer: a CPU and a payload, whose numbers have 32 bits here.
pub(crate) type Place = (u32, usize);
/// The watchdog among them: no CPU and no payload has these numbers.
pub(crate) const WATCHDOG: Place = (u32::MAX, u32::MAX as usize);

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The payloads' clock.
    pub(crate) now: u64,
    /// What is due when, by that clock.
    pub(crate) pending: Vec<(Place, u64)>,
    /// The payloads' data, one after the other.
    pub(crate) data: Vec<u64>,
}

/// Why words are not the state of a guest's firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// There was more to save than there is room for.
    TooMuch,
    /// Other blobs have saved it.
    Others,
    /// They make no sense.
    Damaged,
}

/// How many words there are for this many words of data.
pub(crate) fn room(data: usize) -> usize {
    // The first run has a head; a further one's is no longer than the zeros before it.
    HEAD + 2 * MOST_TIMES + (data + 1).min(MOST_DATA)
}

impl State {
    /// The words of what blobs with this digest remember, as many as there is room for.
    pub(crate) fn to_words(&self, digest: u64) -> Vec<u64> {
        let mut words = vec![0, digest, self.now, self.pending.len() as u64];
        for &((cpu, payload), time) in &self.pending {
            words.extend([u64::from(cpu) | (payload as u64) << 32, time]);
        }
        for run in runs(&self.data) {
            words.push(run.start as u64 | (run.len() as u64) << 32);
            words.extend(&self.data[run]);
        }
        let room = room(self.data.len());
        words[0] = words.len() as u64;
        if words.len() > room || self.pending.len() > MOST_TIMES {
            words = vec![u64::MAX, digest];
        }
        words.resize(room, 0);
        words
    }

    /// What blobs with this digest, and this many words of data, remember by these words.
    pub(crate) fn of_words(words: &[u64], digest: u64, data: usize) -> Result<State, Bad> {
        let [used, of, now, times, rest @ ..] = words else {
            return Err(Bad::Damaged);
        };
        if *of != digest {
            return Err(Bad::Others);
        }
        if *used == u64::MAX {
            return Err(Bad::TooMuch);
        }
        let rest = (*used as usize)
            .checked_sub(HEAD)
            .and_then(|used| rest.get(..used));
        let times = (*times as usize).checked_mul(2);
        let (times, mut runs) = rest
            .zip(times)
            .and_then(|(rest, times)| rest.split_at_checked(times))
            .ok_or(Bad::Damaged)?;
        let pairs = times.chunks_exact(2);
        let place = |word: u64| (word as u32, (word >> 32) as usize);
        let mut state = State {
            now: *now,
            pending: pairs.map(|pair| (place(pair[0]), pair[1])).collect(),
            data: vec![0; data],
        };
        while let [head, rest @ ..] = runs {
            let (start, length) = (*head as u32 as usize, (*head >> 32) as usize);
            let to = state
                .data
                .get_mut(start..)
                .and_then(|to| to.get_mut(..length));
            let (to, from) = to.zip(rest.get(..length)).ok_or(Bad::Damaged)?;
            to.copy_from_slice(from);
            runs = &rest[length..];
        }
        Ok(state)
    }
}

/// Where there is something, apart by two zeros or more: one costs no more than another run's head.
fn runs(data: &[u64]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (n, _) in data.iter().enumerate().filter(|(_, word)| **word != 0) {
        match runs.last_mut() {
            Some(run) if n - run.end < 2 => run.end = n + 1,
            _ => runs.push(n..n + 1),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: u64 = 0x1234;

    fn there_and_back(state: &State) -> Result<State, Bad> {
        let words = state.to_words(DIGEST);
        assert_eq!(words.len(), room(state.data.len()));
        State::of_words(&words, DIGEST, state.data.len())
    }

    #[test]
    fn what_is_mostly_zero_fits_however_large_it_is() {
        let mut data = vec![0; 1 << 17];
        data[5] = 1;
        data[1 << 16] = 2;
        let state = State {
            now: 7,
            pending: vec![((1, 2), 3), (WATCHDOG, 4)],
            data,
        };
        assert_eq!(there_and_back(&state), Ok(state));
    }

    #[test]
    fn what_does_not_fit_is_told_apart() {
        // Room that no times have taken is the data's.
        let much = State {
            data: vec![1; MOST_DATA + 2 * MOST_TIMES],
            ..State::default()
        };
        assert_eq!(there_and_back(&much), Err(Bad::TooMuch));
        let times = State {
            pending: vec![((0, 0), 1); MOST_TIMES + 1],
            ..State::default()
        };
        assert_eq!(there_and_back(&times), Err(Bad::TooMuch));
        let words = State::default().to_words(DIGEST);
        assert_eq!(State::of_words(&words, DIGEST + 1, 0), Err(Bad::Others));
        // Registers that nobody has set.
        assert_eq!(State::of_words(&[0; HEAD], 0, 0), Err(Bad::Damaged));
    }

    proptest! {
        #[test]
        fn small_data_always_fits(
            data in prop::collection::vec(prop_oneof![Just(0), any::<u64>()], 0..300),
            pending in prop::collection::vec(((any::<u32>(), 0..9_usize), any::<u64>()), 0..MOST_TIMES),
            now: u64,
        ) {
            let state = State { now, pending, data };
            prop_assert_eq!(there_and_back(&state), Ok(state));
        }

        #[test]
        fn whatever_the_words_are_it_is_told(
            words in prop::collection::vec(prop_oneof![0..20_u64, any::<u64>(), Just(3 << 32)], 0..40),
            data in 0..20_usize,
        ) {
            let digest = words.get(1).copied().unwrap_or(0);
            if let Ok(state) = State::of_words(&words, digest, data) {
                prop_assert_eq!(state.data.len(), data);
            }
        }
    }
}
