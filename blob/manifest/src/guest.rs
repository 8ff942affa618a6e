// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The `[guest]` table: the kernel that proves the board, and what its log must show.

use fakemon_abi::Width;
use serde::Deserialize;

use crate::dt::DtChange;
use crate::pattern::Pattern;

/// The guest kernel and what is expected of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Guest {
    /// Debian's name of the architecture.
    pub arch: Arch,
    /// Debian package of the kernel, a meta package or an exact one; [`Guest::REPLAY`] for the
    /// program that replays calls.
    pub kernel: String,
    /// Base DTB: a file of the kernel package, below usr/lib/linux-image-*. Without one the VMM
    /// generates a tree.
    pub dtb: Option<String>,
    /// More words for the kernel's command line.
    #[serde(default)]
    pub append: String,
    /// Kernel modules that the default initramfs loads, in this order.
    #[serde(default)]
    pub modules: Vec<String>,
    /// Whether a reset by the guest is tested, too.
    #[serde(default)]
    pub reboots: bool,
    /// What the log must match before the kernel comes up again in that test, for a board whose own
    /// script resets it (`board_reboot` in guest.sh).
    #[serde(default)]
    pub reset: Vec<Pattern>,
    /// What the log must match.
    #[serde(default)]
    pub expect: Vec<Pattern>,
    /// What the log must not match.
    #[serde(default)]
    pub unexpected: Vec<Pattern>,
    /// What the log matches when the board boots without its blob.
    #[serde(default)]
    pub counter: Vec<Pattern>,
    /// What the log must match besides on a host that gives the blob the Arm architecture calls of
    /// its note.
    #[serde(default)]
    pub expect_arch: Vec<Pattern>,
    /// Changes to the device tree, in this order.
    #[serde(default)]
    pub dt: Vec<DtChange>,
}

impl Guest {
    /// The "kernel" of a board that is tested by [replay](crate::TestKind::Replay).
    pub const REPLAY: &str = "replay";

    /// All patterns, of whatever kind.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        let lists = [
            &self.expect,
            &self.expect_arch,
            &self.unexpected,
            &self.reset,
            &self.counter,
        ];
        lists.into_iter().flatten()
    }
}

/// An architecture of Debian's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// 64-bit.
    Arm64,
    /// 32-bit, ARMv7.
    Armhf,
}

impl Arch {
    /// Debian's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Arch::Arm64 => "arm64",
            Arch::Armhf => "armhf",
        }
    }

    /// The execution state of its kernels.
    pub fn width(self) -> Width {
        match self {
            Arch::Arm64 => Width::AArch64,
            Arch::Armhf => Width::AArch32,
        }
    }
}
