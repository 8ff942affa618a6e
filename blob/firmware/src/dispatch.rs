// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From a call to the service that owns it.

use fakemon_abi::Width;

use crate::board::Board;
use crate::call::Call;
use crate::context::Context;
use crate::error::Error;
use crate::platform::Platform;
use crate::service::Service;

/// Serves one call of a board: the instruction's immediate decides which of the board's entry
/// points it reaches.
pub fn dispatch<B: Board>(board: &B, call: &mut Call<'_>) {
    match call.trap().immediate {
        0 => board.call(call),
        _ => board.call_with_immediate(call),
    }
}

/// Looks what is due for a CPU that has entered a board's firmware without a call (docs/abi.md, "Entry
/// without a call").
pub fn interrupt<B: Board>(board: &B, context: &mut Context<'_>) {
    board.interrupt(context);
}

/// Serves a call of SMCCC's by the first service that owns its function.
///
/// A function that nobody owns is answered NOT_SUPPORTED, and so is one of the 64-bit convention
/// when an AArch32 caller asks for it (DEN 0028, 2.7).
pub fn smccc(services: &[&dyn Service], call: &mut Call<'_>) {
    let id = call.id();
    let unreachable = id.is_64() && call.width() == Width::AArch32;
    match services.iter().find(|service| service.owns(id)) {
        Some(service) if !unreachable => {
            let tell = |platform: &mut dyn Platform, change| {
                for service in services {
                    service.cpu_power(platform, change);
                }
            };
            service.handle(&mut call.telling(&tell));
        }
        _ => call.answer(Error::NotSupported),
    }
}

#[cfg(test)]
mod tests;
