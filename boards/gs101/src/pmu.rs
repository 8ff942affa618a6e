// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Writes to the PMU for the non-secure world, which can read the unit but not write it.
//!
//! The blob keeps the registers, and shows each value that it writes in the page that the guest
//! reads as the unit. The guest could write to that page, too, which a real one could not; nothing
//! but its own view depends on it.

use fakemon_firmware::{Call, FunctionId, Lock, Platform, Service};

use crate::function::TENSOR_SMC_PMU_SEC_REG;
use crate::registers::{Effect, Registers, Target};

/// The unit's physical address.
pub(crate) const BASE: u64 = 0x1746_0000;

/// Commands, in x2 of [`TENSOR_SMC_PMU_SEC_REG`]; x1 is a register's physical address, x3 a value, or x3 a
/// mask and x4 a value.
const READ: u64 = 0;
const WRITE: u64 = 1;
const MODIFY: u64 = 2;

/// Linux' EINVAL, which is what the firmware answers.
const INVALID: i32 = -22;

/// The unit.
#[derive(Debug)]
pub(crate) struct Pmu {
    registers: Lock<Registers>,
}

impl Pmu {
    /// The unit out of reset.
    pub(crate) const fn new() -> Self {
        Pmu {
            registers: Lock::new(Registers::new()),
        }
    }

    /// Changes a register by `change`, which may refuse, and returns what else happens.
    fn update(
        &self,
        target: Target,
        platform: &mut dyn Platform,
        change: impl FnOnce(u32) -> Option<u32>,
    ) -> Option<Effect> {
        self.registers.with(|registers| {
            let value = change(registers.read(target))?;
            // Under the lock, so that the page shows the last of two values that meet.
            platform
                .write_u32(BASE + u64::from(target.offset), value)
                .ok()?;
            Some(registers.write(target, value))
        })
    }
}

impl Service for Pmu {
    fn owns(&self, id: FunctionId) -> bool {
        id == TENSOR_SMC_PMU_SEC_REG
    }

    fn handle(&self, call: &mut Call<'_>) {
        let Some(target) = target(call.arg(1)) else {
            return call.answer(INVALID);
        };
        let (first, second) = (call.arg(3) as u32, call.arg(4) as u32);
        let effect = match call.arg(2) {
            READ if target.is_whole() => {
                let value = self.registers.with(|registers| registers.read(target));
                return call.set(0, u64::from(value));
            }
            WRITE => self.update(target, call.platform(), |old| target.written(old, first)),
            MODIFY if target.is_whole() => self.update(target, call.platform(), |old| {
                Some(old & !first | second & first)
            }),
            _ => None,
        };
        // A platform that refuses the reset or to power off leaves a register that is written.
        match effect {
            None => return call.answer(INVALID),
            Some(Effect::None) => {}
            Some(Effect::Reset) => {
                call.platform().system_reset(0, 0);
            }
            Some(Effect::Off) => {
                call.platform().system_off();
            }
        }
        call.set(0, 0);
    }
}

/// Finds the register at a physical address, if the firmware writes it for others.
fn target(address: u64) -> Option<Target> {
    let offset = u16::try_from(address.checked_sub(BASE)?).ok()?;
    Target::at(offset)
}
