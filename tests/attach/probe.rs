// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A blob that does as the guest tells it: counts, makes a host call, loads, stores, fails or hangs. It counts
//! how often it is entered without a call, too.

use std::path::PathBuf;

/// What it says of itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// It sees none of the guest's memory.
    Blind,
    /// It writes it.
    Writer,
    /// It sees none, and serves guests of 32 bits alone.
    Narrow,
}

/// Writes it to a file.
#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
pub(crate) fn write(kind: &Kind) -> Result<PathBuf, String> {
    Err(format!("there is no KVM here for a blob that is {kind:?}"))
}

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub(crate) use blob::write;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod blob {
    use std::mem::offset_of;

    use fakemon_abi::frame::Frame;
    use fakemon_abi::hostcall::HostCall;
    use fakemon_abi::layout::FRAME;
    use fakemon_abi::note::{CALLER_AARCH32, GUEST_MEMORY_WRITE};
    use fakemon_tests::elf::{blob_file, note};
    use fakemon_tests::program;

    use super::{Kind, PathBuf};

    // x1 says what, x2 and x3 with what, as vmm/vm.h has it. An entry without a call is 0x100 bytes after
    // the vector for calls.
    program!(
        told,
        "9: cmp x1, #5",
        "b.eq .",
        "cmp x1, #4",
        "b.eq 5f",
        "cmp x1, #3",
        "b.eq 4f",
        "cmp x1, #2",
        "b.eq 3f",
        "cbz x1, 2f",
        "mrs x9, tpidr_el1",
        "str x2, [x9, #{NR}]",
        "str x3, [x9, #{ARGS}]",
        "sub x10, x9, #{FRAME}",
        "ldr wzr, [x10, #8]",
        "ldr x0, [x9, #{STATUS}]",
        "ldr x1, [x9, #{RESULTS}]",
        "eret",
        "2: movz x9, #0x7f, lsl #32",
        "movk x9, #0x2000",
        "ldp x0, x1, [x9]",
        "add x0, x0, #1",
        "str x0, [x9]",
        "eret",
        "3: ldr w0, [x2]",
        "eret",
        "4: str w3, [x2]",
        "mov x0, xzr",
        "eret",
        "5: udf #0",
        ".space 0x100 - (. - 9b)",
        "movz x19, #0x7f, lsl #32",
        "movk x19, #0x2008",
        "ldr x20, [x19]",
        "add x20, x20, #1",
        "str x20, [x19]",
        "eret";
        NR = offset_of!(Frame, call) + offset_of!(HostCall, nr),
        ARGS = offset_of!(Frame, call) + offset_of!(HostCall, args),
        STATUS = offset_of!(Frame, call) + offset_of!(HostCall, status),
        RESULTS = offset_of!(Frame, call) + offset_of!(HostCall, results),
        FRAME = FRAME
    );

    /// Writes it to a file.
    pub(crate) fn write(kind: &Kind) -> Result<PathBuf, String> {
        let mut note = note();
        match kind {
            Kind::Blind => {}
            Kind::Writer => note.guest_memory = GUEST_MEMORY_WRITE,
            Kind::Narrow => note.callers = CALLER_AARCH32,
        }
        let file = std::env::temp_dir().join(format!("probe-{kind:?}.elf"));
        // Two tests may do so at the same time.
        let own = file.with_extension(format!("{:?}", std::thread::current().id()));
        std::fs::write(&own, blob_file(note, told(), &[])).map_err(|error| error.to_string())?;
        std::fs::rename(own, &file).map_err(|error| error.to_string())?;
        Ok(file)
    }
}
