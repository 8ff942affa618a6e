// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of calls, as it lies after the program: little-endian words of 32 bits.
//!
//! ```text
//! header   MAGIC, UART base, power register, value that switches off, RAM base, MiB of RAM, calls
//! call     immediate | THUMB, mask of out registers | mask of clobbered registers << 16,
//!          number of words before, after and changed, bytes of the name,
//!          r0-r12 in, r0-r12 out, [address, value] before, [address, value] after,
//!          [address] changed, name padded to words
//! ```

use crate::REGISTERS;

/// The first word of a table.
pub const MAGIC: u32 = 0x594c_5052;
/// Words of the header.
pub const HEADER: usize = 7;
/// Bit of a call's first word: the instruction is Thumb's.
pub const THUMB: u32 = 1 << 8;

/// A table that has been looked through, so that its calls can be taken one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table<'a> {
    /// Physical address of a PL011.
    pub uart: u32,
    /// Physical address of a register that switches the machine off.
    pub power: u32,
    /// What to write there.
    pub off: u32,
    /// Where RAM begins.
    pub ram: u32,
    /// How much of it there is, in MiB.
    pub ram_mib: u32,
    count: u32,
    calls: &'a [u32],
}

/// One call, and what is expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// The instruction's immediate.
    pub immediate: u8,
    /// Whether Thumb code makes it.
    pub thumb: bool,
    /// Registers that must hold what [`output`](Self::output) says, by bit.
    pub out: u32,
    /// Registers that may hold anything, by bit.
    pub clobbered: u32,
    /// r0 to r12 before.
    pub input: &'a [u32],
    /// r0 to r12 after, where [`out`](Self::out) says so.
    pub output: &'a [u32],
    /// Addresses and values of words that are written before.
    pub before: &'a [u32],
    /// Addresses and values of words that must be there afterwards.
    pub after: &'a [u32],
    /// Addresses of words that must have changed.
    pub changed: &'a [u32],
    name: &'a [u32],
    name_bytes: usize,
}

impl<'a> Table<'a> {
    /// Reads the header and looks through the calls; [`None`] if they are not all there.
    pub fn parse(words: &'a [u32]) -> Option<Table<'a>> {
        let (header, calls) = words.split_at_checked(HEADER)?;
        let &[MAGIC, uart, power, off, ram, ram_mib, count] = header else {
            return None;
        };
        let table = Table {
            uart,
            power,
            off,
            ram,
            ram_mib,
            count,
            calls,
        };
        (table.calls().count() == count as usize).then_some(table)
    }

    /// The calls in order.
    pub fn calls(&self) -> impl Iterator<Item = Call<'a>> + use<'a> {
        let mut rest = self.calls;
        (0..self.count).map_while(move |_| {
            let (call, after) = Call::take(rest)?;
            rest = after;
            Some(call)
        })
    }
}

impl<'a> Call<'a> {
    fn take(words: &'a [u32]) -> Option<(Call<'a>, &'a [u32])> {
        let (&[instruction, masks, before, after, changed, name_bytes], rest) =
            words.split_first_chunk()?;
        let (input, rest) = rest.split_at_checked(REGISTERS)?;
        let (output, rest) = rest.split_at_checked(REGISTERS)?;
        let (before, rest) = rest.split_at_checked((before as usize).checked_mul(2)?)?;
        let (after, rest) = rest.split_at_checked((after as usize).checked_mul(2)?)?;
        let (changed, rest) = rest.split_at_checked(changed as usize)?;
        let name_bytes = name_bytes as usize;
        let (name, rest) = rest.split_at_checked(name_bytes.div_ceil(4))?;
        let call = Call {
            immediate: instruction as u8,
            thumb: instruction & THUMB != 0,
            out: masks & 0xffff,
            clobbered: masks >> 16,
            input,
            output,
            before,
            after,
            changed,
            name,
            name_bytes,
        };
        Some((call, rest))
    }

    /// The characters of the call's name, which is ASCII.
    pub fn name(&self) -> impl Iterator<Item = u8> + use<'a> {
        let bytes = self.name.iter().flat_map(|word| word.to_le_bytes());
        bytes.take(self.name_bytes)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// A table of one call: `smc #1` in Thumb state with r0 = 5 that must return 7, writes 1 to
    /// address 0x100 before, and expects 2 at 0x100 and a change at 0x104.
    pub(crate) fn one_call() -> Vec<u32> {
        let mut words = vec![MAGIC, 0x900_0000, 0xa00_0000, 3, 0x8000_0000, 512, 1];
        words.extend([1 | THUMB, 0b1 | 0b110 << 16, 1, 1, 1, 5]);
        words.extend((0..REGISTERS as u32).map(|n| n + 5));
        words.extend([7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        words.extend([0x100, 1, 0x100, 2, 0x104]);
        words.extend([
            u32::from_le_bytes(*b"a_ca"),
            u32::from_le_bytes(*b"l\0\0\0"),
        ]);
        words
    }

    #[test]
    fn a_table_is_read_as_it_is_written() {
        let words = one_call();
        let table = Table::parse(&words).expect("whole");
        assert_eq!(
            (table.uart, table.power, table.off),
            (0x900_0000, 0xa00_0000, 3)
        );
        let calls: Vec<_> = table.calls().collect();
        let [call] = calls.as_slice() else {
            panic!("{calls:?}")
        };
        assert_eq!((call.immediate, call.thumb), (1, true));
        assert_eq!((call.out, call.clobbered), (0b1, 0b110));
        assert_eq!((call.input[12], call.output[0]), (17, 7));
        assert_eq!(
            (call.before, call.after),
            ([0x100, 1].as_slice(), [0x100, 2].as_slice())
        );
        assert_eq!(call.changed, [0x104]);
        assert_eq!(call.name().collect::<Vec<_>>(), b"a_cal");
    }

    #[test]
    fn a_table_that_is_cut_or_none_is_refused() {
        let words = one_call();
        for length in 0..words.len() {
            assert_eq!(Table::parse(&words[..length]), None, "{length}");
        }
        let mut other = words.clone();
        other[0] = 0;
        assert_eq!(Table::parse(&other), None);
        // Counts that no file can have.
        for field in HEADER + 2..HEADER + 6 {
            let mut huge = words.clone();
            huge[field] = u32::MAX;
            assert_eq!(Table::parse(&huge), None, "{field}");
        }
    }
}
