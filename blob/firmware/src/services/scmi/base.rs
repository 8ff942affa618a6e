// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The base protocol, version 2.0 (DEN 0056, 4.2): who the firmware is and which protocols it has.

use crate::platform::Platform;
use crate::services::scmi::Identity;
use crate::services::scmi::message::{Error, Parameters, Protocol, Reply};

const DISCOVER_VENDOR: u8 = 0x3;
const DISCOVER_SUB_VENDOR: u8 = 0x4;
const DISCOVER_IMPLEMENTATION_VERSION: u8 = 0x5;
const DISCOVER_LIST_PROTOCOLS: u8 = 0x6;
const DISCOVER_AGENT: u8 = 0x7;

/// Agent 0 is the firmware itself.
const PLATFORM: u32 = 0;
/// The one agent at the channel.
const AGENT: u32 = 1;
/// In a question, the agent that asks.
const MYSELF: u32 = u32::MAX;

/// The base protocol of a service.
pub(crate) struct Base<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) protocols: &'a [&'a dyn Protocol],
}

impl Protocol for Base<'_> {
    fn id(&self) -> u8 {
        0x10
    }

    fn version(&self) -> u32 {
        0x2_0000
    }

    /// The number of agents in bits 15:8, of protocols in 7:0.
    fn attributes(&self) -> u32 {
        1 << 8 | self.protocols.len().min(0xff) as u32
    }

    fn has(&self, message: u8) -> bool {
        (DISCOVER_VENDOR..=DISCOVER_AGENT).contains(&message)
    }

    fn handle(
        &self,
        message: u8,
        parameters: Parameters<'_>,
        reply: &mut Reply<'_>,
        _: &mut dyn Platform,
    ) -> Result<(), Error> {
        match message {
            DISCOVER_VENDOR => {
                let [] = parameters.words()?;
                reply.name(self.identity.vendor)
            }
            DISCOVER_SUB_VENDOR => {
                let [] = parameters.words()?;
                reply.name(self.identity.sub_vendor)
            }
            DISCOVER_IMPLEMENTATION_VERSION => {
                let [] = parameters.words()?;
                reply.word(self.identity.version)
            }
            DISCOVER_LIST_PROTOCOLS => {
                let [skip] = parameters.words()?;
                self.list(skip, reply)
            }
            DISCOVER_AGENT => {
                let [agent] = parameters.words()?;
                let (id, name) = match agent {
                    PLATFORM => (PLATFORM, "platform"),
                    AGENT | MYSELF => (AGENT, self.identity.agent),
                    _ => return Err(Error::NotFound),
                };
                reply.word(id)?;
                reply.name(name)
            }
            _ => Err(Error::NotSupported),
        }
    }
}

impl Base<'_> {
    /// As many protocols after the first `skip` as there is room for: their number, then their
    /// numbers, four in each word.
    fn list(&self, skip: u32, reply: &mut Reply<'_>) -> Result<(), Error> {
        let after = self.protocols.get(skip as usize..);
        let after = after.ok_or(Error::InvalidParameters)?;
        let room = reply.left().saturating_sub(4) & !3;
        let fitting = &after[..after.len().min(room)];
        reply.word(fitting.len() as u32)?;
        for four in fitting.chunks(4) {
            let mut word = [0; 4];
            for (to, protocol) in word.iter_mut().zip(four) {
                *to = protocol.id();
            }
            reply.bytes(&word)?;
        }
        Ok(())
    }
}
