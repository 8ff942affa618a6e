// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Guests that a user starts from the package.

use std::process::Command;

use fakemon_launch::{assets, env, log};
use fakemon_tests::watched::Watched;

use crate::Test;
use crate::user::{BOARD, User};

/// Milliseconds of CPU time that a blob may take for one call where the machine is emulated.
const WATCHDOG: &str = "30000";
/// What the guest is to do with two CPUs.
const WORDS: &str = "panic=-1 fakemon.checks=nproc,hotplug,entropy fakemon.cpus=2";

pub(crate) fn tests() -> Vec<(&'static str, Test)> {
    vec![
        ("a_board_boots_by_its_name", a_board),
        ("qemu_is_attached_by_a_boards_name", attached),
    ]
}

fn a_board(user: &User) -> Result<(), String> {
    let engine = env::engine()?.to_string();
    let kernel = user.asset(&assets::kernel(&user.board));
    let initrd = user.asset(&assets::initrd(BOARD));
    let options = ["--smp", "2", "--watchdog", WATCHDOG, "--engine", &engine];
    let files = ["--kernel", &kernel, "--initrd", &initrd, "--append", WORDS];
    let arguments = [["run", BOARD].as_slice(), &options, &files].concat();
    let patterns = [
        r"psci: PSCIv1\.1 detected in firmware",
        r"check: nproc ok \(2\)",
        r"check: entropy ok \(smccc_trng ",
        r"checks: \d ok, 0 failed",
        r"fakemon: PSCI_CPU_ON +\d",
    ];
    ends_well(user.fakemon(&arguments), &patterns)
}

fn attached(user: &User) -> Result<(), String> {
    let engine = env::engine()?.to_string();
    let own = user.asset(assets::VMM);
    let qemu = match std::path::Path::new(&own).is_file() {
        true => own.as_str(),
        false => "qemu-system-aarch64",
    };
    let kernel = user.asset(&assets::kernel(&user.board));
    let initrd = user.asset(assets::VMM_INITRD);
    let words = format!("console=ttyAMA0 {WORDS}");
    let options = [
        "--board",
        BOARD,
        "--watchdog",
        WATCHDOG,
        "--engine",
        &engine,
    ];
    let machine =
        "-M virt,gic-version=3 -accel kvm -cpu host -smp 2 -m 256M -nodefaults -display none";
    let machine: Vec<&str> = machine.split(' ').collect();
    let console = ["-monitor", "none", "-serial", "stdio"];
    let files = ["-kernel", &kernel, "-initrd", &initrd, "-append", &words];
    let attach = ["attach"];
    let vmm = ["--", qemu];
    let arguments = [
        attach.as_slice(),
        &options,
        &vmm,
        &machine,
        &console,
        &files,
    ]
    .concat();
    let patterns = [
        r"check: nproc ok \(2\)",
        r"check: entropy ok \(smccc_trng ",
        r"checks: \d ok, 0 failed",
    ];
    ends_well(user.fakemon(&arguments), &patterns)
}

/// The guest powers off, and its console and what is said of it show all this.
fn ends_well(mut command: Command, patterns: &[&str]) -> Result<(), String> {
    let mut guest = Watched::start(&mut command)?;
    let code = guest.wait()?;
    let console = guest.console();
    println!("{console}");
    if code != Some(0) {
        return Err(format!(
            "it ended with {code:?}; the console was:\n{console}"
        ));
    }
    for pattern in patterns {
        if !log::compile(pattern)?.is_match(&console) {
            return Err(format!(
                "the log does not show /{pattern}/; it was:\n{console}"
            ));
        }
    }
    Ok(())
}
