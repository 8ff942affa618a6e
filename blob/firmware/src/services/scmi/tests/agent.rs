// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A kernel that talks to a firmware with all protocols.

use fakemon_abi::frame::REGS;

use crate::call::{Call, Trap};
use crate::clocks::{Clock, Clocks, Rates};
use crate::context::Resume;
use crate::fake::{FakePlatform, scmi};
use crate::function_id::FunctionId;
use crate::service::Service;
use crate::services::scmi::clock::ClockProtocol;
use crate::services::scmi::imx_bbm::ImxBbm;
use crate::services::scmi::{Channel, Identity, Scmi};
use fakemon_abi::{Conduit, Width};

pub(super) const BASE: u64 = 0xd000_0000;
pub(super) const SIZE: usize = 0x80;
const DOORBELL: FunctionId = FunctionId(0xc200_00fe);
const IDENTITY: Identity = Identity {
    vendor: "NXP",
    sub_vendor: "IMX",
    version: 0x1234,
    agent: "OSPM",
};

/// 13 rates, of which 11 fit into an answer.
static MANY: [u64; 13] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1 << 40];
static CLOCKS: [Clock; 3] = [
    Clock {
        name: "bus",
        rates: Rates::List(&MANY),
        rate: 1 << 40,
        on: true,
        kept: true,
    },
    Clock {
        name: "pll",
        rates: Rates::Range {
            min: 100,
            max: 200,
            step: 20,
        },
        rate: 200,
        on: false,
        kept: false,
    },
    Clock {
        name: "card_with_a_name_too_long",
        rates: Rates::Divided {
            source: 400,
            most: 4,
        },
        rate: 400,
        on: true,
        kept: false,
    },
];

/// The firmware of a board, and a kernel that talks to it.
pub(super) struct Agent {
    pub(super) platform: FakePlatform,
    pub(super) channel: Channel,
    clocks: Clocks<3>,
    pub(super) bbm: ImxBbm,
}

impl Agent {
    pub(super) fn new() -> Self {
        Agent::with(FakePlatform::new(1).with_memory(BASE - 0x80, &[0; 0x200]))
    }

    pub(super) fn with(platform: FakePlatform) -> Self {
        Agent {
            platform,
            channel: Channel::new(BASE, SIZE),
            clocks: Clocks::new(&CLOCKS),
            bbm: ImxBbm::new(),
        }
    }

    pub(super) fn ring(&mut self) -> u64 {
        let mut regs = [9; REGS];
        regs[0] = u64::from(DOORBELL.0);
        let trap = Trap {
            width: Width::AArch64,
            conduit: Conduit::Smc,
            immediate: 0,
        };
        let service = Scmi {
            doorbell: DOORBELL,
            channel: &self.channel,
            identity: IDENTITY,
            protocols: &[&ClockProtocol(&self.clocks), &self.bbm],
        };
        assert!(service.owns(DOORBELL) && !service.owns(FunctionId(0xc200_00fd)));
        let mut resume = Resume::default();
        service.handle(&mut Call::new(
            &mut regs,
            trap,
            &mut resume,
            &mut self.platform,
        ));
        assert_eq!(regs[1..], [9; REGS - 1], "x0 alone changes");
        regs[0]
    }

    /// Sends a command; the answer is its status and the words after it.
    pub(super) fn send(
        &mut self,
        protocol: u8,
        message: u8,
        parameters: &[u32],
    ) -> Result<Vec<u32>, i32> {
        let mut platform = std::mem::replace(&mut self.platform, FakePlatform::new(1));
        let (status, data) = scmi::send(
            &mut platform,
            BASE,
            (protocol, message),
            parameters,
            |platform| {
                std::mem::swap(platform, &mut self.platform);
                assert_eq!(self.ring(), 0);
                std::mem::swap(platform, &mut self.platform);
            },
        );
        self.platform = platform;
        let (words, rest) = data.as_chunks::<4>();
        assert!(rest.is_empty(), "answers are words");
        let words = words.iter().copied().map(u32::from_le_bytes).collect();
        if status == 0 { Ok(words) } else { Err(status) }
    }
}

/// The words of a 16-byte name.
pub(super) fn name(text: &str) -> Vec<u32> {
    let mut bytes = [0; 16];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().copied().map(u32::from_le_bytes).collect()
}
