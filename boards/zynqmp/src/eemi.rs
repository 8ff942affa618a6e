// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Embedded Energy Management Interface: from a call's registers to the part that it is about.

use fakemon_firmware::{Call, Error, FunctionId, Service, owner};

use crate::api::{self, DONE, Reply, Status, value};
use crate::clocks::Clocks;
use crate::nodes::Nodes;
use crate::pins::Pins;
use crate::registers::Registers;
use crate::resets::Resets;
use crate::{ioctl, query};

/// EEMI 1.1.
const API_VERSION: u32 = 0x1_0001;
/// TF-A 1.0.
const TRUSTZONE_VERSION: u32 = 0x1_0000;
/// JTAG identity of an XCZU9EG: revision 2, family 0x23, manufacturer 0x49.
pub(crate) const IDCODE: u32 = 0x2473_8093;
/// Production silicon.
const SILICON_VERSION: u32 = 3;
/// The way to the programmable logic is idle in both directions, and there is no design in it (3).
const LOGIC_STATUS: u32 = 0b0011;

/// SYSTEM_SHUTDOWN: power off.
const SHUTDOWN: u32 = 0;
/// SYSTEM_SHUTDOWN: reset.
const RESET: u32 = 1;
/// SYSTEM_SHUTDOWN: only remember the scope.
const SET_SCOPE: u32 = 2;
/// Scopes are subsystem, processing system and whole system.
const LAST_SCOPE: u32 = 2;

/// Functions have numbers below this.
const FUNCTIONS: u16 = 0x1000;

/// The PMU and TF-A's part in front of it.
#[derive(Debug)]
pub struct Eemi {
    clocks: Clocks,
    registers: Registers,
    resets: Resets,
    pins: Pins,
    nodes: Nodes,
}

impl Eemi {
    /// The state in which the boot loader hands over.
    pub const fn new() -> Self {
        Eemi {
            clocks: Clocks::new(),
            registers: Registers::new(),
            resets: Resets::new(),
            pins: Pins::new(),
            nodes: Nodes::new(),
        }
    }

    fn serve(&self, api: u32, arg: [u32; 4], call: &mut Call<'_>) -> Reply {
        match api {
            api::GET_API_VERSION => value(API_VERSION),
            // The configuration object of the boot loader gives nobody the right to replace it.
            api::SET_CONFIGURATION => Err(Status::NO_ACCESS),
            api::GET_NODE_STATUS => self.nodes.status(arg[0]),
            api::SYSTEM_SHUTDOWN => shutdown(arg[0], arg[1], call),
            api::REQUEST_NODE => self.nodes.request(arg[0], arg[1], arg[3]),
            api::RELEASE_NODE => self.nodes.release(arg[0]),
            api::SET_REQUIREMENT => self.nodes.require(arg[0], arg[1], arg[3]),
            api::RESET_ASSERT => self.resets.act(arg[0], arg[1], call),
            api::RESET_GET_STATUS => self.resets.status(arg[0]),
            api::MMIO_WRITE => self.registers.write(arg[0], arg[1], arg[2]),
            api::MMIO_READ => self.registers.read(arg[0]),
            api::INIT_FINALIZE => self.nodes.finalize(),
            api::FPGA_GET_STATUS => value(LOGIC_STATUS),
            api::GET_CHIPID => Ok([IDCODE, SILICON_VERSION, 0]),
            api::PINCTRL_REQUEST => self.pins.request(arg[0]),
            api::PINCTRL_RELEASE => self.pins.release(arg[0]),
            api::PINCTRL_GET_FUNCTION => self.pins.function(arg[0]),
            api::PINCTRL_SET_FUNCTION => self.pins.set_function(arg[0], arg[1]),
            api::PINCTRL_CONFIG_PARAM_GET => self.pins.setting(arg[0], arg[1]),
            api::PINCTRL_CONFIG_PARAM_SET => self.pins.set(arg[0], arg[1], arg[2]),
            api::IOCTL => ioctl::serve(&self.clocks, &self.registers, arg),
            api::CLOCK_ENABLE => self.clocks.switch(arg[0], true),
            api::CLOCK_DISABLE => self.clocks.switch(arg[0], false),
            api::CLOCK_GETSTATE => self.clocks.state(arg[0]),
            api::CLOCK_SETDIVIDER => self.clocks.set_divider(arg[0], arg[1]),
            api::CLOCK_GETDIVIDER => self.clocks.dividers(arg[0]),
            api::CLOCK_SETPARENT => self.clocks.set_parent(arg[0], arg[1]),
            api::CLOCK_GETPARENT => self.clocks.parent(arg[0]),
            api::FEATURE_CHECK => api::feature_check(arg[0]),
            api::SET_SUSPEND_MODE => set_suspend_mode(arg[0]),
            api::GET_TRUSTZONE_VERSION => value(TRUSTZONE_VERSION),
            _ => Err(Status::NO_FEATURE),
        }
    }
}

impl Default for Eemi {
    fn default() -> Self {
        Eemi::new()
    }
}

impl Service for Eemi {
    fn owns(&self, id: FunctionId) -> bool {
        id == FunctionId::fast64(owner::SIP, id.number()) && id.number() < FUNCTIONS
    }

    fn handle(&self, call: &mut Call<'_>) {
        let api = u32::from(call.id().number());
        if api::version(api).is_none() {
            return call.answer(Error::NotSupported);
        }
        let (x1, x2) = (call.arg(1), call.arg(2));
        let arg = [x1 as u32, (x1 >> 32) as u32, x2 as u32, (x2 >> 32) as u32];
        let words = match api {
            // These two fill all four words and leave none for a status.
            api::QUERY_DATA => query::serve(arg),
            api::GET_CALLBACK_DATA => [0; 4],
            _ => match self.serve(api, arg, call) {
                Ok([a, b, c]) => [Status::SUCCESS.0, a, b, c],
                Err(status) => [status.0, 0, 0, 0],
            },
        };
        for (n, pair) in words.chunks_exact(2).enumerate() {
            call.set(n, u64::from(pair[0]) | u64::from(pair[1]) << 32);
        }
    }
}

/// SYSTEM_SHUTDOWN(what, scope).
///
/// A scope that is only set is what a later reset by PSCI would look at. All scopes are the same
/// here: there is no logic nor a second subsystem that could live on, so there is nothing to keep.
fn shutdown(what: u32, scope: u32, call: &mut Call<'_>) -> Reply {
    match what {
        SHUTDOWN => call.platform().system_off(),
        RESET if scope <= LAST_SCOPE => call.platform().system_reset(0, 0),
        SET_SCOPE if scope <= LAST_SCOPE => return DONE,
        _ => return Err(Status::INVALID_PARAM),
    };
    // The platform does not come back from these unless it refuses.
    Err(Status::NO_ACCESS)
}

/// SET_SUSPEND_MODE(mode): 0 standard, 1 power off.
///
/// It decides what PSCI's suspend asks the PMU for. The platform has one depth of sleep only.
fn set_suspend_mode(mode: u32) -> Reply {
    if mode <= 1 { DONE } else { Err(Status::ARGS) }
}
