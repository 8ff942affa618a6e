// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether a program can have a library loaded into it, and whether its arguments ask for something that
//! cannot be served.

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fakemon_host::abi::note::GUEST_MEMORY_WRITE;
use fakemon_host::{Blob, Width};
use object::Endianness;
use object::elf::{EM_AARCH64, FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};

/// Set-user-ID and set-group-ID.
const SET_ID: u32 = 0o6000;

/// Finds a program as a shell does.
///
/// # Errors
/// There is none.
pub(super) fn find(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, String> {
    let file = Path::new(name);
    let found = match file.components().count() {
        1 => std::env::split_paths(path.unwrap_or_default())
            .map(|dir| dir.join(file))
            .find(|file| is_executable(file)),
        _ => Some(file.to_owned()).filter(|file| is_executable(file)),
    };
    found.ok_or_else(|| format!("there is no program {}", name.display()))
}

fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Why the system takes no notice of LD_PRELOAD for a program with this mode, if that is so.
pub(super) fn privileged(mode: u32, has_capabilities: bool) -> Option<&'static str> {
    if mode & SET_ID != 0 {
        Some(
            "is set-user-ID or set-group-ID, so that no library is loaded into it: start a copy without",
        )
    } else if has_capabilities {
        Some("has file capabilities, so that no library is loaded into it: start a copy without")
    } else {
        None
    }
}

/// Why no library of ours can be loaded into the program that begins with these bytes, if that is so.
pub(super) fn unfit(start: &[u8]) -> Option<String> {
    // A script hands its environment on to the program that it starts.
    if start.starts_with(b"#!") {
        return None;
    }
    if !start.starts_with(b"\x7fELF") {
        return Some("is no program".into());
    }
    let fit = FileHeader64::<Endianness>::parse(start).and_then(|header| {
        let endian = header.endian()?;
        let interpreters = header.program_headers(endian, start)?.iter();
        let mut interpreters = interpreters.filter(|header| header.p_type(endian) == PT_INTERP);
        let interpreter = match interpreters.next() {
            Some(header) => header.interpreter(endian, start)?,
            None => None,
        };
        Ok((header.e_machine(endian) == EM_AARCH64, interpreter))
    });
    match fit {
        Err(_) | Ok((false, _)) => Some("is no 64-bit Arm program".into()),
        Ok((true, None)) => Some(
            "is linked statically, so that no library can be loaded into it: \
             build it for aarch64-unknown-linux-gnu"
                .into(),
        ),
        Ok((true, Some(loader))) if loader.windows(4).any(|part| part == b"musl") => Some(
            "is linked with musl, and this library with glibc: \
             build it for aarch64-unknown-linux-gnu"
                .into(),
        ),
        Ok((true, Some(_))) => None,
    }
}

/// What QEMU is asked for that does not go with this, if there is something; of other VMMs nothing is
/// known.
pub(super) fn objection(vmm: &Path, arguments: &[OsString], blobs: &[Blob]) -> Option<String> {
    let name = vmm.file_name().unwrap_or_default().to_string_lossy();
    if !name.starts_with("qemu-") && name != "kvm" {
        return None;
    }
    let arguments: Vec<_> = arguments
        .iter()
        .map(|word| word.to_string_lossy())
        .collect();
    let says = |word: &str| arguments.iter().any(|own| own.contains(word));
    // `-accel kvm`, `-machine accel=kvm`, `-enable-kvm`.
    if !says("kvm") {
        return Some("QEMU emulates a CPU unless it is told -accel kvm".into());
    }
    let narrow = |blob: &&Blob| !blob.serves(Width::AArch64);
    let wide = |blob: &&Blob| !blob.serves(Width::AArch32);
    let is_narrow = says("aarch64=off");
    if let Some(blob) = blobs.iter().find(narrow).filter(|_| !is_narrow) {
        let board = blob.board();
        return Some(format!(
            "board {board} is 32-bit: give QEMU -cpu host,aarch64=off"
        ));
    }
    if let Some(blob) = blobs.iter().find(wide).filter(|_| is_narrow) {
        let board = blob.board();
        return Some(format!("board {board} is 64-bit: leave aarch64=off out"));
    }
    let writes = |blob: &&Blob| blob.note().guest_memory == GUEST_MEMORY_WRITE;
    let writer = blobs
        .iter()
        .find(writes)
        .filter(|_| says("dirty-ring-size"));
    writer.map(|blob| {
        let board = blob.board();
        format!(
            "the blob of board {board} writes the guest's memory, which a dirty ring cannot tell of: \
             leave dirty-ring-size out"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As they are in a file.
    const AARCH64: u16 = 183;
    const ARM: u16 = 40;
    const X86_64: u16 = 62;
    const INTERP: u32 = 3;
    const LOAD: u32 = 1;

    /// A program for this machine whose only header is for this interpreter.
    fn program(machine: u16, interpreter: Option<&str>) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(64, 0);
        file[16] = 3;
        file[18..20].copy_from_slice(&machine.to_le_bytes());
        file[20] = 1;
        file[32] = 64;
        file[52] = 64;
        file[54] = 56;
        file[56] = 1;
        let text = interpreter.unwrap_or_default();
        let kind = if interpreter.is_some() { INTERP } else { LOAD };
        let mut header = [kind, 4].map(u32::to_le_bytes).concat();
        let size = text.len() as u64 + 1;
        header.extend(
            [120_u64, 0, 0, size, size, 1]
                .iter()
                .flat_map(|word| word.to_le_bytes()),
        );
        file.extend(header);
        file.extend(text.bytes());
        file.push(0);
        file
    }

    #[test]
    fn a_program_that_loads_no_library_is_told_apart() {
        let why = |machine, interpreter| unfit(&program(machine, interpreter));
        let glibc = Some("/lib/ld-linux-aarch64.so.1");
        assert_eq!(why(AARCH64, glibc), None);
        let says = |why: Option<String>, words: &str| {
            assert!(
                why.as_ref().is_some_and(|why| why.contains(words)),
                "{why:?}"
            );
        };
        says(why(AARCH64, None), "linked statically");
        says(why(AARCH64, Some("/lib/ld-musl-aarch64.so.1")), "musl");
        says(why(X86_64, glibc), "no 64-bit Arm program");
        says(why(ARM, glibc), "no 64-bit Arm program");
        says(unfit(b"hello"), "no program");
        let whole = program(AARCH64, glibc);
        for length in 4..whole.len() - 28 {
            says(unfit(&whole[..length]), "no 64-bit Arm program");
        }
        assert_eq!(unfit(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn a_privileged_program_is_told_apart() {
        assert_eq!(privileged(0o100_755, false), None);
        assert!(privileged(0o104_755, false).is_some_and(|why| why.contains("set-user-ID")));
        assert!(privileged(0o100_755, true).is_some_and(|why| why.contains("capabilities")));
    }

    #[test]
    fn qemu_is_to_use_kvm() {
        let objection = |name: &str, words: &str| {
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            objection(Path::new(name), &words, &[])
        };
        let qemu = "/usr/bin/qemu-system-aarch64";
        assert!(objection(qemu, "-M virt").is_some_and(|why| why.contains("-accel kvm")));
        for kvm in ["-accel kvm", "-machine virt,accel=kvm", "-enable-kvm"] {
            assert_eq!(objection(qemu, kvm), None);
        }
        assert_eq!(objection("/usr/bin/crosvm", "run"), None);
    }

    #[test]
    fn a_program_is_found_as_a_shell_does() {
        let sh = find("sh".as_ref(), Some("/nowhere:/bin".as_ref()));
        assert_eq!(sh, Ok(PathBuf::from("/bin/sh")));
        assert_eq!(find("/bin/sh".as_ref(), None), Ok(PathBuf::from("/bin/sh")));
        let none = find("sh".as_ref(), Some("/nowhere".as_ref()));
        assert_eq!(none, Err("there is no program sh".into()));
        assert!(find("/etc/passwd".as_ref(), None).is_err());
    }
}
