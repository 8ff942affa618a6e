// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's memory as a blob knows it: asked for when it is first needed, and again when the host
//! says that it has changed.
//!
//! Asking costs a trip to the host for each region, so the answers are kept. Each frame has a word
//! that counts the changes ([`Frame::memory`](fakemon_abi::frame::Frame::memory)); what is kept holds
//! while that word is the one with which it was asked for.

use fakemon_firmware::memory::Region;

/// The most regions of guest memory that a blob knows; further ones are out of its reach.
const MAX_REGIONS: usize = 16;

/// What the host has said of the guest's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Regions {
    /// The count of changes at which it was asked; [`None`] if it has not been.
    asked_at: Option<u64>,
    /// A place that is left over is a region of no bytes.
    regions: [Region; MAX_REGIONS],
}

impl Regions {
    /// Nothing is known yet.
    pub(crate) const UNKNOWN: Regions = Regions {
        asked_at: None,
        regions: [Region {
            base: 0,
            size: 0,
            writable: false,
        }; MAX_REGIONS],
    };

    /// Asks for the regions, from number 0 until there is none, if those that are known are not of
    /// this count of changes. Returns whether it has asked.
    ///
    /// `changes` has been read before this: memory that changes while somebody asks is then asked for
    /// again the next time.
    pub(crate) fn refresh(&mut self, changes: u64, ask: impl FnMut(u64) -> Option<Region>) -> bool {
        if self.asked_at == Some(changes) {
            return false;
        }
        *self = Regions {
            asked_at: Some(changes),
            ..Regions::UNKNOWN
        };
        for (place, region) in self.regions.iter_mut().zip((0..).map_while(ask)) {
            *place = region;
        }
        true
    }

    /// Those that are known.
    pub(crate) fn known(self) -> [Region; MAX_REGIONS] {
        self.regions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host with this many regions of a page each, which counts how often it is asked.
    fn ask(regions: u64, asked: &mut u64) -> impl FnMut(u64) -> Option<Region> + '_ {
        move |n| {
            *asked += 1;
            (n < regions).then_some(Region {
                base: n << 32,
                size: 0x1000,
                writable: true,
            })
        }
    }

    fn sizes(regions: &Regions) -> Vec<u64> {
        regions.known().map(|region| region.size).to_vec()
    }

    #[test]
    fn memory_is_asked_for_once_while_it_stays_the_same() {
        let (mut regions, mut asked) = (Regions::UNKNOWN, 0);
        // A count of 0 is one like any other.
        assert!(regions.refresh(0, ask(2, &mut asked)));
        assert_eq!(asked, 3, "two regions and the end");
        assert!(!regions.refresh(0, ask(2, &mut asked)));
        assert_eq!(asked, 3);
        assert_eq!(sizes(&regions)[..3], [0x1000, 0x1000, 0]);
    }

    #[test]
    fn memory_that_has_changed_is_asked_for_again_and_what_is_gone_is_forgotten() {
        let (mut regions, mut asked) = (Regions::UNKNOWN, 0);
        assert!(regions.refresh(7, ask(3, &mut asked)));
        assert!(regions.refresh(8, ask(1, &mut asked)));
        assert_eq!(sizes(&regions)[..3], [0x1000, 0, 0]);
        // A word that another CPU's frame has not counted up yet is another word.
        assert!(regions.refresh(7, ask(2, &mut asked)));
        assert_eq!(sizes(&regions)[..3], [0x1000, 0x1000, 0]);
    }

    #[test]
    fn regions_past_the_last_place_are_left_out() {
        let (mut regions, mut asked) = (Regions::UNKNOWN, 0);
        assert!(regions.refresh(1, ask(100, &mut asked)));
        assert_eq!(sizes(&regions), [0x1000; MAX_REGIONS]);
    }
}
