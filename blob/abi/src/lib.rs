// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The contract between a blob and the host shim, as data.
//!
//! Both sides are built from this crate and from nothing else in common: the blob on bare metal,
//! the shim on Linux. The prose of the contract (entry state, registers, memory types, faults) is
//! docs/abi.md; the numbers are here, and every offset that assembly relies on is asserted when the
//! crate compiles.
//!
//! * [`Width`] and [`Conduit`]: who calls, and by which instruction.
//! * [`frame`]: the page that carries registers between the two worlds.
//! * [`note`]: what a blob says of itself in its ELF file.
//! * [`hostcall`]: what a blob may ask of the host.
//! * [`layout`]: where things are in the monitor VM.
//! * [`mpidr`]: how CPUs are named.
//! * [`status`]: the error codes that firmware speaks.

#![no_std]

mod caller;
pub mod frame;
pub mod hostcall;
pub mod layout;
pub mod mpidr;
pub mod note;
pub mod status;

pub use caller::{Conduit, Width};

/// Version of this contract, major in the high half, minor in the low half.
///
/// The shim takes a blob of its own major version and of a minor version that is not newer than its
/// own.
pub const ABI_VERSION: u32 = version(1, 3);

/// Packs a version: `major` and `minor` become the high and the low 16 bits.
pub const fn version(major: u16, minor: u16) -> u32 {
    (major as u32) << 16 | minor as u32
}

/// Tells whether a shim of [`ABI_VERSION`] can run a blob that was built for `blob`.
pub const fn compatible(blob: u32) -> bool {
    const fn split(version: u32) -> (u32, u32) {
        (version >> 16, version & 0xffff)
    }
    let ((major, minor), (own_major, own_minor)) = (split(blob), split(ABI_VERSION));
    major == own_major && minor <= own_minor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_of_the_same_major_and_no_newer_minor_is_compatible() {
        assert!(compatible(ABI_VERSION));
        assert!(
            !compatible(ABI_VERSION + 1),
            "a newer minor may need what this shim lacks"
        );
        assert!(!compatible(ABI_VERSION + 0x1_0000));
        assert!(!compatible(0));
    }
}
