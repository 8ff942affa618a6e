// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which CPUs of a guest are on: what a blob's PSCI service asks for and changes, for any VMM.
//!
//! A CPU that is off waits in KVM_RUN (KVM keeps it there). Somebody who starts it leaves the entry
//! point here and kicks its thread, which then resets the CPU itself: no thread touches another
//! one's registers.
//!
//! Others may look at those registers, a register at a time: a VMM that shows or saves its state. So a
//! start that is pending is [taken](Cpus::take_start) at two places alone: before KVM_RUN is
//! entered, and before the CPU's thread tells the VMM that it has left. In between, whoever looks sees
//! all of a start or nothing of it.

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

#[derive(Clone, Copy, Debug)]
struct Cpu {
    mpidr: u64,
    power: Power,
}

/// The power states of a guest's CPUs, which count from 0 in the order in which they came.
#[derive(Debug, Default)]
pub struct Cpus(Mutex<Vec<Cpu>>);

impl Cpus {
    /// CPUs with these MPIDRs, of which the first is on.
    pub fn new(mpidr: impl IntoIterator<Item = u64>) -> Self {
        let cpus = Cpus::default();
        for (number, mpidr) in mpidr.into_iter().enumerate() {
            cpus.add(mpidr, number == 0);
        }
        cpus
    }

    /// Adds a CPU, which may be long after the others, and returns its number.
    pub fn add(&self, mpidr: u64, on: bool) -> usize {
        let mut cpus = self.lock();
        cpus.push(Cpu {
            mpidr: mpidr & AFFINITY,
            power: power(on),
        });
        cpus.len() - 1
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Gives a CPU another name: VMMs may set MPIDR_EL1 until it runs first.
    pub fn rename(&self, number: usize, mpidr: u64) {
        if let Some(own) = self.lock().get_mut(number) {
            own.mpidr = mpidr & AFFINITY;
        }
    }

    /// Asks for a CPU to be started, and returns its number so that its thread can be kicked.
    ///
    /// # Errors
    /// A [status](fakemon_abi::status) code, as PSCI CPU_ON has them (DEN 0022, 5.6).
    pub fn start(&self, mpidr: u64, start: Start) -> Result<usize, i32> {
        let mut cpus = self.lock();
        let number = cpus.iter().position(|own| own.mpidr == mpidr & AFFINITY);
        let number = number.ok_or(INVALID_PARAMETERS)?;
        match &mut cpus[number].power {
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
        let cpus = self.lock();
        let named = cpus.iter().filter(|own| own.mpidr & mask == mpidr & mask);
        let state = |cpu: &Cpu| match cpu.power {
            Power::On => 0,
            Power::Pending(_) => 2,
            Power::Off => 1,
        };
        // On wins over pending, pending over off.
        let rank = |state: &i32| [0, 2, 1].iter().position(|known| known == state);
        named
            .map(state)
            .min_by_key(rank)
            .unwrap_or(INVALID_PARAMETERS)
    }

    /// Takes the order to start, if there is one for this CPU, which is on from now.
    pub fn take_start(&self, number: usize) -> Option<Start> {
        let mut cpus = self.lock();
        let own = &mut cpus.get_mut(number)?.power;
        let Power::Pending(start) = *own else {
            return None;
        };
        *own = Power::On;
        Some(start)
    }

    /// Takes back an order to start that the CPU has not [taken](Self::take_start), and tells whether
    /// there was one.
    pub fn cancel_start(&self, number: usize) -> bool {
        let mut cpus = self.lock();
        let pending = cpus.get_mut(number);
        let pending = pending.filter(|own| matches!(own.power, Power::Pending(_)));
        let is_there = pending.is_some();
        if let Some(own) = pending {
            own.power = Power::Off;
        }
        is_there
    }

    /// Tells whether a CPU is on.
    pub fn is_on(&self, number: usize) -> bool {
        let cpus = self.lock();
        cpus.get(number).is_some_and(|own| own.power == Power::On)
    }

    /// Notes that a CPU is off; false if that was the last one.
    pub fn stop(&self, number: usize) -> bool {
        let mut cpus = self.lock();
        if let Some(own) = cpus.get_mut(number) {
            own.power = Power::Off;
        }
        cpus.iter().any(|own| own.power != Power::Off)
    }

    /// Notes that the VMM has reset a CPU, with KVM_ARM_VCPU_INIT: whatever was asked for before is
    /// forgotten.
    pub fn reset(&self, number: usize, on: bool) {
        if let Some(own) = self.lock().get_mut(number) {
            own.power = power(on);
        }
    }

    /// Notes that the VMM has set a CPU's state with KVM_SET_MP_STATE. A start that is pending stays so
    /// if the VMM writes back that the CPU is off, as it has read before.
    pub fn set(&self, number: usize, on: bool) {
        if let Some(own) = self.lock().get_mut(number)
            && (on || own.power == Power::On)
        {
            own.power = power(on);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Cpu>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn power(on: bool) -> Power {
    match on {
        true => Power::On,
        false => Power::Off,
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
        let cpus = Cpus::new([0, 1, 0x100]);
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
        let cpus = Cpus::new([0, 1, 0x100, 0x101]);
        assert_eq!(cpus.affinity(0x1, 1), 0);
        assert_eq!(cpus.affinity(0x1ff, 1), 1);
        assert_eq!(cpus.start(0x101, START), Ok(3));
        assert_eq!(cpus.affinity(0x100, 1), 2);
        assert_eq!(cpus.affinity(0, 3), 0);
    }

    #[test]
    fn cpus_that_are_not_there_are_invalid() {
        let cpus = Cpus::new([0]);
        assert_eq!(cpus.start(9, START), Err(INVALID_PARAMETERS));
        assert_eq!(cpus.affinity(0x900, 0), INVALID_PARAMETERS);
        assert_eq!(cpus.affinity(0, 4), INVALID_PARAMETERS);
        assert_eq!(cpus.take_start(5), None);
    }

    #[test]
    fn the_last_cpu_that_goes_off_is_noticed() {
        let cpus = Cpus::new([0, 1]);
        assert_eq!(cpus.start(1, START), Ok(1));
        assert!(cpus.stop(0), "the other one is about to come up");
        assert!(cpus.take_start(1).is_some());
        assert!(!cpus.stop(1));
    }

    #[test]
    fn a_cpu_that_comes_late_is_one_of_them() {
        let cpus = Cpus::new([0]);
        assert_eq!(cpus.start(1, START), Err(INVALID_PARAMETERS));
        assert_eq!((cpus.add(7, false), cpus.count()), (1, 2));
        cpus.rename(1, 0x8000_0001);
        assert_eq!(cpus.start(7, START), Err(INVALID_PARAMETERS));
        assert_eq!(cpus.start(1, START), Ok(1));
    }

    #[test]
    fn a_start_can_be_taken_back_until_the_cpu_has_taken_it() {
        let cpus = Cpus::new([0, 1]);
        assert!(!cpus.cancel_start(1));
        assert_eq!(cpus.start(1, START), Ok(1));
        assert!(cpus.cancel_start(1));
        assert_eq!((cpus.take_start(1), cpus.affinity(1, 0)), (None, 1));
        assert_eq!(cpus.start(1, START), Ok(1));
        assert_eq!(cpus.take_start(1), Some(START));
        assert!(!cpus.cancel_start(1));
        assert!(cpus.is_on(1));
    }

    #[test]
    fn what_a_vmm_writes_back_takes_no_pending_start_away_but_a_reset_does() {
        let cpus = Cpus::new([0, 1]);
        assert_eq!(cpus.start(1, START), Ok(1));
        cpus.set(1, false);
        assert_eq!(cpus.affinity(1, 0), 2);
        cpus.reset(1, false);
        assert_eq!(cpus.affinity(1, 0), 1);
        cpus.set(1, true);
        assert!(cpus.is_on(1));
        cpus.set(1, false);
        assert!(!cpus.is_on(1));
    }
}
