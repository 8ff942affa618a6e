// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Clocks as secure firmware keeps them: a table of what each can do, and what each does now.
//!
//! How a kernel asks for a rate or switches a clock is the interface's affair; what comes of it is
//! the same for all of them and is here. There is no hardware behind a clock: its rate is the one
//! that the hardware would have.

use crate::lock::Lock;

/// The rates that a clock can run at, in hertz.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rates {
    /// These alone, ascending; a clock that cannot change has one.
    List(&'static [u64]),
    /// From `min` to `max` in steps of `step`, as a PLL with an integer multiplier makes them.
    Range {
        /// The lowest.
        min: u64,
        /// The highest, some steps above `min`.
        max: u64,
        /// The step, not 0.
        step: u64,
    },
    /// `source` by each whole number from 1 to `most`, rounded down to a hertz.
    Divided {
        /// The rate of the source.
        source: u64,
        /// The largest divider, not 0.
        most: u64,
    },
}

/// What to do about a rate that a clock cannot run at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Round {
    /// The next lower one.
    Down,
    /// The next higher one.
    Up,
    /// The nearest one.
    Nearest,
}

impl Rates {
    /// Returns the rate that comes of asking for `wanted`; [`None`] if there is none on that side.
    pub fn round(&self, wanted: u64, how: Round) -> Option<u64> {
        match how {
            Round::Down => self.at_most(wanted),
            Round::Up => self.at_least(wanted),
            Round::Nearest => {
                let sides = [self.at_most(wanted), self.at_least(wanted)];
                let distance = |rate: &u64| rate.abs_diff(wanted);
                sides.into_iter().flatten().min_by_key(distance)
            }
        }
    }

    /// Returns the lowest and the highest rate.
    pub fn bounds(&self) -> (u64, u64) {
        let lowest = self.at_least(0).unwrap_or(0);
        (lowest, self.at_most(u64::MAX).unwrap_or(lowest))
    }

    fn at_most(&self, wanted: u64) -> Option<u64> {
        match *self {
            Rates::List(rates) => rates.iter().rfind(|&&rate| rate <= wanted).copied(),
            Rates::Range { min, max, step } => {
                let above = wanted.min(max).checked_sub(min)?;
                Some(min + above - above.checked_rem(step)?)
            }
            Rates::Divided { source, most } => {
                // The first divider whose quotient is below the next whole hertz.
                let divider = match wanted.checked_add(1) {
                    Some(next) => source / next + 1,
                    None => 1,
                };
                (divider <= most).then(|| source / divider)
            }
        }
    }

    fn at_least(&self, wanted: u64) -> Option<u64> {
        match *self {
            Rates::List(rates) => rates.iter().find(|&&rate| rate >= wanted).copied(),
            Rates::Range { min, max, step } => {
                let above = wanted.saturating_sub(min);
                let steps = above.checked_div(step)? + u64::from(above.checked_rem(step)? != 0);
                let rate = min.checked_add(steps.checked_mul(step)?)?;
                (rate <= max).then_some(rate)
            }
            Rates::Divided { source, most } => {
                let divider = source.checked_div(wanted).unwrap_or(most).min(most);
                source.checked_div(divider)
            }
        }
    }
}

/// A clock of a board.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Its name.
    pub name: &'static str,
    /// The rates that it can run at.
    pub rates: Rates,
    /// Its rate at reset in hertz, one of `rates`.
    pub rate: u64,
    /// Whether it runs at reset.
    pub on: bool,
    /// Whether it must run for as long as the machine does, so that nobody can stop it.
    pub kept: bool,
}

#[derive(Clone, Copy, Debug)]
struct State {
    rate: u64,
    on: bool,
}

/// The clocks of a board, numbered from 0.
#[derive(Debug)]
pub struct Clocks<const N: usize> {
    table: &'static [Clock; N],
    state: Lock<[State; N]>,
}

impl<const N: usize> Clocks<N> {
    /// Takes the clocks of `table` as they come out of reset.
    pub const fn new(table: &'static [Clock; N]) -> Self {
        let mut state = [State { rate: 0, on: false }; N];
        let mut n = 0;
        while n < N {
            state[n] = State {
                rate: table[n].rate,
                on: table[n].on,
            };
            n += 1;
        }
        Clocks {
            table,
            state: Lock::new(state),
        }
    }

    /// Returns how many clocks there are.
    pub const fn count(&self) -> usize {
        N
    }

    /// Returns what clock `n` is; [`None`] if there is no such clock.
    pub fn clock(&self, n: usize) -> Option<&'static Clock> {
        self.table.get(n)
    }

    /// Returns the rate of clock `n` in hertz, which it has or would have if it ran.
    pub fn rate(&self, n: usize) -> Option<u64> {
        self.state
            .with(|state| state.get(n).map(|clock| clock.rate))
    }

    /// Sets the rate of clock `n` as near to `wanted` hertz as `how` allows, and returns it;
    /// [`None`] if there is no such clock or no such rate.
    pub fn set_rate(&self, n: usize, wanted: u64, how: Round) -> Option<u64> {
        let rate = self.clock(n)?.rates.round(wanted, how)?;
        self.state.with(|state| {
            state.get_mut(n)?.rate = rate;
            Some(rate)
        })
    }

    /// Tells whether clock `n` runs.
    pub fn is_on(&self, n: usize) -> Option<bool> {
        self.state.with(|state| state.get(n).map(|clock| clock.on))
    }

    /// Starts or stops clock `n`, and tells whether it runs then; [`None`] if there is no such
    /// clock.
    pub fn switch(&self, n: usize, on: bool) -> Option<bool> {
        let runs = on || self.clock(n)?.kept;
        self.state.with(|state| {
            state.get_mut(n)?.on = runs;
            Some(runs)
        })
    }
}

#[cfg(test)]
mod tests;
