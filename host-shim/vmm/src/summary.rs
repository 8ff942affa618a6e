// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of the calls served, printed at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use fakemon_abi::frame::REGS;
use fakemon_manifest::Board;

/// The most CPUs that get a column of their own.
const COLUMNS: usize = 8;

/// Calls of one CPU by function ID. Each vCPU's thread has its own, so that counting needs no lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<u64, u64>);

impl Counts {
    /// Counts one call.
    pub fn add(&mut self, function: u64) {
        *self.0.entry(function).or_default() += 1;
    }
}

/// Calls of all CPUs, over all boots of the guest.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    cpus: Vec<Counts>,
}

impl Summary {
    /// Adds what one CPU counted.
    pub fn add(&mut self, cpu: usize, counts: &Counts) {
        if self.cpus.len() <= cpu {
            self.cpus.resize(cpu + 1, Counts::default());
        }
        for (&function, &count) in &counts.0 {
            *self.cpus[cpu].0.entry(function).or_default() += count;
        }
    }

    /// The table, one line for each name, in the order of the IDs.
    pub fn table<'a>(&'a self, board: &'a Board) -> impl fmt::Display + 'a {
        Table {
            summary: self,
            board,
        }
    }
}

struct Table<'a> {
    summary: &'a Summary,
    board: &'a Board,
}

impl Table<'_> {
    /// Name and calls of each CPU, for each function. The 32-bit and 64-bit IDs of a function share
    /// its name, and so a row.
    fn rows(&self) -> Vec<(String, Vec<u64>)> {
        let cpus = &self.summary.cpus;
        let functions: BTreeSet<u64> = cpus.iter().flat_map(|cpu| cpu.0.keys()).copied().collect();
        let mut rows: Vec<(String, Vec<u64>)> = Vec::new();
        for function in functions {
            // Whichever register the board looks at, this is what it finds.
            let registers = [function; REGS];
            let name = match self.board.function_name(&registers) {
                Some(name) => name.to_owned(),
                None => format!("{function:#010x}"),
            };
            let at = rows
                .iter()
                .position(|row| row.0 == name)
                .unwrap_or_else(|| {
                    rows.push((name, vec![0; cpus.len()]));
                    rows.len() - 1
                });
            for (count, cpu) in rows[at].1.iter_mut().zip(cpus) {
                *count += cpu.0.get(&function).unwrap_or(&0);
            }
        }
        rows
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        if rows.is_empty() {
            return write!(f, "no firmware calls reached the blob");
        }
        let title = "calls served";
        let width = rows
            .iter()
            .map(|row| row.0.len())
            .fold(title.len(), usize::max);
        let cpus = self.summary.cpus.len();
        let columns = if cpus <= COLUMNS { cpus } else { 0 };
        write!(f, "{title:<width$} {:>9}", "total")?;
        for cpu in 0..columns {
            write!(f, " {:>8}", format!("cpu{cpu}"))?;
        }
        for (name, counts) in &rows {
            write!(f, "\n{name:<width$} {:>9}", counts.iter().sum::<u64>())?;
            for count in &counts[..columns] {
                write!(f, " {count:>8}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_table_has_a_line_for_each_function_and_a_column_for_each_cpu() {
        let board = testing::board("");
        let (mut first, mut second) = (Counts::default(), Counts::default());
        first.add(0x8400_0003);
        first.add(0xc300_0001);
        second.add(0xc300_0001);
        second.add(0xc400_0003);
        let mut summary = Summary::default();
        summary.add(0, &first);
        summary.add(1, &second);
        summary.add(1, &second);
        assert_eq!(
            summary.table(&board).to_string(),
            "calls served     total     cpu0     cpu1\n\
             PSCI_CPU_ON          3        1        2\n\
             0xc3000001           3        1        2"
        );
    }

    #[test]
    fn a_run_without_calls_says_so_and_many_cpus_share_one_column() {
        let board = testing::board("");
        let mut summary = Summary::default();
        assert_eq!(
            summary.table(&board).to_string(),
            "no firmware calls reached the blob"
        );
        let mut counts = Counts::default();
        counts.add(1);
        summary.add(63, &counts);
        assert_eq!(
            summary.table(&board).to_string().lines().nth(1),
            Some("0x00000001           1")
        );
    }
}
