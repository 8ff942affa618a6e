// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The registers of a PL310 (L2C-310) cache controller (Arm DDI 0246), without a cache behind them.
//!
//! A guest under KVM has no such cache; a kernel for a board that has one wants to find and enable
//! it. What counts is who may write: control, auxiliary control, latencies, address filter, debug,
//! prefetch and power belong to the secure world, which is why those kernels call their firmware to
//! switch the controller on. Maintenance is done at once, so its registers always read as zero.

use std::collections::BTreeMap;

use crate::bus::{Access, Device, Effect};

const CONTROL: u64 = 0x100;
const AUXILIARY_CONTROL: u64 = 0x104;
/// Interrupt registers 0x214 to 0x220: the counters' interrupts, which never come.
const INTERRUPTS: std::ops::RangeInclusive<u64> = 0x200..=0x220;
/// Cache sync, and invalidate and clean by address, index or way.
const MAINTENANCE: std::ops::RangeInclusive<u64> = 0x730..=0x7fc;
/// Lockdown by master: open to the non-secure world when the auxiliary control register says so.
const LOCKDOWN: std::ops::RangeInclusive<u64> = 0x900..=0x954;
/// Auxiliary control, bit 26: non-secure lockdown enable.
const NON_SECURE_LOCKDOWN: u32 = 1 << 26;

/// The controller: off until the secure world writes its control register.
#[derive(Debug)]
pub struct Pl310 {
    registers: BTreeMap<u64, u32>,
}

impl Pl310 {
    /// A controller with initial values by offset; what is not given is zero.
    pub fn new(registers: BTreeMap<u64, u32>) -> Self {
        Pl310 { registers }
    }

    fn get(&self, register: u64) -> u32 {
        self.registers.get(&register).copied().unwrap_or(0)
    }

    fn may_write(&self, register: u64, secure: bool) -> bool {
        match register {
            0..CONTROL => false,
            _ if secure => true,
            _ if LOCKDOWN.contains(&register) => {
                self.get(AUXILIARY_CONTROL) & NON_SECURE_LOCKDOWN != 0
            }
            _ => false,
        }
    }
}

impl Device for Pl310 {
    fn read(&mut self, access: Access) -> u64 {
        let register = access.offset & !3;
        if MAINTENANCE.contains(&register) || INTERRUPTS.contains(&register) {
            return 0;
        }
        u64::from(self.get(register)) >> (8 * (access.offset & 3))
    }

    fn write(&mut self, access: Access, value: u64) -> Effect {
        if access.size == 4 && self.may_write(access.offset, access.secure) {
            self.registers.insert(access.offset, value as u32);
        }
        Effect::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUX: u32 = 0x0247_0000 | NON_SECURE_LOCKDOWN;

    fn at(offset: u64, secure: bool) -> Access {
        Access {
            offset,
            size: 4,
            secure,
        }
    }

    fn controller() -> Pl310 {
        Pl310::new(BTreeMap::from([(0, 0x4100_00c7), (AUXILIARY_CONTROL, AUX)]))
    }

    #[test]
    fn only_the_secure_world_switches_it_on() {
        let mut l2 = controller();
        let _ = l2.write(at(CONTROL, false), 1);
        assert_eq!(
            l2.read(at(CONTROL, false)),
            0,
            "the guest's own write is ignored"
        );
        let _ = l2.write(at(CONTROL, true), 1);
        assert_eq!(l2.read(at(CONTROL, false)), 1);
    }

    #[test]
    fn the_auxiliary_control_register_is_stable_for_the_guest() {
        let mut l2 = controller();
        let _ = l2.write(at(AUXILIARY_CONTROL, false), 0);
        assert_eq!(l2.read(at(AUXILIARY_CONTROL, false)), u64::from(AUX));
        let _ = l2.write(at(0, true), 0);
        assert_eq!(
            l2.read(at(0, true)),
            0x4100_00c7,
            "the ID is nobody's to write"
        );
    }

    #[test]
    fn maintenance_is_done_when_it_is_asked_for() {
        let mut l2 = controller();
        for register in [0x730, 0x740, 0x77c, 0x7fc] {
            let _ = l2.write(at(register, false), 0xffff);
            assert_eq!(l2.read(at(register, false)), 0);
        }
    }

    #[test]
    fn lockdown_is_open_to_the_guest_when_the_firmware_allowed_it() {
        let mut l2 = controller();
        let _ = l2.write(at(0x900, false), 0xff);
        assert_eq!(l2.read(at(0x900, false)), 0xff);
        let _ = l2.write(at(AUXILIARY_CONTROL, true), 0);
        let _ = l2.write(at(0x900, false), 0);
        assert_eq!(l2.read(at(0x900, false)), 0xff);
    }
}
