// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The tree of a board that has none of its own: CPUs, GIC, timer, console and clock, and nothing more.
//!
//! There is no /psci node: how the guest reaches its firmware is what a board is about, so the
//! board says it.

use dtoolkit::model::{DeviceTree, DeviceTreeNode};
use fakemon_host::Width;
use fakemon_manifest::PrimeCell;

use super::Description;
use super::tree::{cells, empty, node, pair, strings};

const GIC: u32 = 1;
const CLOCK: u32 = 2;
const SPI: u32 = 0;
const PPI: u32 = 1;
const LEVEL_HIGH: u32 = 4;
/// Private interrupts of the generic timer as numbers among the PPIs: secure, non-secure, virtual,
/// hypervisor. KVM's are these by default (Documentation/virt/kvm/devices/vcpu.rst, 2.1).
const TIMER: [u32; 4] = [13, 14, 11, 10];

/// Generates the tree, but for memory and /chosen's words.
pub(super) fn tree(what: &Description<'_>) -> DeviceTree {
    let mut tree = DeviceTree::new();
    let uart = what.board.machine.uart;
    let root = &mut tree.root;
    for property in [
        strings("compatible", &["linux,dummy-virt"]),
        strings(
            "model",
            &[&format!("Fake Monitor board {}", what.board.name)],
        ),
        cells("#address-cells", &[2]),
        cells("#size-cells", &[2]),
        cells("interrupt-parent", &[GIC]),
    ] {
        root.add_property(property);
    }
    let console = format!("/pl011@{:x}", uart.base);
    root.add_child(node("chosen", [strings("stdout-path", &[&console])]));
    root.add_child(cpus(what));
    root.add_child(gic(what));
    root.add_child(timer(what));
    root.add_child(node(
        "apb-pclk",
        [
            strings("compatible", &["fixed-clock"]),
            cells("#clock-cells", &[0]),
            cells("clock-frequency", &[24_000_000]),
            cells("phandle", &[CLOCK]),
        ],
    ));
    root.add_child(node(
        &console[1..],
        [
            strings("compatible", &["arm,pl011", "arm,primecell"]),
            reg(&[(uart.base, PrimeCell::SIZE)]),
            cells("interrupts", &[SPI, uart.irq, LEVEL_HIGH]),
            cells("clocks", &[CLOCK, CLOCK]),
            strings("clock-names", &["uartclk", "apb_pclk"]),
        ],
    ));
    if let Some(rtc) = what.board.machine.rtc {
        root.add_child(node(
            &format!("rtc@{:x}", rtc.base),
            [
                strings("compatible", &["arm,pl031", "arm,primecell"]),
                reg(&[(rtc.base, PrimeCell::SIZE)]),
                cells("interrupts", &[SPI, rtc.irq, LEVEL_HIGH]),
                cells("clocks", &[CLOCK]),
                strings("clock-names", &["apb_pclk"]),
            ],
        ));
    }
    tree
}

fn cpus(what: &Description<'_>) -> DeviceTreeNode {
    let compatible = match what.width {
        Width::AArch64 => "arm,armv8",
        Width::AArch32 => "arm,cortex-a15",
    };
    let mut cpus = node(
        "cpus",
        [cells("#address-cells", &[1]), cells("#size-cells", &[0])],
    );
    for &mpidr in what.mpidr {
        cpus.add_child(node(
            &format!("cpu@{mpidr:x}"),
            [
                strings("device_type", &["cpu"]),
                strings("compatible", &[compatible]),
                strings("enable-method", &["psci"]),
                cells("reg", &[mpidr as u32]),
            ],
        ));
    }
    cpus
}

fn gic(what: &Description<'_>) -> DeviceTreeNode {
    let gic = &what.board.machine.gic;
    let cpus = what.mpidr.len() as u64;
    let (compatible, reg) = match what.gic {
        2 => (
            "arm,cortex-a15-gic",
            reg(&[(gic.dist, 0x1000), (gic.cpu.unwrap_or(0), 0x2000)]),
        ),
        _ => (
            "arm,gic-v3",
            reg(&[
                (gic.dist, 0x1_0000),
                (gic.redist.unwrap_or(0), cpus * 0x2_0000),
            ]),
        ),
    };
    node(
        &format!("intc@{:x}", gic.dist),
        [
            strings("compatible", &[compatible]),
            cells("#interrupt-cells", &[3]),
            cells("#address-cells", &[2]),
            cells("#size-cells", &[2]),
            empty("ranges"),
            empty("interrupt-controller"),
            reg,
            cells("phandle", &[GIC]),
        ],
    )
}

fn timer(what: &Description<'_>) -> DeviceTreeNode {
    let compatible = match what.width {
        Width::AArch64 => "arm,armv8-timer",
        Width::AArch32 => "arm,armv7-timer",
    };
    // With a GICv2 the flags also say which CPUs get the interrupt; a GICv3 has no such field.
    let cpu_mask = if what.gic == 2 {
        (1 << what.mpidr.len().min(8)) - 1
    } else {
        0
    };
    let interrupts: Vec<u32> = TIMER
        .iter()
        .flat_map(|&irq| [PPI, irq, cpu_mask << 8 | LEVEL_HIGH])
        .collect();
    node(
        "timer",
        [
            strings("compatible", &[compatible]),
            cells("interrupts", &interrupts),
            empty("always-on"),
        ],
    )
}

fn reg(ranges: &[(u64, u64)]) -> dtoolkit::model::DeviceTreeProperty {
    let list: Vec<u32> = ranges
        .iter()
        .flat_map(|&(base, size)| [pair(base), pair(size)].concat())
        .collect();
    cells("reg", &list)
}
