// SPDX-License-Identifier: Apache-2.0 OR MIT
//! EEMI's vocabulary: functions, status codes, and which functions are there.
//!
//! Numbers from Linux' include/linux/firmware/xlnx-zynqmp.h and TF-A's
//! plat/xilinx/common/include/pm_defs.h.

use crate::function;

/// What a call ends with: the three words after the status, or another status than success.
pub type Reply = Result<[u32; 3], Status>;

/// The first word of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub u32);

impl Status {
    /// It worked.
    pub const SUCCESS: Status = Status(0);
    /// TF-A: an argument is wrong.
    pub const ARGS: Status = Status(1);
    /// TF-A: the clock is an input of the chip, which nobody controls.
    pub const NOT_SUPPORTED: Status = Status(4);
    /// PMU: an argument is wrong.
    pub const INVALID_PARAM: Status = Status(15);
    /// There is no such function, or the thing lacks the part that the call is about.
    pub const NO_FEATURE: Status = Status(19);
    /// The caller may not do that, or has not asked for the thing before.
    pub const NO_ACCESS: Status = Status(2002);
    /// The caller has the node already.
    pub const DOUBLE_REQUEST: Status = Status(2004);
}

/// A reply without words.
pub const DONE: Reply = Ok([0; 3]);

/// A reply of one word.
pub const fn value(word: u32) -> Reply {
    Ok([word, 0, 0])
}

/// Defines the functions that are there, by their names in `board.toml`, with their versions.
macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $function:ident, $version:literal;)*) => {
        $($(#[$doc])* pub const $name: u32 = function::$function.number() as u32;)*

        /// The version of function `api`; [`None`] if there is no such function.
        pub const fn version(api: u32) -> Option<u32> {
            match api {
                $($name => Some($version),)*
                _ => None,
            }
        }
    };
}

functions! {
    /// Version of EEMI.
    GET_API_VERSION = PM_GET_API_VERSION, 1;
    /// Replaces the configuration object, which is the boot loader's to do.
    SET_CONFIGURATION = PM_SET_CONFIGURATION, 1;
    /// State, requirement and usage of a node.
    GET_NODE_STATUS = PM_GET_NODE_STATUS, 1;
    /// Powers the machine off, resets it, or says how far a later reset shall go.
    SYSTEM_SHUTDOWN = PM_SYSTEM_SHUTDOWN, 1;
    /// Claims a node.
    REQUEST_NODE = PM_REQUEST_NODE, 1;
    /// Gives a node back.
    RELEASE_NODE = PM_RELEASE_NODE, 1;
    /// Says what the caller needs of its node.
    SET_REQUIREMENT = PM_SET_REQUIREMENT, 1;
    /// Moves a reset line.
    RESET_ASSERT = PM_RESET_ASSERT, 1;
    /// State of a reset line.
    RESET_GET_STATUS = PM_RESET_GET_STATUS, 1;
    /// Changes bits of a protected register.
    MMIO_WRITE = PM_MMIO_WRITE, 1;
    /// Reads a protected register.
    MMIO_READ = PM_MMIO_READ, 1;
    /// The caller knows now which nodes it needs.
    INIT_FINALIZE = PM_INIT_FINALIZE, 1;
    /// State of the programmable logic.
    FPGA_GET_STATUS = PM_FPGA_GET_STATUS, 1;
    /// Silicon's identity.
    GET_CHIPID = PM_GET_CHIPID, 1;
    /// Claims a pin.
    PINCTRL_REQUEST = PM_PINCTRL_REQUEST, 1;
    /// Gives a pin back.
    PINCTRL_RELEASE = PM_PINCTRL_RELEASE, 1;
    /// What a pin is for.
    PINCTRL_GET_FUNCTION = PM_PINCTRL_GET_FUNCTION, 1;
    /// Says what a pin is for.
    PINCTRL_SET_FUNCTION = PM_PINCTRL_SET_FUNCTION, 1;
    /// A pin's electrical setting.
    PINCTRL_CONFIG_PARAM_GET = PM_PINCTRL_CONFIG_PARAM_GET, 1;
    /// Changes a pin's electrical setting. From version 2 on, an output can be switched off.
    PINCTRL_CONFIG_PARAM_SET = PM_PINCTRL_CONFIG_PARAM_SET, 2;
    /// Functions of a device; see [`IOCTLS`].
    IOCTL = PM_IOCTL, 2;
    /// What clocks and pins there are; see [`QUERIES`].
    QUERY_DATA = PM_QUERY_DATA, 2;
    /// Opens a gate or starts a PLL.
    CLOCK_ENABLE = PM_CLOCK_ENABLE, 1;
    /// Closes a gate or stops a PLL.
    CLOCK_DISABLE = PM_CLOCK_DISABLE, 1;
    /// State of a gate or PLL.
    CLOCK_GETSTATE = PM_CLOCK_GETSTATE, 1;
    /// Sets one divider.
    CLOCK_SETDIVIDER = PM_CLOCK_SETDIVIDER, 1;
    /// Both dividers.
    CLOCK_GETDIVIDER = PM_CLOCK_GETDIVIDER, 1;
    /// Turns a multiplexer.
    CLOCK_SETPARENT = PM_CLOCK_SETPARENT, 1;
    /// Position of a multiplexer.
    CLOCK_GETPARENT = PM_CLOCK_GETPARENT, 1;
    /// Version of a function. From version 2 on, IOCTL and QUERY_DATA come with a mask of what they
    /// can do.
    FEATURE_CHECK = PM_FEATURE_CHECK, 2;
    /// TF-A: what the PMU wants of the caller.
    GET_CALLBACK_DATA = PM_GET_CALLBACK_DATA, 1;
    /// TF-A: what suspending shall mean.
    SET_SUSPEND_MODE = PM_SET_SUSPEND_MODE, 1;
    /// TF-A: its version.
    GET_TRUSTZONE_VERSION = PM_GET_TRUSTZONE_VERSION, 1;
}

/// The IOCTLs that are there, one bit each: fractional PLLs, both storages, the health bit.
pub const IOCTLS: u64 = 0xff << 8 | 1 << 17;
/// The queries that are there, one bit each: 1 to 13.
pub const QUERIES: u64 = 0x3ffe;

/// FEATURE_CHECK(function): version, and for two functions the mask of theirs.
pub fn feature_check(api: u32) -> Reply {
    let version = version(api).ok_or(Status::NO_FEATURE)?;
    let mask = match api {
        IOCTL => IOCTLS,
        QUERY_DATA => QUERIES,
        _ => 0,
    };
    Ok([version, mask as u32, (mask >> 32) as u32])
}
