// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A panic leaves a record that the host prints. Nothing is formatted: the host reads the texts
//! where they lie.

use core::panic::PanicInfo;

use fakemon_abi::frame::PanicRecord;

use crate::doorbell::FrameDoorbell;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut record = PanicRecord::default();
    if let Some(place) = info.location() {
        (record.file, record.file_len) = text(place.file());
        record.line = place.line();
        record.column = place.column();
    }
    if let Some(message) = info.message().as_str() {
        (record.message, record.message_len) = text(message);
    }
    FrameDoorbell::current().panic(record)
}

/// Address and length of a text that lives as long as the blob.
fn text(text: &str) -> (u64, u32) {
    (
        text.as_ptr().addr() as u64,
        u32::try_from(text.len()).unwrap_or(u32::MAX),
    )
}
