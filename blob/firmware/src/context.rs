// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the firmware has interrupted, by a call or without one: registers that go back, where it goes
//! on, and the machine below.

use fakemon_abi::Width;
use fakemon_abi::frame::REGS;

use crate::platform::Platform;

/// Where a CPU goes on after the firmware, and how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// Its PC; after a call past the SMC or HVC unless a service changes it.
    pub pc: u64,
    /// Its PSTATE, as an SPSR holds it, without IL.
    pub pstate: u64,
}

/// A CPU that has entered the firmware.
pub struct Context<'a> {
    regs: &'a mut [u64; REGS],
    width: Width,
    resume: &'a mut Resume,
    platform: &'a mut dyn Platform,
}

impl<'a> Context<'a> {
    /// Wraps the registers x0 to x17 of a CPU whose kernel is of this width.
    pub fn new(
        regs: &'a mut [u64; REGS],
        width: Width,
        resume: &'a mut Resume,
        platform: &'a mut dyn Platform,
    ) -> Self {
        Context {
            regs,
            width,
            resume,
            platform,
        }
    }

    /// Returns the same for a shorter time.
    pub(crate) fn reborrow(&mut self) -> Context<'_> {
        Context {
            regs: self.regs,
            width: self.width,
            resume: self.resume,
            platform: self.platform,
        }
    }

    /// Returns the kernel's execution state.
    pub fn width(&self) -> Width {
        self.width
    }

    /// Returns where the CPU goes on, which a service may change (docs/abi.md, "Return").
    pub fn resume(&mut self) -> &mut Resume {
        self.resume
    }

    /// Returns the platform, for what the machine must do.
    pub fn platform(&mut self) -> &mut (dyn Platform + 'a) {
        self.platform
    }

    /// Returns register `n` as it is; 0 past x17.
    pub fn register(&self, n: usize) -> u64 {
        self.regs.get(n).copied().unwrap_or(0)
    }

    /// Sets register `n` to a result, of which an AArch32 kernel gets the low half. Nothing past
    /// x17 is set.
    pub fn set(&mut self, n: usize, value: u64) {
        let seen = match self.width {
            Width::AArch64 => value,
            Width::AArch32 => value & 0xffff_ffff,
        };
        if let Some(register) = self.regs.get_mut(n) {
            *register = seen;
        }
    }
}

impl core::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Context")
            .field("regs", self.regs)
            .field("width", &self.width)
            .field("resume", self.resume)
            .finish_non_exhaustive()
    }
}
