// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The shape of a service: a set of functions, handled by one piece of code.

use crate::call::Call;
use crate::function_id::FunctionId;
use crate::platform::Platform;
use crate::power::PowerChange;

/// A group of functions that belong together, such as PSCI.
///
/// ```
/// use fakemon_firmware::{Call, Error, FunctionId, Service, owner};
///
/// /// One function of the silicon partner, which returns its argument.
/// struct Echo;
///
/// const ECHO: FunctionId = FunctionId::fast64(owner::SIP, 0x10);
///
/// impl Service for Echo {
///     fn owns(&self, id: FunctionId) -> bool {
///         id.owner() == owner::SIP
///     }
///
///     fn handle(&self, call: &mut Call<'_>) {
///         match call.id() {
///             ECHO => call.set(0, call.arg(1)),
///             _ => call.answer(Error::NotSupported),
///         }
///     }
/// }
///
/// assert!(Echo.owns(ECHO));
/// ```
pub trait Service: Sync {
    /// Tells whether this service answers `id`, which has no SVE hint.
    fn owns(&self, id: FunctionId) -> bool;

    /// Serves a call whose function it owns, by setting the result registers of `call`.
    ///
    /// A register that is not set comes back to the caller as it was.
    fn handle(&self, call: &mut Call<'_>);

    /// Hears that the power of the calling CPU is about to change: whoever keeps something for each CPU
    /// brings it up to date. Nothing runs here after the change, so this comes before the platform is
    /// asked, and [`PowerChange::Refused`] comes if that says no: what the CPU is about to lose has to be
    /// there until it is on again.
    fn cpu_power(&self, platform: &mut dyn Platform, change: PowerChange) {
        let _ = (platform, change);
    }
}
