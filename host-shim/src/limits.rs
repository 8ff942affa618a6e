// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The watchdog's judgement: how much time a blob has had within one call, and whether that is too
//! much.
//!
//! It is made from samples, one at each tick. The time between two ticks is the blob's if it was
//! running the same call, on the same thread, at both of them, and nobody's otherwise; and it is a
//! tick at most, however long it took until the second sample. So what a call did before it was seen
//! first does not count, nor does a stay with the VMM that lasts over a tick, nor a time in which
//! the watchdog itself was held up. A limit is a number of ticks that found the blob at work: the
//! judgement can be late, and a host that is suspended, stopped or starved makes it later.

use std::time::Duration;

use crate::policy::Config;

/// Ticks for the shorter of the two limits.
const TICKS: u32 = 8;

/// What a blob may not have more of within one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// CPU time of its thread: [`Config::watchdog`].
    CpuTime,
    /// Time that passes while it does not return: [`Config::watchdog_wall`].
    WallTime,
}

/// The limits in force. Zero is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    cpu: Duration,
    wall: Duration,
    /// How long to wait from one sample to the next.
    pub(crate) tick: Duration,
}

/// A vCPU that runs its blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    /// Number of the call.
    pub(crate) call: u64,
    /// The thread that runs it.
    pub(crate) thread: i32,
    /// CPU time that this thread has used so far.
    pub(crate) cpu: Duration,
}

/// What a vCPU's current call has used.
#[derive(Debug, Default)]
pub(crate) struct Account {
    call: u64,
    cpu: Duration,
    wall: Duration,
    /// The last tick's sample.
    last: Option<Sample>,
}

impl Limits {
    /// The limits of a configuration; [`None`] if the watchdog is switched off.
    pub(crate) fn of(config: &Config) -> Option<Limits> {
        let (cpu, wall) = (config.watchdog, config.watchdog_wall);
        let shorter = if wall.is_zero() { cpu } else { cpu.min(wall) };
        (!cpu.is_zero()).then(|| Limits {
            cpu,
            wall,
            tick: (shorter / TICKS).max(Duration::from_nanos(1)),
        })
    }
}

impl Account {
    /// Takes a tick's sample, [`None`] if the blob was not running, `since` the last tick. Returns
    /// the limit that the call in the sample exceeds.
    pub(crate) fn tick(
        &mut self,
        sample: Option<Sample>,
        since: Duration,
        limits: &Limits,
    ) -> Option<Limit> {
        let last = std::mem::replace(&mut self.last, sample);
        let sample = sample?;
        if sample.call != self.call {
            *self = Account {
                call: sample.call,
                last: self.last,
                ..Account::default()
            };
        } else if let Some(last) = last.filter(|last| last.thread == sample.thread) {
            let since = since.min(limits.tick);
            self.wall += since;
            self.cpu += sample.cpu.saturating_sub(last.cpu).min(since);
        }
        if self.cpu >= limits.cpu {
            Some(Limit::CpuTime)
        } else if !limits.wall.is_zero() && self.wall >= limits.wall {
            Some(Limit::WallTime)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(100);
    const LIMITS: Limits = Limits {
        cpu: Duration::from_millis(800),
        wall: Duration::from_millis(2400),
        tick: TICK,
    };

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn sample(call: u64, thread: i32, cpu_ms: u64) -> Option<Sample> {
        let cpu = ms(cpu_ms);
        Some(Sample { call, thread, cpu })
    }

    /// The verdict on samples that come a tick apart, and which sample it came with.
    fn judge(samples: impl IntoIterator<Item = Option<Sample>>) -> Option<(usize, Limit)> {
        let mut account = Account::default();
        samples.into_iter().enumerate().find_map(|(n, sample)| {
            let limit = account.tick(sample, TICK, &LIMITS)?;
            Some((n, limit))
        })
    }

    #[test]
    fn a_loop_is_ended_by_its_cpu_time() {
        let verdict = judge((0..100).map(|n| sample(1, 7, 5000 + 100 * n)));
        assert_eq!(verdict, Some((8, Limit::CpuTime)));
        // Half of a CPU takes twice as long.
        let verdict = judge((0..100).map(|n| sample(1, 7, 5000 + 50 * n)));
        assert_eq!(verdict, Some((16, Limit::CpuTime)));
    }

    #[test]
    fn a_sleeper_is_ended_by_the_wall_limit() {
        let verdict = judge((0..100).map(|_| sample(1, 7, 5000)));
        assert_eq!(verdict, Some((24, Limit::WallTime)));
    }

    #[test]
    fn without_a_wall_limit_a_sleeper_sleeps_on() {
        let limits = Limits {
            wall: Duration::ZERO,
            ..LIMITS
        };
        let mut account = Account::default();
        for _ in 0..1000 {
            assert_eq!(account.tick(sample(1, 7, 0), TICK, &limits), None);
        }
    }

    #[test]
    fn a_thread_that_gets_no_cpu_has_used_none() {
        // 13 hundredths of a CPU, for as long as the wall allows.
        assert_eq!(judge((0..24).map(|n| sample(1, 7, 13 * n))), None);
    }

    #[test]
    fn calls_one_after_the_other_are_judged_each_by_itself() {
        // Each is seen at six ticks.
        let calls = (0..1000).map(|n| sample(1 + n / 6, 7, 100 * n));
        assert_eq!(judge(calls), None);
    }

    #[test]
    fn time_with_the_vmm_is_not_the_blobs() {
        // Every other tick finds the blob, and the VMM has used a CPU all the time.
        let call = |n: u64| {
            if n.is_multiple_of(2) {
                sample(1, 7, 100 * n)
            } else {
                None
            }
        };
        assert_eq!(judge((0..1000).map(call)), None);
        // The same, with the blob's own share seen in pairs of ticks: one interval of four counts.
        let call = |n: u64| {
            if n % 4 < 2 {
                sample(1, 7, 100 * n)
            } else {
                None
            }
        };
        assert_eq!(judge((0..1000).map(call)), Some((29, Limit::CpuTime)));
    }

    #[test]
    fn a_call_that_was_left_does_not_begin_anew() {
        let before = (0..5).map(|n| sample(1, 7, 100 * n));
        let after = (0..100).map(|n| sample(1, 7, 9000 + 100 * n));
        let verdict = judge(before.chain([None, None]).chain(after));
        assert_eq!(verdict, Some((11, Limit::CpuTime)));
    }

    #[test]
    fn another_thread_s_time_is_not_the_blobs() {
        // The call moves at each tick, between threads with much time behind them.
        let moves = (0..1000).map(|n| sample(1, 7 + n, 1000 * n as u64));
        assert_eq!(judge(moves), None);
        // The number of a thread that has ended is given to a younger one.
        let samples = [sample(1, 7, 5000), sample(1, 7, 20), sample(1, 7, 120)];
        let mut account = Account::default();
        for sample in samples {
            assert_eq!(account.tick(sample, TICK, &LIMITS), None);
        }
        assert_eq!(account.cpu, ms(100));
    }

    #[test]
    fn one_tick_counts_for_one_however_long_it_took() {
        // The host was suspended, or the watchdog's own thread starved.
        let mut account = Account::default();
        for n in 0..8 {
            let late = account.tick(sample(1, 7, 60_000 * n), ms(60_000), &LIMITS);
            assert_eq!(late, None);
        }
        // And one that came early is no whole one.
        let mut account = Account::default();
        for n in 0..24 {
            assert_eq!(account.tick(sample(1, 7, n), ms(1), &LIMITS), None);
        }
    }

    #[test]
    fn a_verdict_stands_while_the_call_goes_on() {
        let mut account = Account::default();
        let mut tick = |call, n: u64| account.tick(sample(call, 7, 100 * n), TICK, &LIMITS);
        assert!((0..8).all(|n| tick(1, n).is_none()));
        assert!((8..20).all(|n| tick(1, n) == Some(Limit::CpuTime)));
        assert_eq!(tick(2, 20), None);
    }
}
