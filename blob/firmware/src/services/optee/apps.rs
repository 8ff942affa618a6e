// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Trusted applications: what one is, and those that more than one board has.

use crate::platform::Platform;
use crate::services::optee::param::{PARAMS, Param};

mod devices;
mod random;

pub use devices::Devices;
pub use random::Random;

/// The name of an application, in the order in which a UUID is written.
pub type Uuid = [u8; 16];

/// A trusted application.
pub trait TrustedApp: Sync {
    /// Returns its name.
    fn uuid(&self) -> Uuid;

    /// Does what `command` of its own says with `params`, which it may change.
    ///
    /// # Errors
    /// One of [`result`](crate::services::optee::result), or the application's own.
    fn invoke(
        &self,
        command: u32,
        params: &mut [Param; PARAMS],
        platform: &mut dyn Platform,
    ) -> Result<(), u32>;
}
