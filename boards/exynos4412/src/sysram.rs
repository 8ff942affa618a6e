// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the kernel leaves for the firmware in on-chip RAM, by offsets from the normal world's part.
//!
//! | Offset | What |
//! |---|---|
//! | `0x08` | where the system resumes from sleep |
//! | `0x0c` | [`SLEEP_MAGIC`] if that is valid |
//! | `0x1c` + 4 * CPU | where a CPU begins |
//! | `0x20` | [`AFTR_MAGIC`] if the next is valid |
//! | `0x24` | where CPU 0 resumes from deep idle |
//!
//! The last two are the entries of CPUs 1 and 2 as well. That is so in the hardware's protocol, and
//! does no harm: each is written right before it is used.

use fakemon_firmware::Platform;

use crate::Refused;

/// On-chip RAM, all of it.
pub const SYSRAM: u64 = 0x0202_0000;
/// Bytes of on-chip RAM.
pub const SYSRAM_SIZE: u64 = 0x4_0000;
/// The part for the normal world, which is the `reg` of `samsung,secure-firmware`.
pub const SYSRAM_NS: u64 = 0x0204_f000;

/// Says that the address to resume from sleep at is valid.
pub const SLEEP_MAGIC: u32 = 0x0000_0bad;
/// Says that the address to resume from idle at is valid.
pub const AFTR_MAGIC: u32 = 0xfcba_0d10;

const SLEEP_ADDRESS: u64 = SYSRAM_NS + 0x08;
const SLEEP_FLAG: u64 = SYSRAM_NS + 0x0c;
const CPU_ADDRESS: u64 = SYSRAM_NS + 0x1c;
const AFTR_FLAG: u64 = SYSRAM_NS + 0x20;
const AFTR_ADDRESS: u64 = SYSRAM_NS + 0x24;

/// A register's name in REG: its class in the upper two bits, here device registers to be written.
const CLASS_SFR_WRITE: u64 = 0x1 << 30;
const CLASS: u64 = 0x3 << 30;

/// Returns where the system resumes from sleep.
///
/// # Errors
/// The kernel has not said.
pub fn sleep_entry(platform: &mut dyn Platform) -> Result<u64, Refused> {
    marked_entry(platform, SLEEP_FLAG, SLEEP_MAGIC, SLEEP_ADDRESS)
}

/// Returns where CPU 0 resumes from deep idle.
///
/// # Errors
/// The kernel has not said.
pub fn idle_entry(platform: &mut dyn Platform) -> Result<u64, Refused> {
    marked_entry(platform, AFTR_FLAG, AFTR_MAGIC, AFTR_ADDRESS)
}

/// Returns where CPU number `cpu` begins, of four at most.
///
/// # Errors
/// The kernel has not said, or there is no on-chip RAM.
pub fn cpu_entry(platform: &mut dyn Platform, cpu: u32) -> Result<u64, Refused> {
    entry(platform, CPU_ADDRESS + 4 * u64::from(cpu))
}

/// Writes `value` to the register that `name` names: a word of on-chip RAM, the only place where
/// Linux has needed it.
///
/// # Errors
/// Any other register.
pub fn write_register(platform: &mut dyn Platform, name: u64, value: u32) -> Result<(), Refused> {
    let address = (name & !CLASS) << 2;
    let inside = (SYSRAM..SYSRAM + SYSRAM_SIZE).contains(&address);
    if name & CLASS != CLASS_SFR_WRITE || !inside {
        return Err(Refused);
    }
    Ok(platform.write_u32(address, value)?)
}

fn marked_entry(
    platform: &mut dyn Platform,
    flag: u64,
    magic: u32,
    address: u64,
) -> Result<u64, Refused> {
    if platform.read_u32(flag)? != magic {
        return Err(Refused);
    }
    entry(platform, address)
}

/// Reads an address of code: bit 0 makes a CPU begin in Thumb state, and zero, where there is no
/// RAM, is what on-chip RAM holds after a reset.
fn entry(platform: &mut dyn Platform, address: u64) -> Result<u64, Refused> {
    match platform.read_u32(address)? {
        0 => Err(Refused),
        entry if entry & 3 == 2 => Err(Refused),
        entry => Ok(u64::from(entry)),
    }
}
