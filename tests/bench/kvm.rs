// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Measures where KVM is.

mod boot;
mod calls;
mod clock;
mod gic;
mod memory;
mod paths;
mod programs;

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
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
