// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measures what each path of a call costs; `cargo xtask bench` runs this where KVM is and makes
//! the figures that people read.
//!
//! `bench paths BLOB.elf OUT.json` times every path, with the blob of a real board for the monitor's
//! memory. `bench boot OUT.json PROGRAM ARGUMENT...` runs a program and notes its processor time.
//! All times are nanoseconds of the host's counter, which are instructions where QEMU counts them.

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod boot;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod calls;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod clock;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod memory;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod paths;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod programs;

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
fn main() {
    eprintln!("this program needs KVM on arm64 Linux; `cargo xtask bench` runs it in one");
}

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["paths", blob, out] => {
            let blob = fakemon_host::Blob::parse(&std::fs::read(blob)?)?;
            let mut report = paths::measure();
            report["memory"] = memory::measure(&blob)?;
            std::fs::write(out, report.to_string())?;
        }
        ["boot", out, program, rest @ ..] => {
            std::fs::write(out, boot::measure(program, rest)?.to_string())?;
        }
        _ => return Err("usage: bench paths BLOB OUT | bench boot OUT PROGRAM...".into()),
    }
    Ok(())
}
