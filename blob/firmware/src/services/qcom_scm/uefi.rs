// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure application that keeps UEFI's variables, `qcom.tz.uefisecapp`.
//!
//! A request begins with a command and its own size, a response with the command, its size and a
//! status, which is UEFI's with the error bit in bit 31. Names (UTF-16 with an end), GUIDs and data
//! lie where the fields of both say:
//!
//! ```text
//!              request                                           response
//! 0x8000 get   name, guid (offset, size each), room for data     attributes, data
//! 0x8001 set   name, guid, attributes, data                      two words that mean nothing
//! 0x8002 next  guid, name                                        guid, name
//! 0x8003 query attributes                                        room: all, left, for one variable
//! ```
//!
//! The kernel is past ExitBootServices, so it finds and makes variables of run-time access alone,
//! and those that it makes are non-volatile (UEFI 2.10, 8.2). They last until the guest is reset:
//! there is no flash here.
//!
//! Source: Linux drivers/firmware/qcom/qcom_qseecom_uefisecapp.c.

use super::qseecom::{App, Buffer, Failure};
use crate::lock::Lock;
use crate::platform::Platform;
use store::{Store, Variable};

mod request;
mod status;
mod store;

use request::Request;

/// Bytes of a request at most.
const MAX_REQUEST: usize = 0x1000;

const GET: u32 = 0x8000;
const SET: u32 = 0x8001;
const NEXT: u32 = 0x8002;
const QUERY: u32 = 0x8003;

/// GUID of UEFI's own variables, 8be4df61-93ca-11d2-aa0d-00e098032b8c.
const GLOBAL: [u8; 16] = [
    0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11, 0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c,
];

/// The application.
#[derive(Debug)]
pub struct Uefi(Lock<Store>);

impl Default for Uefi {
    fn default() -> Self {
        Uefi::new()
    }
}

impl Uefi {
    /// With the variables that firmware itself provides: a platform without keys, SecureBoot off.
    pub const fn new() -> Self {
        Uefi(Lock::new(
            Store::new()
                .with("SecureBoot", GLOBAL, &[0])
                .with("SetupMode", GLOBAL, &[1]),
        ))
    }
}

impl App for Uefi {
    const NAME: &'static str = "qcom.tz.uefisecapp";
    const ID: u32 = 1;

    fn send(
        &self,
        platform: &mut dyn Platform,
        request: Buffer,
        response: Buffer,
    ) -> Result<(), Failure> {
        let mut bytes = [0; MAX_REQUEST];
        let request = Request::read(platform, request, &mut bytes).ok_or(Failure)?;
        let mut response = Response {
            platform,
            buffer: response,
        };
        match request.command() {
            GET => self.get(&request, &mut response),
            SET => self.set(&request, &mut response),
            NEXT => self.next(&request, &mut response),
            QUERY => self.query(&request, &mut response),
            _ => Err(Failure),
        }
    }
}

impl Uefi {
    fn get(&self, request: &Request<'_>, response: &mut Response<'_>) -> Result<(), Failure> {
        const HEADER: u32 = 24;
        let room = request.field(6).ok_or(Failure)?;
        self.0.with(|store| {
            let found = request
                .name_and_guid(2, 4)
                .and_then(|(name, guid)| store.find(name, guid));
            match found {
                Ok(variable) => {
                    let (attributes, size) = (variable.attributes, variable.data.len() as u32);
                    if size > room {
                        let fields = [GET, HEADER, status::BUFFER_TOO_SMALL, attributes, 0, size];
                        return response.write(&fields, &[]);
                    }
                    let fields = [GET, HEADER + size, 0, attributes, HEADER, size];
                    response.write(&fields, &[variable.data])
                }
                Err(status) => response.write(&[GET, HEADER, status, 0, 0, 0], &[]),
            }
        })
    }

    fn set(&self, request: &Request<'_>, response: &mut Response<'_>) -> Result<(), Failure> {
        let attributes = request.field(6).ok_or(Failure)?;
        let set = || {
            let (name, guid) = request.name_and_guid(2, 4)?;
            let data = request.part(7)?;
            let variable = Variable {
                name,
                guid,
                attributes,
                data,
            };
            self.0.with(|store| store.set(variable))
        };
        let status = set().err().unwrap_or(0);
        response.write(&[SET, 20, status, 0, 0], &[])
    }

    fn next(&self, request: &Request<'_>, response: &mut Response<'_>) -> Result<(), Failure> {
        const HEADER: u32 = 28;
        let room = request.field(5).ok_or(Failure)?;
        self.0.with(|store| {
            let found = request
                .name_and_guid(4, 2)
                .and_then(|(name, guid)| store.next(name, guid));
            match found {
                Ok(next) if next.name.len() as u32 <= room => {
                    let size = next.name.len() as u32;
                    let length = HEADER + 16 + size;
                    let fields = [NEXT, length, 0, HEADER, 16, HEADER + 16, size];
                    response.write(&fields, &[&next.guid, next.name])
                }
                Ok(next) => {
                    let size = next.name.len() as u32;
                    let fields = [NEXT, HEADER, status::BUFFER_TOO_SMALL, 0, 0, 0, size];
                    response.write(&fields, &[])
                }
                Err(status) => response.write(&[NEXT, HEADER, status, 0, 0, 0, 0], &[]),
            }
        })
    }

    fn query(&self, request: &Request<'_>, response: &mut Response<'_>) -> Result<(), Failure> {
        let attributes = request.field(2).ok_or(Failure)?;
        let (status, room) = match status::check_attributes(attributes) {
            Ok(()) => (0, self.0.with(|store| store.room())),
            Err(status) => (status, [0; 3]),
        };
        let [all, left, one] = room;
        response.write(&[QUERY, 40, status, 0, all, 0, left, 0, one, 0], &[])
    }
}

/// Where a response goes.
struct Response<'a> {
    platform: &'a mut dyn Platform,
    buffer: Buffer,
}

impl Response<'_> {
    /// Writes words and then parts, one after the other, if they fit all together.
    fn write(&mut self, fields: &[u32], parts: &[&[u8]]) -> Result<(), Failure> {
        let words = 4 * fields.len();
        let size = parts.iter().fold(words, |size, part| size + part.len());
        let Buffer {
            address,
            size: room,
        } = self.buffer;
        let end = address.checked_add(size as u64);
        if size as u64 > room || end.is_none() {
            return Err(Failure);
        }
        let mut to = address + words as u64;
        for part in parts {
            self.platform.write_memory(to, part).map_err(|_| Failure)?;
            to += part.len() as u64;
        }
        for (n, field) in fields.iter().enumerate() {
            self.platform
                .write_u32(address + 4 * n as u64, *field)
                .map_err(|_| Failure)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
