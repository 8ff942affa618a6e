// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The shape of a service: a set of functions, handled by one piece of code.

use crate::call::Call;
use crate::function_id::FunctionId;
use crate::power::PowerChange;

/// A group of functions that belong together, such as PSCI.
pub trait Service: Sync {
    /// Tells whether this service answers `id`, which has no SVE hint.
    fn owns(&self, id: FunctionId) -> bool;

    /// Serves a call whose function it owns, by setting the result registers of `call`.
    ///
    /// A register that is not set comes back to the caller as it was.
    fn handle(&self, call: &mut Call<'_>);

    /// Hears that the power of CPU number `cpu` is about to change, on that CPU: whoever keeps
    /// something for each CPU brings it up to date.
    fn cpu_power(&self, cpu: u32, change: PowerChange) {
        let _ = (cpu, change);
    }
}
