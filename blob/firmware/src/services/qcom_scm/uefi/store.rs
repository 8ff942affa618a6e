// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The variables: records one after the other in a fixed space, without gaps.

use super::status::{
    APPEND, BOOT, INVALID_PARAMETER, NON_VOLATILE, NOT_FOUND, OUT_OF_RESOURCES, RUNTIME,
    WRITE_PROTECTED, check_attributes,
};

/// Bytes of all records.
const SPACE: usize = 0x1000;
/// Bytes of a record's header: sizes of name and data (16 bits each), attributes, GUID.
const HEADER: usize = 24;
/// Bytes of a name with its end, and of data.
const MAX_PART: usize = 0x400;

/// All variables.
#[derive(Debug)]
pub(super) struct Store {
    records: [u8; SPACE],
    used: usize,
}

/// One variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Variable<'a> {
    /// UTF-16, with its end.
    pub(super) name: &'a [u8],
    pub(super) guid: [u8; 16],
    pub(super) attributes: u32,
    pub(super) data: &'a [u8],
}

impl Variable<'_> {
    fn size(&self) -> usize {
        HEADER + self.name.len() + self.data.len()
    }
}

impl Store {
    /// No variables.
    pub(super) const fn new() -> Self {
        Store {
            records: [0; SPACE],
            used: 0,
        }
    }

    /// Adds a variable of the firmware's own: volatile, not to be written.
    pub(super) const fn with(mut self, name: &str, guid: [u8; 16], data: &[u8]) -> Self {
        let name = name.as_bytes();
        let size = 2 * name.len() as u16 + 2;
        self = self.push(&size.to_le_bytes());
        self = self.push(&(data.len() as u16).to_le_bytes());
        self = self.push(&(BOOT | RUNTIME).to_le_bytes());
        self = self.push(&guid);
        let mut n = 0;
        while n < name.len() {
            self = self.push(&[name[n], 0]);
            n += 1;
        }
        self.push(&[0, 0]).push(data)
    }

    const fn push(mut self, bytes: &[u8]) -> Self {
        let mut n = 0;
        while n < bytes.len() {
            self.records[self.used] = bytes[n];
            self.used += 1;
            n += 1;
        }
        self
    }

    /// Looks a variable up.
    pub(super) fn find(&self, name: &[u8], guid: [u8; 16]) -> Result<Variable<'_>, u32> {
        self.locate(name, guid)
            .map(|(_, variable)| variable)
            .ok_or(NOT_FOUND)
    }

    /// Returns the variable after the one of this name; the first after the empty name.
    pub(super) fn next(&self, name: &[u8], guid: [u8; 16]) -> Result<Variable<'_>, u32> {
        let after = if name == [0, 0] {
            0
        } else {
            let (at, variable) = self.locate(name, guid).ok_or(INVALID_PARAMETER)?;
            at + variable.size()
        };
        self.at(after).ok_or(NOT_FOUND)
    }

    /// Makes, changes or, without data or access, removes a variable (UEFI 2.10, 8.2.3).
    pub(super) fn set(&mut self, new: Variable<'_>) -> Result<(), u32> {
        if new.name.len() <= 2 || new.name.len() > MAX_PART {
            return Err(INVALID_PARAMETER);
        }
        let (append, attributes) = (new.attributes & APPEND != 0, new.attributes & !APPEND);
        let old = self
            .locate(new.name, new.guid)
            .map(|(at, old)| (at, old.size(), old.attributes));
        if old.is_some_and(|(.., attributes)| attributes & NON_VOLATILE == 0) {
            return Err(WRITE_PROTECTED);
        }
        if attributes & (BOOT | RUNTIME) == 0 || new.data.is_empty() && !append {
            let (at, size, _) = old.ok_or(NOT_FOUND)?;
            self.remove(at, size);
            return Ok(());
        }
        check_attributes(attributes)?;
        if old.is_some_and(|(.., old)| old != attributes) {
            return Err(INVALID_PARAMETER);
        }
        match old {
            Some((at, size, _)) if append => self.extend(at, size, new.data),
            Some((at, size, _)) => {
                self.check_room(new, size)?;
                self.remove(at, size);
                self.add(new);
                Ok(())
            }
            // Nothing added to nothing is nothing.
            None if new.data.is_empty() => Ok(()),
            None => {
                self.check_room(new, 0)?;
                self.add(new);
                Ok(())
            }
        }
    }

    /// Returns the bytes that there are, that are left, and that one variable can have as data.
    pub(super) fn room(&self) -> [u32; 3] {
        let left = SPACE - self.used;
        [SPACE as u32, left as u32, left.min(MAX_PART) as u32]
    }

    fn check_room(&self, new: Variable<'_>, freed: usize) -> Result<(), u32> {
        if new.data.len() > MAX_PART || self.used - freed + new.size() > SPACE {
            return Err(OUT_OF_RESOURCES);
        }
        Ok(())
    }

    fn add(&mut self, new: Variable<'_>) {
        for part in [
            &(new.name.len() as u16).to_le_bytes()[..],
            &(new.data.len() as u16).to_le_bytes(),
            &(new.attributes & !APPEND).to_le_bytes(),
            &new.guid,
            new.name,
            new.data,
        ] {
            self.records[self.used..self.used + part.len()].copy_from_slice(part);
            self.used += part.len();
        }
    }

    fn remove(&mut self, at: usize, size: usize) {
        self.records.copy_within(at + size..self.used, at);
        self.used -= size;
    }

    /// Adds data to the record at `at`.
    fn extend(&mut self, at: usize, size: usize, data: &[u8]) -> Result<(), u32> {
        let more = self.data_size(at) + data.len();
        if more > MAX_PART || self.used + data.len() > SPACE {
            return Err(OUT_OF_RESOURCES);
        }
        let end = at + size;
        self.records.copy_within(end..self.used, end + data.len());
        self.records[end..end + data.len()].copy_from_slice(data);
        self.records[at + 2..at + 4].copy_from_slice(&(more as u16).to_le_bytes());
        self.used += data.len();
        Ok(())
    }

    fn data_size(&self, at: usize) -> usize {
        usize::from(u16::from_le_bytes([
            self.records[at + 2],
            self.records[at + 3],
        ]))
    }

    fn locate(&self, name: &[u8], guid: [u8; 16]) -> Option<(usize, Variable<'_>)> {
        let mut at = 0;
        while let Some(variable) = self.at(at) {
            if variable.name == name && variable.guid == guid {
                return Some((at, variable));
            }
            at += variable.size();
        }
        None
    }

    /// Returns the record at `at`; [`None`] at the end.
    fn at(&self, at: usize) -> Option<Variable<'_>> {
        let record = self.records.get(at..self.used)?;
        let (header, rest) = record.split_at_checked(HEADER)?;
        let name = usize::from(u16::from_le_bytes([header[0], header[1]]));
        let (name, rest) = rest.split_at_checked(name)?;
        let data = rest.get(..self.data_size(at))?;
        Some(Variable {
            name,
            guid: header[8..24].try_into().ok()?,
            attributes: u32::from_le_bytes([header[4], header[5], header[6], header[7]]),
            data,
        })
    }
}

#[cfg(test)]
mod tests;
