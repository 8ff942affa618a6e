// SPDX-License-Identifier: Apache-2.0 OR MIT
//! QSEECOM: the way to applications that run in the secure world.
//!
//! An application is looked up by name, gives its number, and is then sent requests in guest
//! memory. The first result of a call is its status: 0, or 0xffffffff for failure; the second says
//! what the third is.

use super::{Args, Error, Function, Kind, Reply, Signature};
use crate::platform::Platform;

/// Owner of calls to applications.
pub const APPS: u8 = 48;
/// Owner of calls to the system that runs them.
pub const OS: u8 = 50;

/// The version of a feature of the firmware's.
pub const VERSION: Signature = Signature::new(Function::sip(6, 3), &[Kind::Value]);
/// Looks an application up: address and length of its name.
pub const APP_LOOKUP: Signature = Signature::new(
    Function {
        owner: OS,
        service: 1,
        command: 3,
    },
    &[Kind::ReadWrite, Kind::Value],
);
/// Sends a request: the application's number, then address and size of request and response.
pub const APP_SEND: Signature = Signature::new(
    Function {
        owner: APPS,
        service: 0,
        command: 1,
    },
    &[
        Kind::Value,
        Kind::ReadWrite,
        Kind::Value,
        Kind::ReadWrite,
        Kind::Value,
    ],
);

/// [`VERSION`]'s feature that is QSEECOM.
const FEATURE: u64 = 10;
/// Status: it did not work.
const FAILURE: u64 = 0xffff_ffff;
/// The third result is an application's number.
const APP_ID: u64 = 0xee01;
/// Bytes of a name with its end.
const MAX_NAME: usize = 64;

/// A buffer that the guest has handed over: its claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Guest physical address.
    pub address: u64,
    /// Bytes.
    pub size: u64,
}

/// Why an application did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure;

/// An application.
pub trait App {
    /// Its name.
    const NAME: &'static str;
    /// Its number, which is not 0.
    const ID: u32;

    /// Serves a request by writing into `response`.
    ///
    /// # Errors
    /// [`Failure`] if it can make nothing of the buffers.
    fn send(
        &self,
        platform: &mut dyn Platform,
        request: Buffer,
        response: Buffer,
    ) -> Result<(), Failure>;
}

/// [`VERSION`]: the feature's number in, `version` of QSEECOM out.
///
/// # Errors
/// INVALID_ARGUMENT for another feature.
pub fn version(version: u32, args: &Args) -> Reply {
    if args[0] == FEATURE {
        Ok([u64::from(version), 0, 0])
    } else {
        Err(Error::InvalidArgument)
    }
}

/// [`APP_LOOKUP`] where `A` is the only application.
///
/// # Errors
/// INVALID_ARGUMENT for a name too long, INVALID_ADDRESS for one out of guest memory. A name that
/// nobody has is a success with status failure.
pub fn app_lookup<A: App>(platform: &mut dyn Platform, args: &Args) -> Reply {
    let mut name = [0; MAX_NAME];
    let name = usize::try_from(args[1])
        .ok()
        .filter(|&length| length < MAX_NAME)
        .and_then(|length| name.get_mut(..length))
        .ok_or(Error::InvalidArgument)?;
    platform
        .read_memory(args[0], name)
        .map_err(|_| Error::InvalidAddress)?;
    Ok(if name == A::NAME.as_bytes() {
        [0, APP_ID, u64::from(A::ID)]
    } else {
        [FAILURE, 0, 0]
    })
}

/// [`APP_SEND`] where `app` is the only application.
///
/// # Errors
/// None; an unknown application, or one that fails, is a success with status failure.
pub fn app_send<A: App>(app: &A, platform: &mut dyn Platform, args: &Args) -> Reply {
    let [id, request, request_size, response, response_size, ..] = *args;
    let request = Buffer {
        address: request,
        size: request_size,
    };
    let response = Buffer {
        address: response,
        size: response_size,
    };
    let sent = id == u64::from(A::ID) && app.send(platform, request, response).is_ok();
    Ok([if sent { 0 } else { FAILURE }, 0, 0])
}

#[cfg(test)]
mod tests;
