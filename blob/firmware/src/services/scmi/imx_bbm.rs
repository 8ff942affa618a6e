// SPDX-License-Identifier: Apache-2.0 OR MIT
//! NXP's protocol for the battery-backed module of an i.MX, version 1.0: a real-time clock, the
//! on/off button and registers that outlive the power (Linux
//! drivers/firmware/arm_scmi/vendors/imx/imx95.rst).
//!
//! The real-time clock is the platform's, shifted by however much the guest has set it. Like i.MX'
//! BBNSM it has 32 bits of seconds, which roll over in 2106, and 15 bits of ticks.
//!
//! An alarm is taken and remembered, but nobody hears it: events need a channel from the firmware
//! to the kernel, which Linux' SMC transport has not. To ask for events succeeds nevertheless,
//! because the kernel's driver gives up its clock otherwise. There is no button either, so it is
//! never pressed.

use crate::lock::Lock;
use crate::platform::Platform;
use crate::services::scmi::message::{Error, Parameters, Protocol, Reply};

const GPR_SET: u8 = 0x3;
const GPR_GET: u8 = 0x4;
const RTC_ATTRIBUTES: u8 = 0x5;
const RTC_TIME_SET: u8 = 0x6;
const RTC_TIME_GET: u8 = 0x7;
const RTC_ALARM_SET: u8 = 0x8;
const BUTTON_GET: u8 = 0x9;
const RTC_NOTIFY: u8 = 0xa;
const BUTTON_NOTIFY: u8 = 0xb;

/// The registers of BBNSM.
const GPRS: usize = 8;
/// The one clock's number.
const RTC: u32 = 0;
/// Flag of a time: it is in ticks, not in seconds.
const IN_TICKS: u32 = 1 << 0;
/// Flag of an alarm: it is on.
const ALARM_ON: u32 = 1 << 0;
/// Flags of RTC_NOTIFY: alarm, rollover, update.
const RTC_EVENTS: u32 = 7;
/// Flag of BUTTON_NOTIFY.
const BUTTON_EVENT: u32 = 1;

const SECOND: u64 = 1_000_000_000;
const SECOND_BITS: u32 = 32;
const TICK_BITS: u32 = 15;
const TICKS: u64 = 1 << TICK_BITS;
/// After so many nanoseconds the clock starts over.
const ROLLOVER: u64 = SECOND << SECOND_BITS;

/// The battery-backed module.
#[derive(Debug)]
pub struct ImxBbm(Lock<State>);

#[derive(Debug)]
struct State {
    /// Nanoseconds from the platform's time to the clock's, modulo 2^64.
    ahead: u64,
    /// When the alarm is due, in seconds of the clock.
    alarm: Option<u64>,
    gprs: [u32; GPRS],
}

impl Default for ImxBbm {
    fn default() -> Self {
        ImxBbm::new()
    }
}

impl ImxBbm {
    /// A module whose clock shows the platform's time.
    pub const fn new() -> Self {
        ImxBbm(Lock::new(State {
            ahead: 0,
            alarm: None,
            gprs: [0; GPRS],
        }))
    }

    /// Returns when the alarm is due, in seconds of the clock, if one is set.
    pub fn alarm(&self) -> Option<u64> {
        self.0.with(|state| state.alarm)
    }
}

impl Protocol for ImxBbm {
    fn id(&self) -> u8 {
        0x81
    }

    fn version(&self) -> u32 {
        0x1_0000
    }

    /// The number of clocks in bits 23:16, of registers in 15:0.
    fn attributes(&self) -> u32 {
        1 << 16 | GPRS as u32
    }

    fn has(&self, message: u8) -> bool {
        (GPR_SET..=BUTTON_NOTIFY).contains(&message)
    }

    fn handle(
        &self,
        message: u8,
        parameters: Parameters<'_>,
        reply: &mut Reply<'_>,
        platform: &mut dyn Platform,
    ) -> Result<(), Error> {
        match message {
            GPR_SET => {
                let [n, value] = parameters.words()?;
                self.gpr(n, |gpr| *gpr = value)
            }
            GPR_GET => {
                let [n] = parameters.words()?;
                reply.word(self.gpr(n, |gpr| *gpr)?)
            }
            RTC_ATTRIBUTES => {
                let [id] = parameters.words()?;
                check(id, 0, 0)?;
                reply.word(SECOND_BITS << 24 | TICK_BITS << 16 | TICKS as u32)?;
                reply.name("rtc")
            }
            RTC_TIME_SET => {
                let [id, flags, low, high] = parameters.words()?;
                check(id, flags, IN_TICKS)?;
                self.set_time(flags, u64::from(high) << 32 | u64::from(low), platform)
            }
            RTC_TIME_GET => {
                let [id, flags] = parameters.words()?;
                check(id, flags, IN_TICKS)?;
                reply.double(self.time(flags, platform)?)
            }
            RTC_ALARM_SET => {
                let [id, flags, low, high] = parameters.words()?;
                check(id, flags, ALARM_ON)?;
                self.set_alarm(flags, u64::from(high) << 32 | u64::from(low))
            }
            BUTTON_GET => {
                let [] = parameters.words()?;
                reply.word(0)
            }
            RTC_NOTIFY => {
                let [id, flags] = parameters.words()?;
                check(id, flags, RTC_EVENTS)
            }
            BUTTON_NOTIFY => {
                let [flags] = parameters.words()?;
                check(RTC, flags, BUTTON_EVENT)
            }
            _ => Err(Error::NotSupported),
        }
    }
}

impl ImxBbm {
    fn gpr<R>(&self, n: u32, work: impl FnOnce(&mut u32) -> R) -> Result<R, Error> {
        let found = |state: &mut State| state.gprs.get_mut(n as usize).map(work);
        self.0.with(found).ok_or(Error::NotFound)
    }

    fn time(&self, flags: u32, platform: &mut dyn Platform) -> Result<u64, Error> {
        let now = now(platform)?.wrapping_add(self.0.with(|state| state.ahead)) % ROLLOVER;
        Ok(if flags & IN_TICKS == 0 {
            now / SECOND
        } else {
            now / SECOND * TICKS + now % SECOND * TICKS / SECOND
        })
    }

    fn set_time(&self, flags: u32, time: u64, platform: &mut dyn Platform) -> Result<(), Error> {
        let (seconds, ticks) = if flags & IN_TICKS == 0 {
            (time, 0)
        } else {
            (time / TICKS, time % TICKS)
        };
        if seconds >> SECOND_BITS != 0 {
            return Err(Error::InvalidParameters);
        }
        // Rounded up, so that the same tick reads back.
        let time = seconds * SECOND + (ticks * SECOND).div_ceil(TICKS);
        let ahead = time.wrapping_sub(now(platform)?);
        self.0.with(|state| state.ahead = ahead);
        Ok(())
    }

    fn set_alarm(&self, flags: u32, seconds: u64) -> Result<(), Error> {
        if seconds >> SECOND_BITS != 0 {
            return Err(Error::InvalidParameters);
        }
        let alarm = (flags & ALARM_ON != 0).then_some(seconds);
        self.0.with(|state| state.alarm = alarm);
        Ok(())
    }
}

/// Refuses another clock than the one, and flags without meaning.
fn check(id: u32, flags: u32, known: u32) -> Result<(), Error> {
    if id != RTC {
        Err(Error::NotFound)
    } else if flags & !known != 0 {
        Err(Error::InvalidParameters)
    } else {
        Ok(())
    }
}

/// The platform's time in nanoseconds since 1970.
fn now(platform: &mut dyn Platform) -> Result<u64, Error> {
    platform
        .time()
        .map(|(_, realtime)| realtime)
        .map_err(|_| Error::Hardware)
}
