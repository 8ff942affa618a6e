// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a board needs of its host, and another host has.

use fakemon_host::Width;
use fakemon_manifest::Board;

use crate::check::host::{Host, Kvm};

/// What a board can miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// A CPU with its width.
    Width,
    /// A version of the interrupt controller.
    Gic,
    /// Pages that its interrupt controller fits into.
    Page,
    /// Bits of address for its RAM.
    Addresses,
    /// vCPUs.
    Cpus,
}

/// All of them.
pub(super) const ALL: [Lack; 5] = [
    Lack::Width,
    Lack::Gic,
    Lack::Page,
    Lack::Addresses,
    Lack::Cpus,
];

/// What `board`, as its description has it, misses first on this host.
pub(super) fn of(board: &Board, host: &Host, kvm: &Kvm) -> Option<Lack> {
    let machine = &board.machine;
    if board.guest.arch.width() == Width::AArch32 && !kvm.aarch32 {
        return Some(Lack::Width);
    }
    // As a run takes it: the first that KVM has.
    let mut versions = machine.gic.versions_for(machine.cpus as usize);
    let Some(version) = versions.find(|version| kvm.gics.contains(version)) else {
        return Some(Lack::Gic);
    };
    if !machine.gic.fits_pages(version, host.page) {
        return Some(Lack::Page);
    }
    let end = machine.ram_base.saturating_add(machine.memory.0);
    if kvm.address_bits < u64::BITS && end > 1 << kvm.address_bits {
        return Some(Lack::Addresses);
    }
    (machine.cpus as usize > kvm.vcpus).then_some(Lack::Cpus)
}

impl Lack {
    /// What is looked at.
    pub(super) fn what(self) -> &'static str {
        match self {
            Lack::Width => "32-bit guests",
            Lack::Gic => "interrupt controllers",
            Lack::Page => "size of pages",
            Lack::Addresses => "guest addresses",
            Lack::Cpus => "vCPUs",
        }
    }

    /// What the host has of it.
    pub(super) fn found(self, host: &Host, kvm: &Kvm) -> String {
        match self {
            Lack::Width if kvm.aarch32 => "this CPU has a 32-bit EL1".into(),
            Lack::Width => "this CPU has no 32-bit EL1".into(),
            Lack::Gic if kvm.gics.is_empty() => "KVM offers none".into(),
            Lack::Gic => {
                let versions = kvm.gics.iter().map(|version| format!("GICv{version}"));
                versions.collect::<Vec<_>>().join(", ")
            }
            Lack::Page => format!("{} KiB", host.page / 1024),
            Lack::Addresses => format!("{} bits", kvm.address_bits),
            Lack::Cpus => format!("{} at most", kvm.vcpus),
        }
    }

    /// What `board` would need.
    pub(super) fn need(self, board: &Board) -> String {
        let (name, machine) = (&board.name, &board.machine);
        match self {
            Lack::Width => format!("{name} has a 32-bit kernel"),
            Lack::Gic => {
                let versions = machine.gic.versions.iter();
                let versions: Vec<_> = versions.map(|version| format!("GICv{version}")).collect();
                format!("{name} has a {}", versions.join(" or "))
            }
            Lack::Page => format!(
                "{name} has the CPU interface of its GICv2 inside such a page, and KVM gives whole pages"
            ),
            Lack::Addresses => format!(
                "{name} has {} of RAM at {:#x}",
                machine.memory, machine.ram_base
            ),
            Lack::Cpus => format!("{name} has {} CPUs; use a smaller --smp", machine.cpus),
        }
    }

    /// Who can do what about it.
    pub(super) fn remedy(self) -> &'static str {
        match self {
            Lack::Width => {
                "the CPU's: a Cortex-A72 or a Neoverse N1 has one, a Neoverse V1 has not"
            }
            Lack::Gic => "the host's machine and its firmware have to offer such a controller",
            Lack::Page => "boot a kernel with pages of 4 KiB on the host",
            Lack::Addresses => "the CPU's: it has no more bits of physical address",
            Lack::Cpus => "the host's kernel and interrupt controller set the limit",
        }
    }
}
