// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands that change what runs.

use fakemon_firmware::{Error, Platform};

use crate::{Refused, sysram};

/// CPUs of the chip; on-chip RAM has no entries for more.
const CPUS: u32 = 4;
/// The affinity fields of CPU 0: the chip's cluster has number 10.
const CLUSTER: u64 = 0xa00;

/// CPU1BOOT: starts CPU number `cpu`.
///
/// The kernel repeats this until the CPU has shown itself, so one that is on already is no error.
pub(crate) fn start(platform: &mut dyn Platform, cpu: u64) -> Result<(), Refused> {
    let cpu = u32::try_from(cpu).map_err(|_| Refused)?;
    if cpu == 0 || cpu >= CPUS.min(platform.cpus()) {
        return Err(Refused);
    }
    let entry = sysram::cpu_entry(platform, cpu)?;
    match platform.cpu_on(CLUSTER | u64::from(cpu), entry, 0) {
        Ok(()) | Err(Error::AlreadyOn | Error::OnPending) => Ok(()),
        Err(_) => Err(Refused),
    }
}

/// SLEEP: comes back only if there is no sleep to be had.
pub(crate) fn sleep(platform: &mut dyn Platform) -> Result<(), Refused> {
    let entry = sysram::sleep_entry(platform)?;
    Err(platform.system_suspend(entry, 0).into())
}

/// CPU0AFTR ("Arm off, top running"): the core loses its registers until an interrupt comes.
pub(crate) fn idle(platform: &mut dyn Platform) -> Result<(), Refused> {
    if platform.cpu() != 0 {
        return Err(Refused);
    }
    let entry = sysram::idle_entry(platform)?;
    platform.wait_for_interrupt()?;
    Err(platform.cpu_resume(entry, 0).into())
}
