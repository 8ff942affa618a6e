// SPDX-License-Identifier: Apache-2.0 OR MIT
//! System Control and Management Interface (Arm DEN 0056) with an SMC as its doorbell.
//!
//! The kernel puts a message into a page of shared memory and makes a call that says no more than
//! "look"; the answer is in the same page when the call returns. What a message asks for depends on
//! its protocol, and each protocol is one file here:
//!
//! * [`Channel`] is the page, and the one way in and out of it;
//! * [`message`] has what protocols see of a message, and their answers;
//! * `base` tells who the firmware is and which protocols it has;
//! * [`mod@clock`] has the clocks;
//! * [`imx_bbm`] is the battery-backed module of NXP's i.MX, a vendor's protocol.

use crate::call::Call;
use crate::function_id::FunctionId;
use crate::platform::Platform;
use crate::service::Service;

mod base;
mod channel;
pub mod clock;
pub mod imx_bbm;
pub mod message;

use base::Base;
pub use channel::Channel;
pub use message::{Error, Header, Parameters, Protocol, Reply};

/// PROTOCOL_VERSION, of each protocol.
const PROTOCOL_VERSION: u8 = 0x0;
/// PROTOCOL_ATTRIBUTES, of each protocol.
const PROTOCOL_ATTRIBUTES: u8 = 0x1;
/// PROTOCOL_MESSAGE_ATTRIBUTES, of each protocol.
const PROTOCOL_MESSAGE_ATTRIBUTES: u8 = 0x2;
/// NEGOTIATE_PROTOCOL_VERSION, of each protocol.
const NEGOTIATE_PROTOCOL_VERSION: u8 = 0x10;

/// What the firmware says of itself and its one agent. Names have 15 characters at most.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// Whose firmware it is.
    pub vendor: &'static str,
    /// Which part of the vendor's.
    pub sub_vendor: &'static str,
    /// Its version, in the vendor's own format.
    pub version: u32,
    /// What the agent is called, which is the caller.
    pub agent: &'static str,
}

/// The SCMI service of one channel.
#[derive(Clone, Copy)]
pub struct Scmi<'a> {
    /// The function that is the doorbell: `arm,smc-id` in the device tree.
    pub doorbell: FunctionId,
    /// The shared memory.
    pub channel: &'a Channel,
    /// Who the firmware is.
    pub identity: Identity,
    /// The protocols, without the base protocol.
    pub protocols: &'a [&'a dyn Protocol],
}

impl core::fmt::Debug for Scmi<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Scmi")
            .field("doorbell", &self.doorbell)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl Service for Scmi<'_> {
    fn owns(&self, id: FunctionId) -> bool {
        id == self.doorbell
    }

    /// Answers the message in the channel. The call itself succeeds whatever becomes of that; it
    /// is NOT_SUPPORTED in a machine without the shared memory.
    fn handle(&self, call: &mut Call<'_>) {
        let done = self
            .channel
            .serve(call.platform(), |header, message, reply, platform| {
                self.message(header, message, reply, platform)
            });
        call.answer(done);
    }
}

impl Scmi<'_> {
    fn message(
        &self,
        header: Header,
        parameters: Parameters<'_>,
        reply: &mut Reply<'_>,
        platform: &mut dyn Platform,
    ) -> Result<(), Error> {
        let base = Base {
            identity: &self.identity,
            protocols: self.protocols,
        };
        if header.kind() != Header::COMMAND {
            return Err(Error::Protocol);
        }
        let wanted = header.protocol();
        let protocol: &dyn Protocol = if wanted == base.id() {
            &base
        } else {
            let found = self.protocols.iter().find(|other| other.id() == wanted);
            *found.ok_or(Error::NotSupported)?
        };
        match header.message() {
            PROTOCOL_VERSION => {
                let [] = parameters.words()?;
                reply.word(protocol.version())
            }
            PROTOCOL_ATTRIBUTES => {
                let [] = parameters.words()?;
                reply.word(protocol.attributes())
            }
            PROTOCOL_MESSAGE_ATTRIBUTES => {
                let [asked] = parameters.words()?;
                let common = |message| {
                    message <= PROTOCOL_MESSAGE_ATTRIBUTES || message == NEGOTIATE_PROTOCOL_VERSION
                };
                let known =
                    u8::try_from(asked).is_ok_and(|asked| common(asked) || protocol.has(asked));
                // No message of these protocols has attributes.
                if known {
                    reply.word(0)
                } else {
                    Err(Error::NotFound)
                }
            }
            NEGOTIATE_PROTOCOL_VERSION => {
                let [version] = parameters.words()?;
                let same = version == protocol.version();
                if same {
                    Ok(())
                } else {
                    Err(Error::NotSupported)
                }
            }
            message if protocol.has(message) => {
                protocol.handle(message, parameters, reply, platform)
            }
            _ => Err(Error::NotSupported),
        }
    }
}

#[cfg(test)]
mod tests;
