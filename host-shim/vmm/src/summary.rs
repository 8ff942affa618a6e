// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table of the calls served, printed at the end.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use fakemon_abi::frame::REGS;
use fakemon_manifest::Board;

/// The most CPUs that get a column of their own.
const COLUMNS: usize = 8;
/// The most functions without a name that get a row of their own. A guest can call any number of
/// them where a board claims wide ranges, so what comes after these is counted together.
const UNNAMED: usize = 64;
/// The name of the row for all other functions.
const OTHERS: &str = "other functions";

/// Calls of one CPU by function ID. Each vCPU's thread has its own, so that counting needs no lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Functions that the board or a standard gives a name, so that there is an end to them.
    named: BTreeMap<u64, u64>,
    /// The first [`UNNAMED`] of the others.
    unnamed: BTreeMap<u64, u64>,
    /// Calls of all the rest.
    others: u64,
}

impl Counts {
    /// Counts one call, made with `registers` (x0 or r0 first).
    pub fn add(&mut self, board: &Board, registers: &[u64]) {
        let function = board.function_id(registers);
        if board.function_name(registers).is_some() {
            *self.named.entry(function).or_default() += 1;
        } else {
            self.add_unnamed(function, 1);
        }
    }

    fn add_unnamed(&mut self, function: u64, count: u64) {
        if let Some(known) = self.unnamed.get_mut(&function) {
            *known += count;
        } else if self.unnamed.len() < UNNAMED {
            self.unnamed.insert(function, count);
        } else {
            self.others += count;
        }
    }

    fn merge(&mut self, more: &Counts) {
        for (&function, &count) in &more.named {
            *self.named.entry(function).or_default() += count;
        }
        for (&function, &count) in &more.unnamed {
            self.add_unnamed(function, count);
        }
        self.others += more.others;
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
        self.cpus[cpu].merge(counts);
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
        let unnamed: BTreeSet<u64> = cpus
            .iter()
            .flat_map(|cpu| cpu.unnamed.keys())
            .copied()
            .collect();
        // Each CPU may have met others.
        let shown: BTreeSet<u64> = unnamed.iter().take(UNNAMED).copied().collect();
        let named = cpus.iter().flat_map(|cpu| cpu.named.keys()).copied();
        let functions: BTreeSet<u64> = named.chain(shown.iter().copied()).collect();

        let mut rows: Vec<(String, Vec<u64>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for function in functions {
            // Whichever register the board looks at, this is what it finds.
            let name = match self.board.function_name(&[function; REGS]) {
                Some(name) => name.to_owned(),
                None => format!("{function:#010x}"),
            };
            let at = *places.entry(name).or_insert_with_key(|name| {
                rows.push((name.clone(), vec![0; cpus.len()]));
                rows.len() - 1
            });
            for (count, cpu) in rows[at].1.iter_mut().zip(cpus) {
                let own = cpu.named.get(&function).or(cpu.unnamed.get(&function));
                *count += own.unwrap_or(&0);
            }
        }
        let hidden = |cpu: &Counts| -> u64 {
            let rows = cpu.unnamed.iter().filter(|(id, _)| !shown.contains(id));
            rows.map(|(_, count)| count).sum::<u64>() + cpu.others
        };
        let others: Vec<u64> = cpus.iter().map(hidden).collect();
        if others.iter().any(|&count| count != 0) {
            rows.push((OTHERS.to_owned(), others));
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
        first.add(&board, &[0x8400_0003]);
        first.add(&board, &[0xc300_0001]);
        second.add(&board, &[0xc300_0001]);
        second.add(&board, &[0xc400_0003]);
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
        counts.add(&board, &[1]);
        summary.add(63, &counts);
        assert_eq!(
            summary.table(&board).to_string().lines().nth(1),
            Some("0x00000001           1")
        );
    }

    #[test]
    fn a_guest_that_makes_functions_up_gets_one_row_for_them() {
        let board = testing::board("");
        let mut summary = Summary::default();
        for cpu in 0..4 {
            let mut counts = Counts::default();
            counts.add(&board, &[0x8400_0003]);
            // Two boots of 50,000 functions each: all others on every CPU.
            for function in 0..50_000 {
                counts.add(&board, &[0xc300_0000 + 50_000 * cpu as u64 + function]);
            }
            counts.add(&board, &[0x8400_0002]);
            assert_eq!(counts.unnamed.len(), UNNAMED);
            summary.add(cpu, &counts);
            summary.add(cpu, &counts);
        }
        let table = summary.table(&board).to_string();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 1 + 2 + UNNAMED + 1);
        assert!(lines[1].starts_with("PSCI_CPU_OFF"), "{table}");
        let last: Vec<&str> = lines[lines.len() - 1].split_whitespace().collect();
        let (total, shown) = (4 * 2 * 50_000, 2 * UNNAMED);
        assert_eq!(last[..2], ["other", "functions"]);
        assert_eq!(last[2], (total - shown).to_string());
        assert_eq!(last[4], 100_000.to_string(), "none of CPU 1's is shown");
    }
}
