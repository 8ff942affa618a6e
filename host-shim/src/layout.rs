// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where the pieces of a monitor VM lie: in stage 1, as the payload sees them, and in stage 2.
//!
//! Stage 1 is this library's own. Its pages have 4 KiB, and its addresses are those of the ABI, on every
//! host. Stage 2 is KVM's. Its pages are the host's, which may have 16 or 64 KiB, and each of them is
//! memory as a whole or not, writable as a whole or not. So no two pieces share one: each begins a page
//! of the host's.
//!
//! The pieces lie one after the other in the last [`WINDOW`] bytes that stage 2 has. The guest's own
//! addresses, which are the same in both stages, end below that and below the window of stage 1.

use fakemon_abi::layout::MONITOR_BASE;

use crate::tables::PAGE;

pub(crate) mod blob;

/// Bytes of a monitor's stage 2 that are its own.
pub(crate) const WINDOW: u64 = 1 << 30;

/// What a host has to say about the stage 2 of its VMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stage2 {
    /// Bytes of a page.
    pub(crate) page: u64,
    /// Bits of an address, at least 32.
    pub(crate) bits: u32,
}

impl Stage2 {
    /// Where the monitor's own window begins.
    pub(crate) fn window(self) -> u64 {
        (1 << self.bits) - WINDOW
    }

    /// Where the guest's addresses end: what is below means the same in both stages, and is no monitor's.
    pub(crate) fn guest_end(self) -> u64 {
        self.window().min(MONITOR_BASE)
    }
}

/// What is in a piece, as far as stage 2 goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backing {
    /// Nothing: every access exits.
    Hole,
    /// Memory that the VM cannot write, even without its MMU.
    ReadOnly,
    /// Memory.
    Memory,
}

/// A stretch of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Its first address in stage 1, or what stands for that where stage 1 does not map it.
    pub(crate) address: u64,
    /// Its first address in stage 2.
    pub(crate) physical: u64,
    /// Bytes, a multiple of [`PAGE`].
    pub(crate) size: u64,
    pub(crate) backing: Backing,
}

/// All pieces of a monitor VM.
#[derive(Debug)]
pub(crate) struct Layout {
    stage_2: Stage2,
    /// In the order of stage 2.
    pieces: Vec<Piece>,
    end: u64,
}

impl Layout {
    /// Without a piece.
    pub(crate) fn new(stage_2: Stage2) -> Self {
        Layout {
            stage_2,
            pieces: Vec::new(),
            end: stage_2.window(),
        }
    }

    /// Finds a place in stage 2 for `size` bytes that are at `address` in stage 1.
    pub(crate) fn add(&mut self, address: u64, size: u64, backing: Backing) {
        debug_assert!(address.is_multiple_of(PAGE) && size.is_multiple_of(PAGE));
        self.pieces.push(Piece {
            address,
            physical: self.end,
            size,
            backing,
        });
        self.end += self.room(size);
    }

    pub(crate) fn stage_2(&self) -> Stage2 {
        self.stage_2
    }

    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Where the next piece will lie in stage 2.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Bytes that a piece of `size` takes in stage 2.
    pub(crate) fn room(&self, size: u64) -> u64 {
        size.next_multiple_of(self.stage_2.page)
    }

    /// Where an address of a piece is in stage 2.
    pub(crate) fn physical(&self, address: u64) -> Option<u64> {
        let mut pieces = self.pieces.iter();
        pieces.find_map(|piece| {
            let offset = address.checked_sub(piece.address)?;
            (offset < piece.size).then_some(piece.physical + offset)
        })
    }

    /// What an address of stage 2 is to the payload, which has gone there: itself, where there is no
    /// piece.
    pub(crate) fn seen(&self, physical: u64) -> u64 {
        let mut pieces = self.pieces.iter();
        let found = pieces.find_map(|piece| {
            let offset = physical.checked_sub(piece.physical)?;
            (offset < piece.size).then_some(piece.address + offset)
        });
        found.unwrap_or(physical)
    }
}

#[cfg(test)]
pub(crate) mod tests;
