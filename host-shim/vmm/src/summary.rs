// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of the calls served, printed at the end.

use std::collections::BTreeMap;
use std::fmt;

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

    /// The table, one line for each function, in the order of their IDs.
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

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpus = &self.summary.cpus;
        let mut functions: BTreeMap<u64, u64> = BTreeMap::new();
        for (&function, count) in cpus.iter().flat_map(|cpu| &cpu.0) {
            *functions.entry(function).or_default() += count;
        }
        if functions.is_empty() {
            return write!(f, "no firmware calls reached the blob");
        }
        let name = |function: &u64| match self.board.functions.get(function) {
            Some(name) => name.clone(),
            None => format!("{function:#010x}"),
        };
        let width = functions
            .keys()
            .map(|id| name(id).len())
            .fold("calls served".len(), usize::max);
        let columns = if cpus.len() <= COLUMNS { cpus.len() } else { 0 };
        write!(f, "{:<width$} {:>9}", "calls served", "total")?;
        for cpu in 0..columns {
            write!(f, " {:>8}", format!("cpu{cpu}"))?;
        }
        for (function, total) in &functions {
            write!(f, "\n{:<width$} {total:>9}", name(function))?;
            for cpu in &cpus[..columns] {
                write!(f, " {:>8}", cpu.0.get(function).unwrap_or(&0))?;
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
        let board = testing::board("[functions]\n\"0x84000000\" = \"PSCI_VERSION\"");
        let (mut first, mut second) = (Counts::default(), Counts::default());
        first.add(0x8400_0000);
        first.add(0xc300_0001);
        second.add(0xc300_0001);
        let mut summary = Summary::default();
        summary.add(0, &first);
        summary.add(1, &second);
        summary.add(1, &second);
        assert_eq!(
            summary.table(&board).to_string(),
            "calls served     total     cpu0     cpu1\n\
             PSCI_VERSION         1        1        0\n\
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
