// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Access to the PMC for the non-secure world: one function that reads or writes a register.
//!
//! The firmware keeps to itself what belongs to the secure world, and hands on everything else
//! (TF-A, plat/nvidia/tegra/soc/t210/plat_sip_calls.c).

use fakemon_firmware::{Call, Error, FunctionId, Lock, Platform, PowerState, Service};

use crate::function;
use crate::registers::{self, Registers};

/// Reads (x1 = [`READ`]) the register at offset x2 into x1, or writes x3 to it (x1 = [`WRITE`]).
///
/// NVIDIA chose a number above those of SMCCC. Bit 16, which is the SVE hint in SMCCC, belongs to
/// it, but a caller's hint is taken off before anybody looks.
pub(crate) const ACCESS: FunctionId = function::TEGRA_SMC_PMC.without_hint();

const READ: u64 = 0xaa;
const WRITE: u64 = 0xbb;

/// CPUs with a power partition of their own.
const CPUS: u32 = 4;

/// The controller and its function.
#[derive(Debug)]
pub(crate) struct Pmc {
    registers: Lock<Registers>,
}

impl Pmc {
    /// The controller after the reset that it tells of.
    pub(crate) const fn new() -> Self {
        Pmc {
            registers: Lock::new(Registers::new()),
        }
    }

    fn read(&self, offset: u16, platform: &mut dyn Platform) -> u32 {
        let value = self.registers.with(|registers| registers.read(offset));
        if offset == registers::PWRGATE_STATUS {
            value | cpus_on(platform)
        } else {
            value
        }
    }

    fn write(&self, offset: u16, value: u32, platform: &mut dyn Platform) {
        let resets = self
            .registers
            .with(|registers| registers.write(offset, value));
        if resets {
            // It does not return, unless the platform refuses it, and then nothing happens.
            platform.system_reset(0, 0);
        }
    }
}

impl Service for Pmc {
    fn owns(&self, id: FunctionId) -> bool {
        id == ACCESS
    }

    fn handle(&self, call: &mut Call<'_>) {
        let Some(offset) = open(call.arg(2)) else {
            return call.answer(Error::NotSupported);
        };
        match call.arg(1) {
            READ => {
                let value = self.read(offset, call.platform());
                call.set(0, 0);
                call.set(1, u64::from(value));
            }
            WRITE => {
                let value = call.arg(3) as u32;
                self.write(offset, value, call.platform());
                call.set(0, 0);
            }
            _ => call.answer(Error::NotSupported),
        }
    }
}

/// Returns the offset if it is one of a register that the non-secure world may reach.
fn open(offset: u64) -> Option<u16> {
    let offset = u16::try_from(offset).ok()?;
    let exists = offset < registers::SIZE && offset.is_multiple_of(4);
    let is_secure = registers::SECURE
        .iter()
        .any(|&(first, last)| (first..=last).contains(&offset));
    (exists && !is_secure).then_some(offset)
}

/// Tells which CPUs' partitions have power, as bits of PWRGATE_STATUS. The firmware switches them
/// itself, with PSCI's calls.
fn cpus_on(platform: &mut dyn Platform) -> u32 {
    (0..CPUS)
        .filter(|&cpu| platform.cpu_affinity(u64::from(cpu), 0) == Ok(PowerState::On))
        .map(registers::cpu_partition)
        .fold(0, |bits, bit| bits | bit)
}
