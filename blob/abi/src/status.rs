// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Error codes, as PSCI spells them (Arm DEN 0022, 5.2.2 "Return error codes").
//!
//! SMCCC (DEN 0028) and TRNG (DEN 0098) share the first few; host calls use the same list, so that
//! a PSCI service can pass an answer of the host on as it is.

/// The call succeeded.
pub const SUCCESS: i32 = 0;
/// No such function, or a feature that is not implemented.
pub const NOT_SUPPORTED: i32 = -1;
/// An argument is out of range or malformed.
pub const INVALID_PARAMETERS: i32 = -2;
/// The call is understood and refused.
pub const DENIED: i32 = -3;
/// The CPU runs already.
pub const ALREADY_ON: i32 = -4;
/// The CPU has been asked to run and has not started yet.
pub const ON_PENDING: i32 = -5;
/// The platform failed.
pub const INTERNAL_FAILURE: i32 = -6;
/// There is no such CPU.
pub const NOT_PRESENT: i32 = -7;
/// The CPU or feature is disabled.
pub const DISABLED: i32 = -8;
/// An address is not one that the guest may hand over.
pub const INVALID_ADDRESS: i32 = -9;
