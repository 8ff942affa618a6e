// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What clocks are made of, in the form in which EEMI shows it.
//!
//! Kinds and flags from the kernel's drivers/clk/zynqmp/clk-zynqmp.h and TF-A's pm_api_clock.h.

/// What a part does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// Chooses one of several sources.
    Mux = 1,
    /// Multiplies.
    Pll = 2,
    /// Halves.
    FixedFactor = 3,
    /// Divides.
    Div1 = 4,
    /// Divides once more.
    Div2 = 5,
    /// Stops.
    Gate = 6,
}

/// A part as the query for it shows it: kind in 3:0, flags in 23:8, the kind's own flags in 31:24.
#[derive(Clone, Copy, Debug)]
pub struct Part(pub u32);

/// The kernel must stop the clock to change its rate.
pub(super) const RATE_GATE: u32 = 1 << 0;
/// A wish for a rate goes on to the source.
pub(super) const RATE_PARENT: u32 = 1 << 2;
/// The kernel does not stop it although it knows no user.
pub(super) const IGNORE_UNUSED: u32 = 1 << 3;
pub(super) const BASIC: u32 = 1 << 5;
/// A wish for a rate does not change the source.
pub(super) const NO_REPARENT: u32 = 1 << 7;
/// The kernel never stops it.
pub(super) const CRITICAL: u32 = 1 << 11;
/// The source is a PLL that can be fractional.
pub(super) const FRACTIONAL: u32 = 1 << 13;
/// Dividers: one means undivided, and zero does as well.
pub(super) const DIVIDER: u32 = 1 << 0 | 1 << 2;

impl Part {
    pub(super) const fn new(kind: Kind, flags: u32) -> Part {
        let own = match kind {
            Kind::Div1 | Kind::Div2 => DIVIDER,
            _ => 0,
        };
        Part(kind as u32 | flags << 8 | own << 24)
    }
}

pub(super) const MUX: Part = Part::new(Kind::Mux, NO_REPARENT | BASIC);
pub(super) const FREE_MUX: Part = Part::new(Kind::Mux, BASIC);
pub(super) const THROUGH_MUX: Part = Part::new(Kind::Mux, NO_REPARENT | RATE_PARENT | BASIC);
pub(super) const DIV1: Part = Part::new(Kind::Div1, NO_REPARENT | BASIC);
pub(super) const DIV2: Part = Part::new(Kind::Div2, NO_REPARENT | BASIC);
pub(super) const FREE_DIV1: Part = Part::new(Kind::Div1, BASIC);
pub(super) const GATE: Part = Part::new(Kind::Gate, RATE_PARENT | RATE_GATE | BASIC);
pub(super) const KEPT_GATE: Part = Part::new(Kind::Gate, RATE_PARENT | IGNORE_UNUSED | BASIC);
pub(super) const EASY_GATE: Part = Part::new(Kind::Gate, RATE_PARENT | BASIC);
pub(super) const VIDEO_FLAGS: u32 = NO_REPARENT | RATE_PARENT | FRACTIONAL | BASIC;

pub(super) const MUX_DIV_GATE: &[Part] = &[MUX, DIV1, GATE];
pub(super) const MUX_DIV_KEPT: &[Part] = &[MUX, DIV1, KEPT_GATE];
pub(super) const MUX_DIV_DIV: &[Part] = &[MUX, DIV1, DIV2];
pub(super) const MUX_DIV_DIV_GATE: &[Part] = &[MUX, DIV1, DIV2, GATE];
pub(super) const CROSSING: &[Part] = &[FREE_DIV1];
