// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measures what each path of a call costs; `cargo xtask bench` runs this where KVM is and makes
//! the figures that people read.
//!
//! `bench paths ENGINE,... BLOB.elf OUT.json` times every path with those of the engines that the
//! kernel has, with the blob of a real board for the monitor's memory. `bench boot OUT.json PROGRAM ARGUMENT...` runs a program and notes its processor time.
//! All times are nanoseconds of the host's counter, which are instructions where QEMU counts them.

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod boot;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod calls;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod clock;
#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod gic;
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
        ["paths", engines, blob, out] => {
            let blob = fakemon_host::Blob::parse(&std::fs::read(blob)?)?;
            let wanted: Vec<_> = engines.split(',').collect();
            let mut engines = paths::engines();
            engines.retain(|engine| wanted.contains(&engine.to_string().as_str()));
            let mut report = paths::measure(&engines);
            report["engines"] = engines.iter().map(ToString::to_string).collect();
            // What the kernel itself has for a monitor is not counted, so both engines take the same.
            let first = engines
                .first()
                .ok_or("the kernel has none of these engines")?;
            report["memory"] = memory::measure(&blob, *first)?;
            std::fs::write(out, report.to_string())?;
        }
        ["boot", out, program, rest @ ..] => {
            std::fs::write(out, boot::measure(program, rest)?.to_string())?;
        }
        _ => return Err("usage: bench paths ENGINES BLOB OUT | bench boot OUT PROGRAM...".into()),
    }
    Ok(())
}
