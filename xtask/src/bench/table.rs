// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The figures as text for a terminal.

use std::fmt::Write;

use super::figures::Figures;

/// A table of the paths, and a line for everything else.
pub(crate) fn table(figures: &Figures) -> String {
    let mut text = format!("{} on {}\n\n", figures.host_kernel, figures.cpu);
    let mut line = |cells: [String; 6]| {
        let [path, engine, instructions, bound, ratio, wall] = cells;
        let row =
            format!("{path:<18} {engine:<10} {instructions:>12} {bound:>8} {ratio:>6} {wall:>9}");
        text.push_str(row.trim_end());
        text.push('\n');
    };
    line(
        [
            "path",
            "engine",
            "instructions",
            "bound",
            "ratio",
            "wall ns",
        ]
        .map(str::to_owned),
    );
    for row in &figures.rows {
        line([
            row.path.clone(),
            row.engine.clone(),
            or_dash(row.instructions.map(grouped)),
            or_dash(row.bound.map(grouped)),
            or_dash(row.ratio.map(|ratio| format!("{ratio:.2}"))),
            grouped(row.wall_ns),
        ]);
    }
    text.push('\n');
    // Writing to a string cannot fail.
    if let Some(units) = figures.units {
        let (trip, get, set) = (grouped(units.trip), grouped(units.get), grouped(units.set));
        let answer = grouped(units.answer);
        let _ = writeln!(
            text,
            "bound: world trips of {trip}, register reads of {get}, register writes of {set}; for the \
             kernel engine calls that KVM answers of {answer}"
        );
    }
    if let Some(boot) = &figures.boot {
        let millions = |instructions: u64| grouped(instructions / 1_000_000);
        let kvm = millions(boot.kvm_instructions);
        let _ = write!(text, "boot: {kvm} M instructions with KVM's PSCI");
        let kernel = (boot.kernel_engine_instructions, boot.kernel_engine_ratio);
        for (engine, boot) in [
            ("userspace", (boot.blob_instructions, boot.ratio)),
            ("kernel", kernel),
        ] {
            if let (Some(blob), Some(ratio)) = boot {
                let blob = millions(blob);
                let _ = write!(
                    text,
                    ", {blob} M with the blob and the {engine} engine ({ratio:.3})"
                );
            }
        }
        text.push('\n');
    }
    let memory = &figures.memory;
    let _ = writeln!(
        text,
        "memory: {} KiB for each VM and {} KiB for each vCPU",
        memory.vm_bytes / 1024,
        memory.vcpu_bytes / 1024
    );
    let instructions = memory.build_instructions.map(grouped);
    let instructions = instructions.map_or(String::new(), |n| format!("{n} instructions, "));
    let _ = writeln!(
        text,
        "a monitor VM with one vCPU is made in {instructions}{} us",
        grouped(memory.build_wall_ns / 1000)
    );
    text
}

fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

/// A number with commas between groups of three digits.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::tests::example;

    #[test]
    fn bound_and_ratio_stand_beside_each_figure() {
        let text = table(&example());
        let line = |name: &str| {
            let found = text.lines().find(|line| line.starts_with(name));
            found
                .expect("a line")
                .split_whitespace()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            line("hvc-kvm"),
            ["hvc-kvm", "none", "1,550", "-", "-", "10,000"]
        );
        let blob = [
            "smc-blob-3",
            "userspace",
            "12,000",
            "11,650",
            "1.03",
            "81,000",
        ];
        assert_eq!(line("smc-blob-3"), blob);
        assert!(text.contains("kernel engine (1.002)"), "{text}");
        assert!(
            text.contains("(1.005)") && text.contains("64 KiB for each VM"),
            "{text}"
        );
    }

    #[test]
    fn digits_are_grouped_from_the_right() {
        let numbers = [0, 12, 999, 1000, 12_345, 1_234_567].map(grouped);
        assert_eq!(numbers, ["0", "12", "999", "1,000", "12,345", "1,234,567"]);
    }
}
