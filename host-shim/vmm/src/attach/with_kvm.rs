// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `fakemon attach` where there is KVM: looks whether it can be done, and starts the VMM.

use std::convert::Infallible;
use std::ffi::CString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use fakemon_host::{Blob, Config, Policy, World, set_policy};
use kvm_ioctls::Kvm;

use super::{AttachError, preload, program, variables_of};
use crate::cli::AttachArgs;
use crate::input;
use crate::installed::Installed;

/// As much of a program as its headers are in.
const START: u64 = 1 << 20;

/// Starts the VMM, or says why not.
pub(super) fn start(args: &AttachArgs) -> Result<Infallible, AttachError> {
    let (vmm, arguments) = args
        .vmm
        .split_first()
        .ok_or_else(|| AttachError::Usage("there is no VMM to start: name it after --".into()))?;
    let path = std::env::var_os("PATH");
    let vmm = program::find(vmm, path.as_deref()).map_err(AttachError::Usage)?;
    let mut command = Command::new(&vmm);
    command.args(arguments);
    if args.policy != Policy::Kvm || args.pages {
        check_program(&vmm).map_err(|why| AttachError::Host(format!("{} {why}", vmm.display())))?;
        let installed = Installed::of_this_program()?;
        let paths = match &args.board {
            _ if args.policy != Policy::Blob => Vec::new(),
            Some(board) => vec![installed.blob(board)?],
            None => whole(&args.blob)?,
        };
        let blobs: Result<Vec<Blob>, AttachError> = paths.iter().map(|path| blob(path)).collect();
        let blobs = blobs?;
        if let Some(why) = program::objection(&vmm, arguments, &blobs) {
            return Err(AttachError::Usage(why));
        }
        check_host(args, &blobs)?;
        let library = match &args.library {
            Some(library) => whole(std::slice::from_ref(library))?.remove(0),
            None => installed.library()?,
        };
        let board = args.board.as_ref().map(|board| installed.board(board));
        let board = match args.pages {
            true => board.transpose()?,
            // Only a trace looks into it.
            false => board.and_then(Result::ok),
        };
        command.envs(variables_of(args, &paths, board.as_deref()));
        command.env(
            "LD_PRELOAD",
            preload(&library, std::env::var_os("LD_PRELOAD")),
        );
    }
    let error = command.exec();
    Err(AttachError::Host(format!(
        "cannot start {}: {error}",
        vmm.display()
    )))
}

/// Paths that are right in any directory, of files that are there.
fn whole(paths: &[PathBuf]) -> Result<Vec<PathBuf>, AttachError> {
    let whole = |path: &PathBuf| {
        path.canonicalize()
            .map_err(|error| AttachError::Usage(format!("{}: {error}", path.display())))
    };
    paths.iter().map(whole).collect()
}

fn blob(path: &Path) -> Result<Blob, AttachError> {
    input::blob(path).map_err(|error| match error.is_blob() {
        true => AttachError::Host(error.to_string()),
        false => AttachError::Usage(error.to_string()),
    })
}

/// Whether the library can be loaded into the program.
fn check_program(path: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot be read: {error}");
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if let Some(why) = program::privileged(mode, has_capabilities(path)) {
        return Err(why.to_owned());
    }
    let mut start = Vec::new();
    file.take(START).read_to_end(&mut start).map_err(failed)?;
    program::unfit(&start).map_or(Ok(()), Err)
}

/// Whether whoever starts the file gets capabilities from it.
fn has_capabilities(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    let (name, nowhere) = (c"security.capability", std::ptr::null_mut());
    // SAFETY: both names end with a zero, and without room for the value the kernel tells its size alone.
    unsafe { libc::getxattr(path.as_ptr(), name.as_ptr(), nowhere, 0) > 0 }
}

/// Tries on this host what the library will do for the VMM.
fn check_host(args: &AttachArgs, blobs: &[Blob]) -> Result<(), AttachError> {
    let host = |what: &dyn std::fmt::Display| AttachError::Host(what.to_string());
    let kvm = Kvm::new().map_err(|error| {
        host(&format_args!(
            "cannot open /dev/kvm: {error}; are you a member of its group?"
        ))
    })?;
    let vm = kvm
        .create_vm()
        .map_err(|error| host(&format_args!("cannot make a VM: {error}")))?;
    let blobs: Vec<&Blob> = blobs.iter().collect();
    set_policy(&vm, args.policy, &blobs).map_err(|error| host(&error))?;
    if args.policy == Policy::Blob {
        let config = Config {
            engine: args.engine,
            ..Config::default()
        };
        World::new(&kvm, &blobs, 1, config).map_err(|error| host(&error))?;
    }
    Ok(())
}
