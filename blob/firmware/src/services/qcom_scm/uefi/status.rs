// SPDX-License-Identifier: Apache-2.0 OR MIT
//! UEFI's error codes as the application tells them, and its rules for attributes.

/// An argument makes no sense.
pub(super) const INVALID_PARAMETER: u32 = 0x8000_0002;
/// It is not possible here.
pub(super) const UNSUPPORTED: u32 = 0x8000_0003;
/// What was found does not fit the caller's buffer.
pub(super) const BUFFER_TOO_SMALL: u32 = 0x8000_0005;
/// The variable is the firmware's own.
pub(super) const WRITE_PROTECTED: u32 = 0x8000_0008;
/// There is no room left.
pub(super) const OUT_OF_RESOURCES: u32 = 0x8000_0009;
/// There is no such variable, or no more.
pub(super) const NOT_FOUND: u32 = 0x8000_000e;

/// It survives a reset.
pub(super) const NON_VOLATILE: u32 = 1 << 0;
/// It is there before ExitBootServices.
pub(super) const BOOT: u32 = 1 << 1;
/// And after it.
pub(super) const RUNTIME: u32 = 1 << 2;
/// The data are to be added to what is there; no attribute of the variable itself.
pub(super) const APPEND: u32 = 1 << 6;

/// What a variable that the kernel makes must have.
const REQUIRED: u32 = NON_VOLATILE | BOOT | RUNTIME;

/// Checks the attributes of a variable that the kernel wants to make.
pub(super) fn check_attributes(attributes: u32) -> Result<(), u32> {
    match attributes & !APPEND {
        REQUIRED => Ok(()),
        // Records of hardware errors and authenticated variables are not served.
        other if other & REQUIRED == REQUIRED => Err(UNSUPPORTED),
        _ => Err(INVALID_PARAMETER),
    }
}
