// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who uses the package, and what is around it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use fakemon_launch::{assets, env};
use fakemon_manifest::Board;

/// The board that is run.
pub(crate) const BOARD: &str = "virt";
/// The group of /dev/kvm, as Debian calls it, and its number here.
pub(crate) const GROUP: (&str, u32) = ("kvm", 990);
/// A user who is nobody special.
const USER: u32 = 1000;
/// KVM.
const KVM: &str = "/dev/kvm";
/// Where Debian's programs look for their loader.
const LIB: &str = "/lib";

/// A user of the package.
#[derive(Clone, Debug)]
pub(crate) struct User {
    assets: PathBuf,
    /// Whether this is a host VM, where anybody can be anybody.
    in_host_vm: bool,
    /// The board.
    pub(crate) board: Board,
}

impl User {
    /// Finds the package; in a host VM makes the machine one that has users.
    pub(crate) fn find() -> Result<User, String> {
        let assets = std::env::var_os(env::ASSETS).ok_or("cargo xtask test package runs this")?;
        let assets = PathBuf::from(assets);
        let in_host_vm = std::env::var_os(env::GIC).is_some();
        if in_host_vm {
            furnish(&assets).map_err(|error| format!("cannot furnish the host VM: {error}"))?;
        }
        let root = assets.join(assets::PACKAGE).join("usr");
        let board = Board::load(&root.join(assets::board_dir(BOARD)));
        Ok(User {
            board: board.map_err(|error| error.to_string())?,
            assets,
            in_host_vm,
        })
    }

    /// A file that is not of the package.
    pub(crate) fn asset(&self, name: &str) -> String {
        self.assets.join(name).display().to_string()
    }

    /// `fakemon`, started by a member of the group.
    pub(crate) fn fakemon(&self, arguments: &[&str]) -> Command {
        self.started(GROUP.1, arguments)
    }

    /// The same by somebody who is no member, where there are such people.
    pub(crate) fn fakemon_of_a_stranger(&self, arguments: &[&str]) -> Option<Command> {
        self.in_host_vm.then(|| self.started(USER, arguments))
    }

    fn started(&self, group: u32, arguments: &[&str]) -> Command {
        let package = self.assets.join(assets::PACKAGE);
        let mut command = Command::new(package.join("usr").join(assets::FAKEMON));
        command.args(arguments).env_remove(env::PATH);
        if self.in_host_vm {
            command.uid(USER).gid(group);
        }
        command
    }
}

/// Gives a host VM what an installation has: a group, its file, and a C library.
fn furnish(assets: &Path) -> std::io::Result<()> {
    fs::create_dir_all("/etc")?;
    fs::write(
        "/etc/group",
        format!("root:x:0:\n{}:x:{}:\n", GROUP.0, GROUP.1),
    )?;
    chown(KVM, Some(0), Some(GROUP.1))?;
    fs::set_permissions(KVM, fs::Permissions::from_mode(0o660))?;
    if !Path::new(LIB).exists() {
        symlink(assets.join(assets::VMM_LIBRARIES), LIB)?;
    }
    Ok(())
}
