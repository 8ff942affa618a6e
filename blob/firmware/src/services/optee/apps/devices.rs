// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The application that lists others: those for which the kernel makes devices.

use crate::platform::Platform;
use crate::services::optee::apps::{TrustedApp, Uuid};
use crate::services::optee::param::{Access, PARAMS, Param};
use crate::services::optee::result::{BAD_PARAMETERS, NOT_IMPLEMENTED, SHORT_BUFFER};

const GET_DEVICES: u32 = 0;

/// The list, in the order in which the kernel sees the devices.
#[derive(Clone, Copy, Debug)]
pub struct Devices(pub &'static [Uuid]);

impl Devices {
    /// 7011a688-ddde-4053-a5a9-7b3c4ddf13b8.
    pub const UUID: Uuid = 0x7011_a688_ddde_4053_a5a9_7b3c_4ddf_13b8_u128.to_be_bytes();

    /// Writes the list; without enough room for it, as much as fits, and says how much it takes.
    fn list(&self, params: &mut [Param; PARAMS], platform: &mut dyn Platform) -> Result<(), u32> {
        let [
            Param::Memory(Access::Output, buffer),
            Param::None,
            Param::None,
            Param::None,
        ] = params
        else {
            return Err(BAD_PARAMETERS);
        };
        if buffer.is_null() && buffer.size > 0 {
            return Err(BAD_PARAMETERS);
        }
        let mut size = 0;
        for uuid in self.0 {
            let end = size + uuid.len() as u64;
            if end <= buffer.capacity() {
                buffer.write(platform, size, uuid)?;
            }
            size = end;
        }
        buffer.size = size;
        if size > buffer.capacity() {
            return Err(SHORT_BUFFER);
        }
        Ok(())
    }
}

impl TrustedApp for Devices {
    fn uuid(&self) -> Uuid {
        Self::UUID
    }

    fn invoke(
        &self,
        command: u32,
        params: &mut [Param; PARAMS],
        platform: &mut dyn Platform,
    ) -> Result<(), u32> {
        match command {
            GET_DEVICES => self.list(params, platform),
            // Lists of devices that need a daemon, or its storage: the real one has commands for
            // these, but nothing here does.
            _ => Err(NOT_IMPLEMENTED),
        }
    }
}
