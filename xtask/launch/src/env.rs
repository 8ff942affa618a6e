// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Names of environment variables. docs/testing.md and `--help` say what a user can do with them.

use fakemon_host::Engine;

/// The directory of the [assets](crate::assets); set for test programs.
pub const ASSETS: &str = "FAKEMON_ASSETS";
/// A [switch](is_on): boards boot on a host with an interrupt controller that they can have, though they
/// prefer another; set for test programs where no host has that.
pub const ANY_GIC: &str = "FAKEMON_ANY_GIC";
/// The boards that are tested, with commas between their names.
pub const BOARDS: &str = "FAKEMON_BOARDS";
/// A static busybox for the guest; Debian's name of the architecture follows in capitals.
pub const BUSYBOX: &str = "FAKEMON_BUSYBOX_";
/// The directory of the cache.
pub const CACHE: &str = "FAKEMON_CACHE";
/// The host VM's processor.
pub const CPU: &str = "FAKEMON_CPU";
/// Directories with device trees of real machines, listed as PATH does; set for the tests that read them.
pub const DEVICE_TREES: &str = "FAKEMON_DEVICE_TREES";
/// The engine: `userspace` or `kernel`. Without it, what the host's kernel has.
pub const ENGINE: &str = "FAKEMON_ENGINE";
/// Version of the host VM's interrupt controller; set for test programs in one.
pub const GIC: &str = "FAKEMON_GIC";
/// Number of the host VM's CPUs.
pub const HOST_CPUS: &str = "FAKEMON_HOST_CPUS";
/// The host VM's kernel: a file, or `own`.
pub const HOST_KERNEL: &str = "FAKEMON_HOST_KERNEL";
/// The guests' kernel, as `--kernel` takes it.
pub const KERNEL: &str = "FAKEMON_KERNEL";
/// A directory with kernels, in place of Debian's packages.
pub const KERNELS: &str = "FAKEMON_KERNELS";
/// A [switch](is_on): take no notice of debian.lock.
pub const NEWEST: &str = "FAKEMON_NEWEST";
/// Where fakemon looks for boards, blobs and its library first; set for test programs.
pub const PATH: &str = "FAKEMON_PATH";
/// The emulator.
pub const QEMU: &str = "FAKEMON_QEMU";
/// A [switch](is_on): leave real kernels out, and make storms of calls shorter.
pub const QUICK: &str = "FAKEMON_QUICK";
/// A [switch](is_on): take drift for a failure.
pub const STRICT: &str = "FAKEMON_STRICT";
/// Whatever it is set to, the test of the C header writes that anew.
pub const WRITE_HEADER: &str = "FAKEMON_WRITE_HEADER";
/// Seconds that a test program may take.
pub const TIMEOUT: &str = "FAKEMON_TIMEOUT";

/// The engine that [`ENGINE`] names.
///
/// # Errors
/// When there is none of that name; the message has those that there are.
pub fn engine() -> Result<Engine, String> {
    match std::env::var(ENGINE) {
        Ok(name) => name.parse().map_err(|error| format!("{ENGINE}: {error}")),
        Err(_) => Ok(Engine::Auto),
    }
}

/// Tells whether a variable that is a switch is on.
pub fn is_on(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| value == switch(true))
}

/// The value of a variable that is a switch.
pub fn switch(on: bool) -> &'static str {
    if on { "1" } else { "0" }
}
