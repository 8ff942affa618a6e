// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SCM's call MP_ASSIGN: memory changes hands between virtual machines.
//!
//! The secure side keeps for each stretch of memory which virtual machines own it: all of it is
//! HLOS's (Linux') at first. A call names stretches, who owns them now, and who shall with what
//! permissions; it is refused unless the present owners are those named. Here the other machines
//! are not there, and nothing is taken from the guest: what is kept is who owns what.

use super::{Args, Error, Function, Kind, Reply, Signature};
use crate::lock::Lock;
use crate::platform::Platform;

/// Assigns memory: stretches, present owners and new owners, each an address and a size in bytes,
/// and a zero.
pub const ASSIGN: Signature = Signature::new(
    Function::sip(0xc, 0x16),
    &[
        Kind::Read,
        Kind::Value,
        Kind::Read,
        Kind::Value,
        Kind::Read,
        Kind::Value,
        Kind::Value,
    ],
);

/// The virtual machine that Linux is.
pub const HLOS: u32 = 3;

/// Stretches that can belong to others than [`HLOS`] alone.
const MAX_STRETCHES: usize = 16;
/// Stretches, or owners, in one call.
const MAX_LISTED: usize = 8;
/// Bytes of a stretch in a list: address and size, 64 bits each.
const STRETCH: usize = 16;
/// Bytes of a present owner.
const OWNER: usize = 4;
/// Bytes of a new owner: number and permissions, 32 bits each, and a context that is not used.
const NEW_OWNER: usize = 24;
/// Memory is assigned by the page.
const PAGE: u64 = 0x1000;
/// Read 4, write 2, execute 1.
const PERMISSIONS: u32 = 7;

/// A stretch of memory and who owns it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Owned {
    base: u64,
    size: u64,
    /// One bit for each virtual machine.
    owners: u64,
}

/// Who owns which memory.
#[derive(Debug)]
pub struct Assignments(Lock<[Owned; MAX_STRETCHES]>);

impl Default for Assignments {
    fn default() -> Self {
        Assignments::new()
    }
}

impl Assignments {
    /// All is [`HLOS`]'s.
    pub const fn new() -> Self {
        const NONE: Owned = Owned {
            base: 0,
            size: 0,
            owners: 0,
        };
        Assignments(Lock::new([NONE; MAX_STRETCHES]))
    }

    /// [`ASSIGN`]. All stretches change hands, or none.
    ///
    /// # Errors
    /// INVALID_ADDRESS where a list or a stretch is not guest memory; INVALID_ARGUMENT for
    /// malformed lists, for owners that are not the present ones, and for a part of what was
    /// assigned as a whole; NO_MEMORY for too many stretches.
    pub fn assign(&self, platform: &mut dyn Platform, args: &Args) -> Reply {
        let mut list = [0; MAX_LISTED * NEW_OWNER];
        let present =
            owners(read(platform, args[2], args[3], OWNER, &mut list)?.chunks_exact(OWNER))?;
        let new = read(platform, args[4], args[5], NEW_OWNER, &mut list)?;
        if new
            .chunks_exact(NEW_OWNER)
            .any(|new| !(1..=PERMISSIONS).contains(&u32_at(new, 4)))
        {
            return Err(Error::InvalidArgument);
        }
        let new = owners(new.chunks_exact(NEW_OWNER))?;
        let stretches = read(platform, args[0], args[1], STRETCH, &mut list)?.chunks_exact(STRETCH);
        for stretch in stretches.clone() {
            check(platform, u64_at(stretch, 0), u64_at(stretch, 8))?;
        }
        self.0.with(|owned| {
            let mut changed = *owned;
            for stretch in stretches {
                let (base, size) = (u64_at(stretch, 0), u64_at(stretch, 8));
                change(&mut changed, base, size, present, new)?;
            }
            *owned = changed;
            Ok([0; 3])
        })
    }

    /// Returns the owners of the stretch that was assigned with these bounds, one bit each.
    pub fn owners(&self, base: u64, size: u64) -> u64 {
        let is_it = |owned: &&Owned| (owned.base, owned.size) == (base, size);
        self.0.with(|owned| {
            owned
                .iter()
                .find(is_it)
                .map_or(1 << HLOS, |owned| owned.owners)
        })
    }
}

/// Gives one stretch to `new` if it is `present`'s.
fn change(owned: &mut [Owned], base: u64, size: u64, present: u64, new: u64) -> Result<(), Error> {
    let overlaps = |owned: &&mut Owned| owned.base < base + size && base < owned.base + owned.size;
    let default = 1 << HLOS;
    let found = owned.iter_mut().find(overlaps);
    let slot = match found {
        Some(found) if (found.base, found.size, found.owners) == (base, size, present) => found,
        None if present == default => owned
            .iter_mut()
            .find(|owned| owned.size == 0)
            .ok_or(Error::NoMemory)?,
        _ => return Err(Error::InvalidArgument),
    };
    *slot = if new == default {
        Owned::default()
    } else {
        Owned {
            base,
            size,
            owners: new,
        }
    };
    Ok(())
}

/// Copies a list of items of `item` bytes out of guest memory.
fn read<'a>(
    platform: &mut dyn Platform,
    address: u64,
    size: u64,
    item: usize,
    to: &'a mut [u8],
) -> Result<&'a [u8], Error> {
    let size = usize::try_from(size).map_err(|_| Error::InvalidArgument)?;
    if size == 0 || size > MAX_LISTED * item || !size.is_multiple_of(item) {
        return Err(Error::InvalidArgument);
    }
    let to = to.get_mut(..size).ok_or(Error::InvalidArgument)?;
    platform
        .read_memory(address, to)
        .map_err(|_| Error::InvalidAddress)?;
    Ok(to)
}

/// Makes bits of owners, whose number is the first word of each item.
fn owners<'a>(items: impl Iterator<Item = &'a [u8]>) -> Result<u64, Error> {
    let mut bits = 0;
    for item in items {
        let bit = 1_u64
            .checked_shl(u32_at(item, 0))
            .ok_or(Error::InvalidArgument)?;
        bits |= bit;
    }
    Ok(bits)
}

/// Checks that a stretch is whole pages of guest memory, as far as its two ends tell.
fn check(platform: &mut dyn Platform, base: u64, size: u64) -> Result<(), Error> {
    if size == 0 || !base.is_multiple_of(PAGE) || !size.is_multiple_of(PAGE) {
        return Err(Error::InvalidArgument);
    }
    let last = base.checked_add(size - 1).ok_or(Error::InvalidAddress)?;
    if last == u64::MAX {
        return Err(Error::InvalidAddress);
    }
    for end in [base, last] {
        platform
            .read_memory(end, &mut [0])
            .map_err(|_| Error::InvalidAddress)?;
    }
    Ok(())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests;
