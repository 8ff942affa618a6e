// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Results of commands, which a message carries back (GlobalPlatform TEE Client API, 4.4.2).

/// It is done.
pub const SUCCESS: u32 = 0;
/// Something went wrong that has no code of its own.
pub const GENERIC: u32 = 0xffff_0000;
/// The parameters are not those of the command.
pub const BAD_PARAMETERS: u32 = 0xffff_0006;
/// There is no such thing.
pub const ITEM_NOT_FOUND: u32 = 0xffff_0008;
/// There is no such command.
pub const NOT_IMPLEMENTED: u32 = 0xffff_0009;
/// There is such a command, but not with these parameters.
pub const NOT_SUPPORTED: u32 = 0xffff_000a;
/// There is no room.
pub const OUT_OF_MEMORY: u32 = 0xffff_000c;
/// A buffer is too small; its size is now what it should be.
pub const SHORT_BUFFER: u32 = 0xffff_0010;
