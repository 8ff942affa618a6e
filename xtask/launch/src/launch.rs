// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The command line of the reference VMM.

use fakemon_host::{Engine, Policy};
use fakemon_manifest::{Arch, Board, Size};

/// Milliseconds of CPU time that a blob may take for one call in a host VM, whose kernel takes the
/// time in which QEMU's thread has no CPU for CPU time of its own threads.
const HOST_VM_WATCHDOG: u32 = 30_000;

/// What the VMM has to know of the host VM that it runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostVm {
    /// Version of its interrupt controller, which is the one that its KVM offers.
    pub gic: u8,
}

/// A guest to start. Paths are those of the place where the VMM runs.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// What the guest is.
    pub board: &'a Board,
    /// The files of the board's directory.
    pub board_dir: String,
    /// Other files, by the options that take them: `--blob`, `--kernel`, `--initrd`, `--dtb`.
    pub files: Vec<(&'static str, String)>,
    /// Who answers SMCs.
    pub smc: Policy,
    /// Who carries calls.
    pub engine: Engine,
    /// Number of CPUs.
    pub cpus: u32,
    /// Size of RAM.
    pub memory: Size,
    /// More words for the kernel's command line.
    pub words: Vec<String>,
    /// The host VM, if it is one.
    pub host_vm: Option<HostVm>,
}

impl<'a> Launch<'a> {
    /// The board as its `board.toml` describes it, with its blob if `smc` says so.
    pub fn new(board: &'a Board, board_dir: String, smc: Policy) -> Launch<'a> {
        Launch {
            board,
            board_dir,
            files: Vec::new(),
            smc,
            engine: Engine::Auto,
            cpus: board.machine.cpus,
            memory: board.machine.memory,
            words: Vec::new(),
            host_vm: None,
        }
    }

    /// The arguments that come after the program's name.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["run".to_owned()];
        let mut option = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
        option("--board", self.board_dir.clone());
        option("--smc", self.smc.to_string());
        option("--engine", self.engine.to_string());
        for (name, file) in &self.files {
            option(name, file.clone());
        }
        option("--smp", self.cpus.to_string());
        option("--mem", self.memory.to_string());
        option("--append", self.command_line());
        if let Some(host_vm) = self.host_vm {
            option("--gic", host_vm.gic.to_string());
            option("--watchdog", HOST_VM_WATCHDOG.to_string());
            // An emulated host mixes up 32-bit CPUs that share one of its own
            // (docs/decisions/0005-emulated-32-bit.md).
            if self.board.guest.arch == Arch::Armhf {
                arguments.push("--pin".to_owned());
            }
        }
        arguments
    }

    /// What is added to the board's own command line.
    fn command_line(&self) -> String {
        let mut words = vec!["panic=-1".to_owned(), format!("fakemon.cpus={}", self.cpus)];
        words.extend_from_slice(&self.words);
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn board(name: &str) -> Board {
        let boards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../boards");
        Board::load(&boards.join(name)).expect("a board")
    }

    #[test]
    fn a_guest_on_an_arm_machine_gets_what_its_board_says() {
        let board = board("virt");
        let mut launch = Launch::new(&board, "/b/virt".to_owned(), Policy::Blob);
        launch.files.push(("--kernel", "/k".to_owned()));
        launch.words.push("quiet".to_owned());
        let arguments = "run --board /b/virt --smc blob --engine auto --kernel /k --smp 4 --mem 512M \
            --append";
        let mut expected: Vec<&str> = arguments.split(' ').collect();
        expected.push("panic=-1 fakemon.cpus=4 quiet");
        assert_eq!(launch.arguments(), expected);
    }

    #[test]
    fn a_host_vm_has_its_gic_and_time_for_a_blob_and_keeps_32_bit_cpus_apart() {
        let host_vm = Some(HostVm { gic: 2 });
        for (name, pinned) in [("virt", false), ("midway", true)] {
            let board = board(name);
            let mut launch = Launch::new(&board, String::new(), Policy::Deny);
            (launch.host_vm, launch.engine) = (host_vm, Engine::Kernel);
            let arguments = launch.arguments();
            let text = arguments.join(" ");
            assert!(text.contains("--gic 2 --watchdog 30000"), "{text}");
            assert!(text.contains("--smc deny --engine kernel"), "{text}");
            assert_eq!(arguments.last().is_some_and(|last| last == "--pin"), pinned);
        }
    }
}
