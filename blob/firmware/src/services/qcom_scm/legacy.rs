// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SCM as it was before SMCCC.
//!
//! With 1 in r0, r2 is the address of a command in guest memory:
//!
//! ```text
//! 0   size of command and response
//! 4   where the arguments are
//! 8   where the response is
//! 12  the call, service << 10 | command
//!     the arguments, 32 bits each
//!     the response: its size, where its results are, whether it is complete; then the results
//! ```
//!
//! All offsets count from the start of what holds them. r0 is a code; with 0, the kernel waits for
//! `complete` and reads three results.
//!
//! An atomic call has no memory. Its r0 is `service << 10 | command` in bits 31:12, 2 for
//! "arguments in registers" in 11:8, 1 in bit 5 for "interrupts masked", and the number of
//! arguments in 3:0. They are in r2 to r6; a code comes back in r0 and three results in r1 to r3.
//!
//! In both, r1 is an address of the kernel's own, which is not used.

use super::{Args, Calls, Entry, Error, Function, MAX_ARGS, Reply};
use crate::call::Call;
use crate::function_id::FunctionId;
use crate::platform::Platform;
use crate::service::Service;

/// The function ID of a call by command buffer.
pub const BUFFER: FunctionId = FunctionId(1);

/// Bytes of a command's header.
const COMMAND: u64 = 16;
/// Bytes of a response's header.
const RESPONSE: u64 = 12;
/// Bytes of the results.
const RESULTS: u64 = 12;
/// More than any command has.
const MAX_COMMAND: u64 = 0x1000;
/// Arguments of an atomic call at most.
const ATOMIC_ARGS: usize = 5;
/// The register of an atomic call's first argument.
const FIRST: usize = 2;

/// The SCM calls of a board in the legacy convention.
#[derive(Debug)]
pub struct Legacy<'a, B: 'static> {
    calls: Calls<'a, B>,
}

/// Where the parts of a command are, as addresses, checked to lie inside it.
struct Command {
    function: Function,
    args: u64,
    args_size: u64,
    response: u64,
    response_size: u64,
}

impl<'a, B> Legacy<'a, B> {
    /// The calls in `table`, of `board`.
    pub const fn new(board: &'a B, table: &'static [Entry<B>]) -> Self {
        Legacy {
            calls: Calls { board, table },
        }
    }

    /// Serves the command at `address`.
    fn buffer(&self, platform: &mut dyn Platform, address: u64) -> Result<(), Error> {
        let command = Command::read(platform, address)?;
        let signature = self
            .calls
            .find(command.function)
            .ok_or(Error::NotSupported)?;
        let count = signature.count().min(MAX_ARGS);
        if command.args_size < 4 * count as u64 {
            return Err(Error::InvalidArgument);
        }
        let mut bytes = [0; 4 * MAX_ARGS];
        let bytes = &mut bytes[..4 * count];
        platform
            .read_memory(command.args, bytes)
            .map_err(|_| Error::InvalidAddress)?;
        let mut args = [0; MAX_ARGS];
        for (arg, word) in args.iter_mut().zip(words(bytes)) {
            *arg = u64::from(word);
        }
        let results = self
            .calls
            .serve(platform, command.function, &args, Function::from_legacy)?;
        command
            .respond(platform, results)
            .map_err(|_| Error::InvalidAddress)
    }

    /// Serves a call in registers.
    fn atomic(&self, call: &mut Call<'_>) -> Reply {
        let id = call.id().0;
        let function = Function::from_legacy(id >> 12);
        let signature = self.calls.find(function).ok_or(Error::NotSupported)?;
        let count = id as usize & 0xf;
        if count != signature.count() || count > ATOMIC_ARGS {
            return Err(Error::InvalidArgument);
        }
        let mut args: Args = [0; MAX_ARGS];
        for (n, arg) in args.iter_mut().enumerate().take(count) {
            *arg = call.arg(FIRST + n);
        }
        self.calls
            .serve(call.platform(), function, &args, Function::from_legacy)
    }
}

impl Command {
    /// Reads a command's header once and checks that its parts lie in it and in this order.
    fn read(platform: &mut dyn Platform, address: u64) -> Result<Self, Error> {
        let mut header = [0; COMMAND as usize];
        platform
            .read_memory(address, &mut header)
            .map_err(|_| Error::InvalidAddress)?;
        let mut fields = words(&header);
        let mut field = || u64::from(fields.next().unwrap_or(0));
        let (size, args, response, id) = (field(), field(), field(), field());
        let in_order = COMMAND <= args && args <= response && response <= MAX_COMMAND;
        let fits = size <= MAX_COMMAND && response + RESPONSE + RESULTS <= size;
        if !in_order || !fits || !args.is_multiple_of(4) || !response.is_multiple_of(4) {
            return Err(Error::InvalidArgument);
        }
        Ok(Command {
            function: Function::from_legacy(id as u32),
            args: address + args,
            args_size: response - args,
            response: address + response,
            response_size: size - response,
        })
    }

    /// Writes the response, and last that it is complete, for which the kernel may look already.
    fn respond(
        &self,
        platform: &mut dyn Platform,
        results: [u64; 3],
    ) -> Result<(), crate::error::Error> {
        let mut bytes = [0; RESULTS as usize];
        for (bytes, result) in bytes.chunks_exact_mut(4).zip(results) {
            bytes.copy_from_slice(&(result as u32).to_le_bytes());
        }
        platform.write_memory(self.response + RESPONSE, &bytes)?;
        platform.write_u32(self.response, self.response_size as u32)?;
        platform.write_u32(self.response + 4, RESPONSE as u32)?;
        platform.write_u32(self.response + 8, 1)
    }
}

impl<B: Sync> Service for Legacy<'_, B> {
    fn owns(&self, id: FunctionId) -> bool {
        // Bits 7:6 and 4 are zero in every call. No service is above 0x3f, where SMCCC's yielding
        // calls begin, by which a kernel may ask first.
        id == BUFFER || id.0 >> 28 == 0 && id.0 & 0xfd0 == 0x200
    }

    fn handle(&self, call: &mut Call<'_>) {
        if call.id() == BUFFER {
            let address = call.arg(2);
            let served = self.buffer(call.platform(), address);
            return call.answer(served);
        }
        let (code, results) = match self.atomic(call) {
            Ok(results) => (Ok(()), results),
            Err(error) => (Err(error), [0; 3]),
        };
        call.answer(code);
        for (n, result) in results.into_iter().enumerate() {
            call.set(n + 1, result & u64::from(u32::MAX));
        }
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.chunks_exact(4).map(|word| {
        let mut four = [0; 4];
        four.copy_from_slice(word);
        u32::from_le_bytes(four)
    })
}

#[cfg(test)]
mod tests;
