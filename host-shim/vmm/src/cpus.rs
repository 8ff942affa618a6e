// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which CPUs are on: the state that a blob's PSCI service asks for and changes.
//!
//! A CPU that is off waits in KVM_RUN (KVM keeps it there). Somebody who starts it leaves the entry
//! point here and kicks its thread, which then resets the CPU itself: no thread touches another
//! one's registers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use fakemon_abi::mpidr::AFFINITY;
use fakemon_abi::status::{ALREADY_ON, INVALID_PARAMETERS, ON_PENDING};

/// Where a CPU starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Guest physical address; for a 32-bit CPU bit 0 selects Thumb.
    pub entry: u64,
    /// Value of x0 or r0.
    pub context: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Power {
    On,
    Off,
    Pending(Start),
}

/// The power states of all CPUs.
#[derive(Debug)]
pub struct Cpus {
    mpidr: Vec<u64>,
    power: Mutex<Vec<Power>>,
}

impl Cpus {
    /// CPUs with these MPIDRs, of which the first is on.
    pub fn new(mpidr: Vec<u64>) -> Self {
        let mut power = vec![Power::Off; mpidr.len()];
        if let Some(first) = power.first_mut() {
            *first = Power::On;
        }
        Cpus {
            mpidr,
            power: Mutex::new(power),
        }
    }

    /// The MPIDR affinity of each CPU.
    pub fn mpidr(&self) -> &[u64] {
        &self.mpidr
    }

    /// Asks for a CPU to be started, and returns its number so that its thread can be kicked.
    ///
    /// # Errors
    /// A [status](fakemon_abi::status) code, as PSCI CPU_ON has them (DEN 0022, 5.6).
    pub fn start(&self, mpidr: u64, start: Start) -> Result<usize, i32> {
        let number = self.mpidr.iter().position(|&own| own == mpidr & AFFINITY);
        let number = number.ok_or(INVALID_PARAMETERS)?;
        match &mut self.lock()[number] {
            Power::On => Err(ALREADY_ON),
            Power::Pending(_) => Err(ON_PENDING),
            off => {
                *off = Power::Pending(start);
                Ok(number)
            }
        }
    }

    /// PSCI AFFINITY_INFO: 0 if one of the CPUs that `mpidr` names at this level is on, 2 if one is
    /// about to, 1 if all are off, or a [status](fakemon_abi::status) code.
    pub fn affinity(&self, mpidr: u64, level: u64) -> i32 {
        let mask = match level {
            0 => AFFINITY,
            1 => AFFINITY & !0xff,
            2 => AFFINITY & !0xffff,
            3 => AFFINITY & !0xff_ffff,
            _ => return INVALID_PARAMETERS,
        };
        let power = self.lock();
        let named = self
            .mpidr
            .iter()
            .zip(power.iter())
            .filter(|&(own, _)| own & mask == mpidr & mask);
        let state = |power: &Power| match power {
            Power::On => 0,
            Power::Pending(_) => 2,
            Power::Off => 1,
        };
        // On wins over pending, pending over off.
        let rank = |state: &i32| [0, 2, 1].iter().position(|known| known == state);
        named
            .map(|(_, power)| state(power))
            .min_by_key(rank)
            .unwrap_or(INVALID_PARAMETERS)
    }

    /// Takes the order to start, if there is one for this CPU, which is on from now.
    pub fn take_start(&self, number: usize) -> Option<Start> {
        let mut power = self.lock();
        let Power::Pending(start) = *power.get(number)? else {
            return None;
        };
        power[number] = Power::On;
        Some(start)
    }

    /// Tells whether a CPU is on.
    pub fn is_on(&self, number: usize) -> bool {
        matches!(self.lock().get(number), Some(Power::On))
    }

    /// Notes that a CPU is off; false if that was the last one.
    pub fn stop(&self, number: usize) -> bool {
        let mut power = self.lock();
        if let Some(own) = power.get_mut(number) {
            *own = Power::Off;
        }
        power.iter().any(|power| *power != Power::Off)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Power>> {
        self.power.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Start = Start {
        entry: 0x4000_0000,
        context: 7,
    };

    #[test]
    fn a_cpu_goes_from_off_through_pending_to_on_and_off_again() {
        let cpus = Cpus::new(vec![0, 1, 0x100]);
        assert_eq!(cpus.affinity(0x100, 0), 1);
        assert_eq!(
            cpus.start(0x8000_0100, START),
            Ok(2),
            "bits outside the affinity do not count"
        );
        assert_eq!(cpus.affinity(0x100, 0), 2);
        assert_eq!(cpus.start(0x100, START), Err(ON_PENDING));
        assert_eq!(cpus.take_start(2), Some(START));
        assert_eq!(cpus.take_start(2), None);
        assert_eq!(cpus.affinity(0x100, 0), 0);
        assert_eq!(cpus.start(0x100, START), Err(ALREADY_ON));
        assert!(cpus.stop(2));
        assert_eq!(cpus.affinity(0x100, 0), 1);
    }

    #[test]
    fn a_cluster_is_on_while_one_of_its_cpus_is() {
        let cpus = Cpus::new(vec![0, 1, 0x100, 0x101]);
        assert_eq!(cpus.affinity(0x1, 1), 0);
        assert_eq!(cpus.affinity(0x1ff, 1), 1);
        assert_eq!(cpus.start(0x101, START), Ok(3));
        assert_eq!(cpus.affinity(0x100, 1), 2);
        assert_eq!(cpus.affinity(0, 3), 0);
    }

    #[test]
    fn cpus_that_are_not_there_are_invalid() {
        let cpus = Cpus::new(vec![0]);
        assert_eq!(cpus.start(9, START), Err(INVALID_PARAMETERS));
        assert_eq!(cpus.affinity(0x900, 0), INVALID_PARAMETERS);
        assert_eq!(cpus.affinity(0, 4), INVALID_PARAMETERS);
        assert_eq!(cpus.take_start(5), None);
    }

    #[test]
    fn the_last_cpu_that_goes_off_is_noticed() {
        let cpus = Cpus::new(vec![0, 1]);
        assert_eq!(cpus.start(1, START), Ok(1));
        assert!(cpus.stop(0), "the other one is about to come up");
        assert!(cpus.take_start(1).is_some());
        assert!(!cpus.stop(1));
    }
}
