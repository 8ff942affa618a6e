// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The power of a CPU, as far as services have to know of it.

/// What happens to a CPU's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerChange {
    /// It goes off, and is like new when it is on again.
    Off,
    /// It loses its registers and goes on elsewhere when it wakes up; what the firmware has promised
    /// it stands.
    PowerDown,
    /// The machine has refused what was told last: the CPU goes on as it was.
    Refused,
}
