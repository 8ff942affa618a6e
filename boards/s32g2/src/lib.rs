// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board s32g2: SCMI behind one SMC, with the chip's clocks and a
//! battery-backed module, and PSCI 1.1.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::clocks::Clocks;
use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::services::scmi::clock::ClockProtocol;
use fakemon_firmware::services::scmi::imx_bbm::ImxBbm;
use fakemon_firmware::services::scmi::{Channel, Identity, Scmi};
use fakemon_firmware::{Board, Call, dispatch};

mod table;

pub use table::{CLOCK_COUNT, CLOCKS};

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The shared memory: `arm,scmi-shmem` in the device tree.
pub const SHARED: (u64, usize) = (0xd000_0000, 0x80);

/// NXP's own firmware of an S32G has no sub-vendor; this one is what the kernel's drivers of i.MX'
/// protocols look for.
const IDENTITY: Identity = Identity {
    vendor: "NXP",
    sub_vendor: "IMX",
    // Of no real firmware.
    version: 0x20b_0000,
    agent: "OSPM",
};

/// The board.
#[derive(Debug)]
pub struct S32g2 {
    channel: Channel,
    clocks: Clocks<CLOCK_COUNT>,
    bbm: ImxBbm,
}

impl Board for S32g2 {
    const NEW: Self = S32g2 {
        channel: Channel::new(SHARED.0, SHARED.1),
        clocks: Clocks::new(&CLOCKS),
        bbm: ImxBbm::new(),
    };

    fn call(&self, call: &mut Call<'_>) {
        self.channel.prepare(call.platform());
        let scmi = Scmi {
            // What `arm,smc-id` in the device tree names.
            doorbell: function::S32_SCMI,
            channel: &self.channel,
            identity: IDENTITY,
            protocols: &[&ClockProtocol(&self.clocks), &self.bbm],
        };
        dispatch::smccc(&[&Psci::new(), &scmi], call);
    }
}

#[cfg(test)]
mod tests;
