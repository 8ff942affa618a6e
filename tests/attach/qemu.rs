// SPDX-License-Identifier: Apache-2.0 OR MIT
//! QEMU, by itself and with `fakemon attach`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use fakemon_launch::{assets, env};
use fakemon_manifest::Board;

/// Milliseconds of CPU time that a blob may take for one call where the machine is emulated.
const WATCHDOG: &str = "30000";
/// The board whose blob serves.
pub(crate) const BOARD: &str = "virt";
/// Where the loader of every program of Debian's is looked for.
const LIB: &str = "/lib";

/// QEMU and what it boots.
#[derive(Clone, Debug)]
pub(crate) struct Qemu {
    assets: PathBuf,
    program: PathBuf,
    /// What the board's boots show.
    pub(crate) board: Board,
}

impl Qemu {
    /// Finds it: in a host VM among the assets, and else in PATH.
    pub(crate) fn find() -> Result<Qemu, String> {
        let assets = std::env::var_os(env::ASSETS).ok_or("cargo xtask test attach runs this")?;
        let assets = PathBuf::from(assets);
        let board = Board::load(&assets.join(assets::board_dir(BOARD)));
        let board = board.map_err(|error| error.to_string())?;
        let own = assets.join(assets::VMM);
        let program = match own.is_file() {
            true => {
                let libraries = assets.join(assets::VMM_LIBRARIES);
                // The host VM has no libraries: these are in the place where programs look for them.
                if !Path::new(LIB).exists() {
                    std::os::unix::fs::symlink(libraries, LIB)
                        .map_err(|error| format!("cannot make {LIB}: {error}"))?;
                }
                own
            }
            false => {
                in_path("qemu-system-aarch64").ok_or("there is no qemu-system-aarch64 here")?
            }
        };
        Ok(Qemu {
            assets,
            program,
            board,
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.assets.join(name)
    }

    /// Why there is no VMM in C, if that is so.
    pub(crate) fn lacks_c(&self) -> Option<String> {
        std::fs::read_to_string(self.path(assets::VMM_IN_C_SKIP)).ok()
    }

    /// QEMU's own command line, with words for the guest's kernel.
    pub(crate) fn arguments(&self, words: &str) -> Vec<OsString> {
        self.boots(assets::VMM_INITRD, words)
    }

    /// The same with another of the assets' initramfs.
    pub(crate) fn boots(&self, initrd: &str, words: &str) -> Vec<OsString> {
        let kernel = self.path(&assets::kernel(&self.board));
        let initrd = self.path(initrd);
        let mut arguments: Vec<OsString> = [
            "-M virt,gic-version=3 -accel kvm -cpu host -smp 2 -m 256M",
            "-nodefaults -display none -monitor none -serial stdio",
        ]
        .iter()
        .flat_map(|words| words.split(' '))
        .map(OsString::from)
        .collect();
        let words = format!("console=ttyAMA0 panic=-1 {words}");
        let more: [OsString; 6] = [
            "-kernel".into(),
            kernel.into(),
            "-initrd".into(),
            initrd.into(),
            "-append".into(),
            words.into(),
        ];
        arguments.extend(more);
        arguments
    }

    /// QEMU by itself.
    pub(crate) fn alone(&self, words: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.arguments(words));
        command
    }

    /// The same with `fakemon attach` and these options.
    pub(crate) fn attached(&self, options: &[&str], words: &str) -> Command {
        let mut command = self.attach(options);
        command.arg(&self.program).args(self.arguments(words));
        command
    }

    /// `fakemon attach` with these options, up to the VMM.
    pub(crate) fn attach(&self, options: &[&str]) -> Command {
        let engine = env::engine().expect("a choice of engine").to_string();
        let mut command = Command::new(self.path(assets::FAKEMON));
        command.arg("attach").args(options);
        command.args(["--engine", &engine, "--watchdog", WATCHDOG, "--"]);
        command
    }

    /// QEMU with the library, by nothing but environment variables.
    pub(crate) fn preloaded(&self, words: &str) -> Command {
        let mut command = self.alone(words);
        self.preload(&mut command);
        command
    }

    /// Sets the variables that have a program's guests served.
    pub(crate) fn preload(&self, command: &mut Command) {
        let engine = env::engine().expect("a choice of engine").to_string();
        command
            .env("LD_PRELOAD", self.path(assets::PRELOAD))
            .env("FAKEMON_BLOB", self.path(&assets::blob(BOARD)))
            .env("FAKEMON_ENGINE", engine)
            .env("FAKEMON_WATCHDOG", WATCHDOG);
    }
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&path).map(|dir| dir.join(name));
    files.find(|file| file.is_file())
}
