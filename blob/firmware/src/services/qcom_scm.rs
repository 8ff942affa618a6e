// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Qualcomm's Secure Channel Manager: numbered calls to TrustZone, in three conventions.
//!
//! A call is a service and a command, below an owner, with up to ten arguments and three results.
//! What it does is the same in all conventions; how it arrives is not:
//!
//! * [`smc`]: SMCCC's registers, 32 or 64 bits wide, arguments beyond the fourth in guest memory;
//! * [`legacy`]: a command buffer in guest memory, or registers for short calls that do not wait.
//!
//! A board lists the calls it has in one table. The conventions serve from it, and so does
//! IS_CALL_AVAIL, by which a kernel finds out which convention there is and which calls.
//!
//! All calls complete at once: neither INTERRUPTED (1) nor WAITQ_SLEEP (2) is ever returned, since
//! a blob runs to its end while the guest's CPU waits, and interrupts are delivered right after.
//!
//! So there are no wait queues, and no board has the call that asks for them, GET_INFO (service
//! 0x24, command 4). Newer kernels make it, whatever the chip: once for the number of queues and once
//! for their interrupt. Refused, Linux reckons with one queue, and with the interrupt that
//! the device tree names, if any. No other answer is as good: to succeed means to have an interrupt,
//! and Linux warns of a number that is none of the interrupt controller's shared ones.
//!
//! Source: Linux drivers/firmware/qcom/qcom_scm.{c,h}, qcom_scm-smc.c, qcom_scm-legacy.c.

use crate::error::Code;
use crate::function_id::{FunctionId, owner};
use crate::platform::Platform;

pub mod assign;
pub mod boot;
pub mod io;
pub mod legacy;
pub mod qseecom;
pub mod smc;
pub mod uefi;

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Error {
    /// Something failed; in SMCCC's registers also: there is no such call.
    Failed = -1,
    /// An argument is out of range.
    InvalidArgument = -2,
    /// An address is not one that the caller may hand over.
    InvalidAddress = -3,
    /// There is no such call.
    NotSupported = -4,
    /// There is no room for it.
    NoMemory = -5,
}

impl Code for Error {
    fn code(&self) -> i32 {
        *self as i32
    }
}

/// Arguments of a call at most.
pub const MAX_ARGS: usize = 10;

/// The arguments of a call; zero beyond those that it has.
pub type Args = [u64; MAX_ARGS];

/// What a call answers: its results, or why it is refused.
pub type Reply = Result<[u64; 3], Error>;

/// What identifies a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Function {
    /// Owner as in SMCCC: mostly SIP.
    pub owner: u8,
    /// The service.
    pub service: u32,
    /// The service's command.
    pub command: u16,
}

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A value.
    Value = 0,
    /// The address of a buffer that is read.
    Read = 1,
    /// The address of a buffer that is read and written.
    ReadWrite = 2,
}

/// A call and the arguments that it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Which call.
    pub function: Function,
    /// Number and kinds of its arguments, as x1 of a call tells them: the number in bits 3:0, then
    /// two bits for each.
    pub arginfo: u32,
}

/// A row of a board's table: a call and what serves it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<B> {
    /// The call.
    pub signature: Signature,
    /// What serves it, with as many arguments as the signature has.
    pub serve: fn(&B, &mut dyn Platform, &Args) -> Reply,
}

/// Whether a call is there; the only one that every board has.
pub const IS_CALL_AVAIL: Signature = Signature::new(Function::sip(6, 1), &[Kind::Value]);

impl Function {
    /// A call of the silicon partner's.
    pub const fn sip(service: u32, command: u16) -> Self {
        Function {
            owner: owner::SIP,
            service,
            command,
        }
    }

    /// The call of an SMCCC function ID: the service in bits 23:8, of which SMCCC leaves eight, and
    /// the command in 7:0.
    pub const fn from_smccc(id: FunctionId) -> Self {
        Function {
            owner: id.owner(),
            service: id.0 >> 8 & 0xffff,
            command: id.number() & 0xff,
        }
    }

    /// The call of a number of the legacy convention: the command in bits 9:0, the service above.
    pub const fn from_legacy(number: u32) -> Self {
        Function::sip(number >> 10, number as u16 & 0x3ff)
    }
}

impl Signature {
    /// The signature of `function` with arguments of these kinds, [`MAX_ARGS`] at most.
    pub const fn new(function: Function, kinds: &[Kind]) -> Self {
        assert!(kinds.len() <= MAX_ARGS, "a call has ten arguments at most");
        let mut arginfo = kinds.len() as u32;
        let mut n = 0;
        while n < kinds.len() {
            arginfo |= (kinds[n] as u32) << (4 + 2 * n);
            n += 1;
        }
        Signature { function, arginfo }
    }

    /// Returns the number of arguments.
    pub const fn count(&self) -> usize {
        self.arginfo as usize & 0xf
    }

    /// Makes a row of a board's table.
    pub const fn by<B>(self, serve: fn(&B, &mut dyn Platform, &Args) -> Reply) -> Entry<B> {
        Entry {
            signature: self,
            serve,
        }
    }
}

/// A board's calls, and the board whose they are.
#[derive(Debug)]
struct Calls<'a, B: 'static> {
    board: &'a B,
    table: &'static [Entry<B>],
}

impl<B> Calls<'_, B> {
    /// Looks up the signature of a call.
    fn find(&self, function: Function) -> Option<Signature> {
        let signatures = self.table.iter().map(|entry| entry.signature);
        core::iter::once(IS_CALL_AVAIL)
            .chain(signatures)
            .find(|signature| signature.function == function)
    }

    /// Serves a call that [`Calls::find`] has found. `decode` makes a function of IS_CALL_AVAIL's
    /// argument, which is in the convention's own form.
    fn serve(
        &self,
        platform: &mut dyn Platform,
        function: Function,
        args: &Args,
        decode: fn(u32) -> Function,
    ) -> Reply {
        if function == IS_CALL_AVAIL.function {
            let there = self.find(decode(args[0] as u32)).is_some();
            return Ok([u64::from(there), 0, 0]);
        }
        self.table
            .iter()
            .find(|entry| entry.signature.function == function)
            .map_or(Err(Error::NotSupported), |entry| {
                (entry.serve)(self.board, platform, args)
            })
    }
}

#[cfg(test)]
mod tests;
