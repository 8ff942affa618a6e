// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SCM in SMCCC's registers.
//!
//! w0 is a function ID, fast or yielding, whose number is service and command; x1 tells number and
//! kinds of the arguments, and must be what the call expects. x2 to x5 are arguments. When there
//! are more than four, x5 is the address of a list in guest memory that begins with the fourth.
//! x0 is a code, x1 to x3 are results. Arguments, list and results have the convention's width.
//!
//! Firmware of one width refuses calls of the other, by which a kernel tells them apart. A call is
//! served whether it comes as fast or as yielding.

use super::{Calls, Entry, Error, Function, MAX_ARGS, Reply};
use crate::call::Call;
use crate::function_id::{FunctionId, owner};
use crate::service::Service;

/// Arguments in registers when all are.
const IN_REGISTERS: usize = 4;
/// The register of the first argument.
const FIRST: usize = 2;

/// Owners whose calls are SCM's: the silicon partner, trusted applications, and the secure
/// environment that runs them.
const OWNERS: [u8; 3] = [owner::SIP, super::qseecom::APPS, super::qseecom::OS];

/// How wide calls are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Convention {
    /// 32 bits.
    Smc32,
    /// 64 bits.
    Smc64,
}

/// The SCM calls of a board in SMCCC's registers.
#[derive(Debug)]
pub struct Smc<'a, B: 'static> {
    calls: Calls<'a, B>,
    convention: Convention,
}

impl<'a, B> Smc<'a, B> {
    /// The calls in `table`, of `board`.
    pub const fn new(board: &'a B, table: &'static [Entry<B>], convention: Convention) -> Self {
        Smc {
            calls: Calls { board, table },
            convention,
        }
    }

    fn serve(&self, call: &mut Call<'_>) -> Reply {
        let function = Function::from_smccc(call.id());
        let signature = self.calls.find(function).ok_or(Error::Failed)?;
        if call.arg(1) as u32 != signature.arginfo {
            return Err(Error::InvalidArgument);
        }
        let count = signature.count().min(MAX_ARGS);
        let mut args = [0; MAX_ARGS];
        let listed = if count > IN_REGISTERS {
            IN_REGISTERS - 1
        } else {
            count
        };
        for (n, arg) in args.iter_mut().enumerate().take(listed) {
            *arg = call.arg(FIRST + n);
        }
        if let Some(rest) = args.get_mut(listed..count).filter(|rest| !rest.is_empty()) {
            let list = call.arg(FIRST + IN_REGISTERS - 1);
            self.read_list(call, list, rest)?;
        }
        self.calls.serve(call.platform(), function, &args, |id| {
            Function::from_smccc(FunctionId(id))
        })
    }

    /// Reads the arguments that did not fit into registers.
    fn read_list(&self, call: &mut Call<'_>, list: u64, args: &mut [u64]) -> Result<(), Error> {
        let mut bytes = [0; 8 * MAX_ARGS];
        let width = match self.convention {
            Convention::Smc32 => 4,
            Convention::Smc64 => 8,
        };
        let bytes = bytes.get_mut(..width * args.len()).ok_or(Error::Failed)?;
        call.platform()
            .read_memory(list, bytes)
            .map_err(|_| Error::InvalidAddress)?;
        for (arg, word) in args.iter_mut().zip(bytes.chunks_exact(width)) {
            let mut wide = [0; 8];
            wide[..width].copy_from_slice(word);
            *arg = u64::from_le_bytes(wide);
        }
        Ok(())
    }
}

impl<B: Sync> Service for Smc<'_, B> {
    fn owns(&self, id: FunctionId) -> bool {
        OWNERS.contains(&id.owner())
            && id.0 & 0x00ff_0000 == 0
            && id.is_64() == (self.convention == Convention::Smc64)
    }

    fn handle(&self, call: &mut Call<'_>) {
        let (code, results) = match self.serve(call) {
            Ok(results) => (Ok(()), results),
            Err(error) => (Err(error), [0; 3]),
        };
        let mask = match self.convention {
            Convention::Smc32 => u64::from(u32::MAX),
            Convention::Smc64 => u64::MAX,
        };
        call.answer(code);
        for (n, result) in results.into_iter().enumerate() {
            call.set(n + 1, result & mask);
        }
    }
}

#[cfg(test)]
mod tests;
