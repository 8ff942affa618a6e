// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The clock protocol, version 3.0 (DEN 0056E, 4.6).
//!
//! Left out, and said so to those who ask: notifications and delayed answers, for which the caller
//! would need a channel in the other direction; parents; names longer than 15 characters; duty
//! cycle and other extended settings.

use crate::clocks::{Clock, Clocks, Rates, Round};
use crate::platform::Platform;
use crate::services::scmi::message::{Error, Parameters, Protocol, Reply};

const CLOCK_ATTRIBUTES: u8 = 0x3;
const CLOCK_DESCRIBE_RATES: u8 = 0x4;
const CLOCK_RATE_SET: u8 = 0x5;
const CLOCK_RATE_GET: u8 = 0x6;
const CLOCK_CONFIG_SET: u8 = 0x7;
const CLOCK_CONFIG_GET: u8 = 0xb;
const CLOCK_GET_PERMISSIONS: u8 = 0xf;

/// CLOCK_ATTRIBUTES: the clock runs.
const ENABLED: u32 = 1 << 0;
/// CLOCK_ATTRIBUTES: there is something that the caller may not do with the clock.
const RESTRICTED: u32 = 1 << 1;
/// CLOCK_GET_PERMISSIONS: the caller may switch the clock.
const MAY_SWITCH: u32 = 1 << 31;
/// CLOCK_GET_PERMISSIONS: the caller may choose another parent, if there is one, and rate.
const MAY_CHANGE: u32 = 1 << 30 | 1 << 29;

/// CLOCK_RATE_SET: answer later.
const ASYNCHRONOUS: u32 = 1 << 0;
/// CLOCK_RATE_SET: round up rather than down.
const ROUND_UP: u32 = 1 << 2;
/// CLOCK_RATE_SET: round as the firmware likes.
const ROUND_FREELY: u32 = 1 << 3;
/// CLOCK_RATE_SET: all flags that have a meaning; bit 1 concerns the delayed answer.
const RATE_FLAGS: u32 = 0xf;

/// CLOCK_DESCRIBE_RATES: the answer has the lowest rate, the highest and the step.
const IS_RANGE: u32 = 1 << 12;

/// CLOCK_CONFIG_SET: the states that can be asked for, in bits 1:0.
const DISABLE: u32 = 0;
const ENABLE: u32 = 1;
/// CLOCK_CONFIG_SET: an extended setting, in bits 23:16.
const EXTENDED: u32 = 0xff_0000;

/// The clock protocol over a board's clocks.
#[derive(Clone, Copy, Debug)]
pub struct ClockProtocol<'a, const N: usize>(pub &'a Clocks<N>);

impl<const N: usize> Protocol for ClockProtocol<'_, N> {
    fn id(&self) -> u8 {
        0x14
    }

    fn version(&self) -> u32 {
        0x3_0000
    }

    /// The number of clocks in bits 15:0; that of delayed answers above it is 0.
    fn attributes(&self) -> u32 {
        self.0.count().min(0xffff) as u32
    }

    fn has(&self, message: u8) -> bool {
        matches!(
            message,
            CLOCK_ATTRIBUTES..=CLOCK_CONFIG_SET | CLOCK_CONFIG_GET | CLOCK_GET_PERMISSIONS
        )
    }

    fn handle(
        &self,
        message: u8,
        parameters: Parameters<'_>,
        reply: &mut Reply<'_>,
        _: &mut dyn Platform,
    ) -> Result<(), Error> {
        match message {
            CLOCK_ATTRIBUTES => {
                let [id] = parameters.words()?;
                let (n, clock) = self.find(id)?;
                let restricted = if clock.kept { RESTRICTED } else { 0 };
                reply.word(restricted | self.enabled(n)?)?;
                reply.name(clock.name)?;
                // Latency of enabling it: not known.
                reply.word(0)
            }
            CLOCK_DESCRIBE_RATES => {
                let [id, first] = parameters.words()?;
                describe(&self.find(id)?.1.rates, first, reply)
            }
            CLOCK_RATE_SET => {
                let [flags, id, low, high] = parameters.words()?;
                let rate = u64::from(high) << 32 | u64::from(low);
                self.set_rate(flags, id, rate)
            }
            CLOCK_RATE_GET => {
                let [id] = parameters.words()?;
                let (n, _) = self.find(id)?;
                reply.double(self.0.rate(n).ok_or(Error::NotFound)?)
            }
            CLOCK_CONFIG_SET => {
                let [id, attributes, _] = parameters.words()?;
                self.set_config(id, attributes)
            }
            CLOCK_CONFIG_GET => {
                let [id, flags] = parameters.words()?;
                let (n, _) = self.find(id)?;
                if flags != 0 {
                    return Err(Error::NotSupported);
                }
                reply.word(0)?;
                reply.word(self.enabled(n)?)?;
                reply.word(0)
            }
            CLOCK_GET_PERMISSIONS => {
                let [id] = parameters.words()?;
                let (_, clock) = self.find(id)?;
                let switch = if clock.kept { 0 } else { MAY_SWITCH };
                reply.word(switch | MAY_CHANGE)
            }
            _ => Err(Error::NotSupported),
        }
    }
}

impl<const N: usize> ClockProtocol<'_, N> {
    fn find(&self, id: u32) -> Result<(usize, &'static Clock), Error> {
        let n = id as usize;
        self.0
            .clock(n)
            .map(|clock| (n, clock))
            .ok_or(Error::NotFound)
    }

    fn enabled(&self, n: usize) -> Result<u32, Error> {
        let on = self.0.is_on(n).ok_or(Error::NotFound)?;
        Ok(if on { ENABLED } else { 0 })
    }

    fn set_rate(&self, flags: u32, id: u32, rate: u64) -> Result<(), Error> {
        let (n, _) = self.find(id)?;
        if flags & !RATE_FLAGS != 0 {
            return Err(Error::InvalidParameters);
        }
        if flags & ASYNCHRONOUS != 0 {
            return Err(Error::NotSupported);
        }
        let how = if flags & ROUND_FREELY != 0 {
            Round::Nearest
        } else if flags & ROUND_UP != 0 {
            Round::Up
        } else {
            Round::Down
        };
        let set = self.0.set_rate(n, rate, how);
        set.map(drop).ok_or(Error::InvalidParameters)
    }

    fn set_config(&self, id: u32, attributes: u32) -> Result<(), Error> {
        let (n, _) = self.find(id)?;
        if attributes & EXTENDED != 0 {
            return Err(Error::NotSupported);
        }
        let on = match attributes {
            DISABLE => false,
            ENABLE => true,
            _ => return Err(Error::InvalidParameters),
        };
        match self.0.switch(n, on) {
            Some(runs) if runs == on => Ok(()),
            Some(_) => Err(Error::Denied),
            None => Err(Error::NotFound),
        }
    }
}

/// Answers with rates from number `first` on: how many and what kind, then the rates.
fn describe(rates: &Rates, first: u32, reply: &mut Reply<'_>) -> Result<(), Error> {
    let Rates::List(list) = rates else {
        if first != 0 {
            return Err(Error::OutOfRange);
        }
        let (lowest, highest) = rates.bounds();
        let step = match *rates {
            Rates::Range { step, .. } => step,
            // The fractions of a source have no step of their own.
            _ => 1,
        };
        reply.word(IS_RANGE | 3)?;
        reply.double(lowest)?;
        reply.double(highest)?;
        return reply.double(step);
    };
    let after = list.get(first as usize..).unwrap_or_default();
    if after.is_empty() {
        return Err(Error::OutOfRange);
    }
    // Their number is in twelve bits of the answer.
    let room = (reply.left().saturating_sub(4) / 8).min(0xfff);
    let (now, later) = after.split_at(after.len().min(room));
    reply.word((later.len().min(0xffff) as u32) << 16 | now.len() as u32)?;
    now.iter().try_for_each(|&rate| reply.double(rate))
}
