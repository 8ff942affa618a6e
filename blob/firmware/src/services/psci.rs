// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Power State Coordination Interface 1.1 (Arm DEN 0022).
//!
//! Which CPU is on is the VMM's to know. This service checks what the caller says, translates it
//! into host calls and their answers into the caller's terms.

use fakemon_abi::{Width, mpidr};

use crate::call::Call;
use crate::error::{Code, Error};
use crate::function_id::{FunctionId, functions, owner};
use crate::service::Service;
use crate::services::arm_arch;

mod power;
mod state;

pub(crate) use power::{cpu_off, cpu_on, cpu_suspend};
pub use state::StateFormat;

// All of PSCI's, of which not all are here; those that are 64-bit as well have the same numbers there.
functions! {
    "PSCI_", fast32, owner::STANDARD;
    /// Version of PSCI.
    VERSION = 0x00, Query;
    /// Suspends the calling CPU; 64-bit as well.
    CPU_SUSPEND = 0x01, Action;
    /// Stops the calling CPU.
    CPU_OFF = 0x02, Action;
    /// Starts a CPU; 64-bit as well.
    CPU_ON = 0x03, Action;
    /// State of a CPU; 64-bit as well.
    AFFINITY_INFO = 0x04, Query;
    /// Has a trusted OS migrate; 64-bit as well.
    MIGRATE = 0x05, Action;
    /// Whether a trusted OS must be migrated.
    MIGRATE_INFO_TYPE = 0x06, Query;
    /// Where the trusted OS is; 64-bit as well.
    MIGRATE_INFO_UP_CPU = 0x07, Query;
    /// Powers the machine off.
    SYSTEM_OFF = 0x08, Action;
    /// Resets the machine.
    SYSTEM_RESET = 0x09, Action;
    /// Whether a function is there.
    FEATURES = 0x0a, Query;
    /// Stops the calling CPU without saving anything.
    CPU_FREEZE = 0x0b, Action;
    /// Suspends the calling CPU in a state of the firmware's choice; 64-bit as well.
    CPU_DEFAULT_SUSPEND = 0x0c, Action;
    /// State of a node of the power domains; 64-bit as well.
    NODE_HW_STATE = 0x0d, Query;
    /// Suspends the machine; 64-bit as well.
    SYSTEM_SUSPEND = 0x0e, Action;
    /// Whether the OS coordinates the suspends of CPUs.
    SET_SUSPEND_MODE = 0x0f, Action;
    /// How long a power state was in use; 64-bit as well.
    STAT_RESIDENCY = 0x10, Query;
    /// How often a power state was in use; 64-bit as well.
    STAT_COUNT = 0x11, Query;
    /// Resets the machine in a way of the caller's choice; 64-bit as well.
    SYSTEM_RESET2 = 0x12, Action;
    /// Has the memory overwritten at a reset.
    MEM_PROTECT = 0x13, Action;
    /// Whether MEM_PROTECT protects a range; 64-bit as well.
    MEM_PROTECT_CHECK_RANGE = 0x14, Query;
}

/// Version 1.1.
const VERSION_1_1: u64 = 0x1_0001;
/// MIGRATE_INFO_TYPE: there is no trusted OS that would have to be migrated.
const NO_MIGRATION: i32 = 2;
/// PSCI's functions have these numbers.
const NUMBERS: core::ops::RangeInclusive<u16> = 0x00..=0x1f;

/// The PSCI service.
#[derive(Clone, Copy, Debug)]
pub struct Psci {
    mpidr: fn(u32) -> u64,
    states: StateFormat,
}

impl Default for Psci {
    fn default() -> Self {
        Psci::new()
    }
}

impl Psci {
    /// PSCI for a machine whose CPUs have the MPIDRs that KVM gives them.
    pub const fn new() -> Self {
        Psci::with_mpidr(mpidr::kvm)
    }

    /// PSCI for a machine where `mpidr` tells the affinity fields of the CPU of a number.
    pub const fn with_mpidr(mpidr: fn(u32) -> u64) -> Self {
        Psci {
            mpidr,
            states: StateFormat::Original,
        }
    }

    /// The same with power states in this format.
    #[must_use]
    pub const fn with_states(mut self, states: StateFormat) -> Self {
        self.states = states;
        self
    }

    /// PSCI_FEATURES. OS-initiated mode is not here; the flags of SYSTEM_RESET2 and the others have no
    /// meaning.
    fn features(self, call: &Call<'_>) -> Result<i32, Error> {
        let asked = FunctionId(call.arg(1) as u32);
        let reachable = !asked.is_64() || call.width() == Width::AArch64;
        // Whoever wants to know whether there is SMCCC asks here for its version.
        let there = asked == arm_arch::VERSION || is_implemented(asked) && reachable;
        match asked.as_32() {
            _ if !there => Err(Error::NotSupported),
            CPU_SUSPEND => Ok(self.states.feature()),
            _ => Ok(0),
        }
    }
}

impl Service for Psci {
    fn owns(&self, id: FunctionId) -> bool {
        // Bits 23:17 belong to neither owner nor number and are zero in each of PSCI's IDs.
        id.as_32() == FunctionId::fast32(owner::STANDARD, id.number())
            && NUMBERS.contains(&id.number())
    }

    fn handle(&self, call: &mut Call<'_>) {
        let id = call.id();
        if !is_implemented(id) {
            return call.answer(Error::NotSupported);
        }
        let code = match id.as_32() {
            VERSION => return call.set(0, VERSION_1_1),
            CPU_SUSPEND => cpu_suspend(call, self.states, None).code(),
            CPU_OFF => cpu_off(call).code(),
            CPU_ON => cpu_on(call).code(),
            AFFINITY_INFO => power::affinity_info(call).code(),
            MIGRATE_INFO_TYPE => NO_MIGRATION,
            SYSTEM_OFF => call.platform().system_off().code(),
            SYSTEM_RESET => call.platform().system_reset(0, 0).code(),
            FEATURES => self.features(call).code(),
            SYSTEM_SUSPEND => power::system_suspend(call, self.mpidr).code(),
            SYSTEM_RESET2 => power::system_reset2(call).code(),
            _ => Error::NotSupported.code(),
        };
        call.answer(code);
    }
}

/// Tells whether `id`, of either convention, is a function that does something here.
///
/// Not here: MIGRATE and MIGRATE_INFO_UP_CPU, since nothing migrates; CPU_FREEZE,
/// CPU_DEFAULT_SUSPEND, NODE_HW_STATE, PSCI_SET_SUSPEND_MODE, PSCI_STAT_* and MEM_PROTECT*, all
/// optional.
fn is_implemented(id: FunctionId) -> bool {
    match id.as_32() {
        CPU_SUSPEND | CPU_ON | AFFINITY_INFO | SYSTEM_SUSPEND | SYSTEM_RESET2 => true,
        VERSION | CPU_OFF | MIGRATE_INFO_TYPE | SYSTEM_OFF | SYSTEM_RESET | FEATURES => !id.is_64(),
        _ => false,
    }
}

/// What is left to say when the platform has come back from a call that does not return.
fn refused(error: Error) -> Error {
    match error {
        Error::Denied => Error::Denied,
        _ => Error::InternalFailure,
    }
}

#[cfg(test)]
mod tests;
