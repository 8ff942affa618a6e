// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What messages ask for: sessions with trusted applications, and commands of these.

use crate::call::Call;
use crate::platform::Platform;
use crate::services::optee::message::Message;
use crate::services::optee::result::{BAD_PARAMETERS, ITEM_NOT_FOUND, OUT_OF_MEMORY, SUCCESS};
use crate::services::optee::{EBADCMD, OK, OpTee};

const OPEN_SESSION: u32 = 0;
const INVOKE_COMMAND: u32 = 1;
const CLOSE_SESSION: u32 = 2;
const CANCEL: u32 = 3;

/// Who has made a result: the OS.
const ORIGIN_OS: u32 = 3;
/// A trusted application.
const ORIGIN_APP: u32 = 4;

/// Parameters of OPEN_SESSION that are for the OS: the application, and who the caller is.
const META_PARAMS: usize = 2;
/// How a caller may introduce itself: as anybody, user, group, application with or without these,
/// or as a kernel.
const LOGINS: [u32; 7] = [0, 1, 2, 4, 5, 6, 0x8000_0000];

impl OpTee {
    /// Serves the message at the address in w1 (high half) and w2.
    pub(super) fn call_with_arg(&self, call: &mut Call<'_>) -> u32 {
        let address = call.arg(1) << 32 | call.arg(2);
        self.serve(call.platform(), address).err().unwrap_or(OK)
    }

    fn serve(&self, platform: &mut dyn Platform, address: u64) -> Result<(), u32> {
        let message = Message::read(platform, self.pool(), address)?;
        let (result, origin) = match message.command() {
            OPEN_SESSION => {
                let opened = self.open(&message);
                message.write_session(platform, opened.unwrap_or(0))?;
                (opened.err().unwrap_or(SUCCESS), ORIGIN_OS)
            }
            INVOKE_COMMAND => self.invoke(platform, &message)?,
            CLOSE_SESSION => (self.close(&message), ORIGIN_OS),
            CANCEL => (self.cancel(&message), ORIGIN_OS),
            _ => return Err(EBADCMD),
        };
        message.write_result(platform, result, origin)
    }

    fn open(&self, message: &Message) -> Result<u32, u32> {
        let [Some(app), Some(caller)] = [0, 1].map(|n| message.meta(n)) else {
            return Err(BAD_PARAMETERS);
        };
        let [.., a, b, c, d, _, _, _, _] = caller;
        if !LOGINS.contains(&u32::from_le_bytes([a, b, c, d])) {
            return Err(BAD_PARAMETERS);
        }
        // No application has a use for those of its own yet, but they must be in order.
        message.params(META_PARAMS)?;
        let mut apps = self.config.apps.iter();
        let app = apps
            .position(|known| app.starts_with(&known.uuid()))
            .ok_or(ITEM_NOT_FOUND)?;
        self.state
            .with(|state| state.sessions.open(app))
            .ok_or(OUT_OF_MEMORY)
    }

    fn invoke(&self, platform: &mut dyn Platform, message: &Message) -> Result<(u32, u32), u32> {
        let mut params = match message.params(0) {
            Ok(params) => params,
            Err(result) => return Ok((result, ORIGIN_OS)),
        };
        let app = self
            .state
            .with(|state| state.sessions.app(message.session()));
        let Some(app) = app.and_then(|app| self.config.apps.get(app)) else {
            return Ok((BAD_PARAMETERS, ORIGIN_OS));
        };
        let invoked = app.invoke(message.function(), &mut params, platform);
        message.write_params(platform, 0, &params)?;
        Ok((invoked.err().unwrap_or(SUCCESS), ORIGIN_APP))
    }

    fn close(&self, message: &Message) -> u32 {
        let close = || {
            self.state
                .with(|state| state.sessions.close(message.session()))
        };
        match message.count() {
            0 if close() => SUCCESS,
            0 => ITEM_NOT_FOUND,
            _ => BAD_PARAMETERS,
        }
    }

    /// Cancels the command that runs in a session. A command here is over before anybody can want
    /// that, so a known session is all it takes.
    fn cancel(&self, message: &Message) -> u32 {
        let app = self
            .state
            .with(|state| state.sessions.app(message.session()));
        match (message.count(), app) {
            (0, Some(_)) => SUCCESS,
            _ => BAD_PARAMETERS,
        }
    }
}
