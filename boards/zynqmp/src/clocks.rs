// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Clocks: what can be turned, and how it stands.
//!
//! The way from the crystal to a device is a row of parts, and EEMI tells the kernel of each:
//!
//! ```text
//! pss_ref_clk -> pre_src (mux) -> int (PLL) -> int_mux (x1 or x1/2) -> pll (bypass mux)
//!             -> uart0_ref_mux -> uart0_ref_div1 -> uart0_ref_div2 -> uart0_ref (gate)
//! ```
//!
//! The kernel computes all rates itself from what it reads here. [`table`] says what there is,
//! made of [`part`]s; [`query`] shows it, [`pll`] is the PLLs' own, and this file is the state of
//! the others. Rules from TF-A's pm_api_clock.c and zynqmp_pm_api_sys.c, and PMU firmware's
//! pm_core.c.

use fakemon_firmware::Lock;

use crate::api::{DONE, Reply, Status, value};
use part::Kind;
use pll::Pll;
use table::{CLOCKS, COUNT, Clock};

pub mod part;
pub mod pll;
pub mod query;
pub mod table;

/// Sets one divider: the other half of the word is all ones.
const KEEP: u32 = 0xffff;

/// How the parts of one clock stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Position of the multiplexer.
    pub parent: u8,
    /// The dividers.
    pub dividers: [u8; 2],
    /// Whether the gate is open.
    pub open: bool,
}

#[derive(Clone, Copy, Debug)]
struct State {
    settings: [Setting; COUNT],
    plls: [Pll; pll::COUNT],
}

/// The clocks.
#[derive(Debug)]
pub struct Clocks(Lock<State>);

impl Clocks {
    /// As the boot loader leaves them.
    pub const fn new() -> Self {
        let mut settings = [CLOCKS[0].boot; COUNT];
        let mut n = 0;
        while n < COUNT {
            settings[n] = CLOCKS[n].boot;
            n += 1;
        }
        let plls = pll::BOOT;
        Clocks(Lock::new(State { settings, plls }))
    }

    /// CLOCK_ENABLE and CLOCK_DISABLE(clock).
    pub fn switch(&self, id: u32, on: bool) -> Reply {
        if let Some(at) = pll::of_clock(id) {
            return self.0.with(|state| {
                if !on && state.must_run(at) {
                    return Err(Status::NO_ACCESS);
                }
                state.plls[at].switch(on);
                DONE
            });
        }
        let at = with_part(id, Kind::Gate)?;
        self.0.with(|state| state.settings[at].open = on);
        DONE
    }

    /// CLOCK_GETSTATE(clock): 1 if it runs.
    pub fn state(&self, id: u32) -> Reply {
        if let Some(at) = pll::of_clock(id) {
            return value(u32::from(self.0.get().plls[at].runs()));
        }
        let at = with_part(id, Kind::Gate)?;
        value(u32::from(self.0.get().settings[at].open))
    }

    /// CLOCK_SETDIVIDER(clock, dividers), of which the half that is not all ones is set; a PLL's
    /// word is its feedback divider.
    pub fn set_divider(&self, id: u32, word: u32) -> Reply {
        if let Some(at) = pll::of_clock(id) {
            return self.0.with(|state| state.plls[at].set_feedback(word));
        }
        let (kind, which, divider) = match (word & KEEP, word >> 16) {
            (first, KEEP) => (Kind::Div1, 0, first),
            (KEEP, second) => (Kind::Div2, 1, second),
            _ => {
                output(id)?;
                return Err(Status::ARGS);
            }
        };
        let at = with_part(id, kind)?;
        if divider == 0 || divider > table::MAX_DIVIDER {
            return Err(Status::INVALID_PARAM);
        }
        self.0
            .with(|state| state.settings[at].dividers[which] = divider as u8);
        DONE
    }

    /// CLOCK_GETDIVIDER(clock): both dividers, the second in the upper half, or a PLL's feedback
    /// divider.
    pub fn dividers(&self, id: u32) -> Reply {
        if let Some(at) = pll::of_clock(id) {
            return value(self.0.get().plls[at].feedback());
        }
        let (at, clock) = output(id)?;
        let dividers = self.0.get().settings[at].dividers;
        let read = |kind, which: usize| match clock.has(kind) {
            true => u32::from(dividers[which]),
            false => 0,
        };
        match read(Kind::Div1, 0) | read(Kind::Div2, 1) << 16 {
            0 => Err(Status::NO_FEATURE),
            word => value(word),
        }
    }

    /// CLOCK_SETPARENT(clock, position).
    pub fn set_parent(&self, id: u32, position: u32) -> Reply {
        let at = with_part(id, Kind::Mux)?;
        let parent = CLOCKS[at].parents.get(position as usize);
        // A PLL is bypassed by stopping it and in no other way.
        if pll::is_bypass(id) || parent.is_none_or(|&parent| parent == table::NO_CLOCK) {
            return Err(Status::ARGS);
        }
        self.0
            .with(|state| state.settings[at].parent = position as u8);
        DONE
    }

    /// CLOCK_GETPARENT(clock): the multiplexer's position.
    pub fn parent(&self, id: u32) -> Reply {
        let at = with_part(id, Kind::Mux)?;
        value(u32::from(self.0.get().settings[at].parent))
    }

    /// IOCTL: makes a PLL fractional (1) or not (0) when it starts the next time.
    pub fn set_fractional(&self, id: u32, fractional: u32) -> Reply {
        let at = pll::of_clock(id).ok_or(Status::ARGS)?;
        self.0.with(|state| state.plls[at].set_mode(fractional))
    }

    /// IOCTL: whether a PLL is fractional.
    pub fn fractional(&self, id: u32) -> Reply {
        let at = pll::of_clock(id).ok_or(Status::ARGS)?;
        value(self.0.get().plls[at].mode())
    }

    /// IOCTL: sets the fraction that a PLL adds to its feedback divider, in 65536ths.
    pub fn set_fraction(&self, id: u32, fraction: u32) -> Reply {
        let at = pll::of_clock(id).ok_or(Status::ARGS)?;
        self.0.with(|state| state.plls[at].set_fraction(fraction))
    }

    /// IOCTL: a PLL's fraction.
    pub fn fraction(&self, id: u32) -> Reply {
        let at = pll::of_clock(id).ok_or(Status::ARGS)?;
        value(self.0.get().plls[at].fraction())
    }
}

impl Default for Clocks {
    fn default() -> Self {
        Clocks::new()
    }
}

impl State {
    /// Tells whether the CPUs or memory run from PLL number `at` at the moment.
    fn must_run(&self, at: usize) -> bool {
        [table::ACPU, table::DDR_REF].into_iter().any(|id| {
            find(id).is_some_and(|(clock_at, clock)| {
                let position = usize::from(self.settings[clock_at].parent);
                clock.parents.get(position) == Some(&pll::output(at))
            })
        })
    }
}

/// The clock `id` and its place in the table.
fn find(id: u32) -> Option<(usize, &'static Clock)> {
    let mut clocks = CLOCKS.iter().enumerate();
    clocks.find(|(_, clock)| clock.id == id)
}

/// The same, or what a function says of a clock that the chip does not put out.
fn output(id: u32) -> Result<(usize, &'static Clock), Status> {
    match find(id) {
        Some(found) => Ok(found),
        None if table::input_name(id).is_some() => Err(Status::NOT_SUPPORTED),
        None => Err(Status::ARGS),
    }
}

/// The place of clock `id`, which must have a part of this kind.
fn with_part(id: u32, kind: Kind) -> Result<usize, Status> {
    let (at, clock) = output(id)?;
    if clock.has(kind) {
        Ok(at)
    } else {
        Err(Status::NO_FEATURE)
    }
}
