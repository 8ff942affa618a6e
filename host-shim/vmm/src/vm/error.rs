// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can go wrong with a VM; all of it is the host's or the blob's fault unless it says
//! otherwise.

use fakemon_host::FilterError;
use fakemon_host::regs::RegisterError;

use crate::dt::DtError;
use crate::memory::MemoryError;

/// An error of the VM.
#[derive(Debug, thiserror::Error)]
pub enum VmError {
    /// There is no KVM.
    #[error("there is no /dev/kvm; this needs an arm64 Linux that runs at EL2, with KVM")]
    NoKvm,
    /// This user may not use KVM.
    #[error("no permission for /dev/kvm; add yourself to its group (often kvm) and log in again")]
    NoPermission,
    /// The CPU has no 32-bit EL1.
    #[error(
        "board {0} has a 32-bit kernel; this host's CPU has no 32-bit EL1, use one like cortex-a57"
    )]
    No32Bit(String),
    /// The host has too few.
    #[error("KVM on this host runs {0} vCPUs at most; use a smaller --smp")]
    TooManyCpus(usize),
    /// No GIC version suits both.
    #[error("board {board} needs a GICv{wanted}, which KVM on this host does not offer")]
    NoGic {
        /// The board's name.
        board: String,
        /// The versions that would do.
        wanted: String,
    },
    /// The GIC cannot be where the board has it: the board's fault, or the host's guests have fewer
    /// address bits.
    #[error(
        "board {board}: KVM on this host cannot place the interrupt controller at {address:#x} \
         ({source}); correct machine.gic in board.toml, or use a host whose guests have more bits of \
         address"
    )]
    GicPlace {
        /// The board's name.
        board: String,
        /// The part's address.
        address: u64,
        /// The kernel's answer.
        source: kvm_ioctls::Error,
    },
    /// The GICv2's CPU interface is inside a page of the host's.
    #[error(
        "board {board} has the CPU interface of its GICv2 at {address:#x}, inside one of this host's pages \
         of {} KiB, and KVM gives guests its own by whole pages; use a host kernel with pages of 4 KiB",
        page / 1024
    )]
    GicPage {
        /// The board's name.
        board: String,
        /// The CPU interface.
        address: u64,
        /// Bytes of a page.
        page: u64,
    },
    /// The SMCCC filter could not be set.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The library could not do its part.
    #[error(transparent)]
    Monitor(#[from] fakemon_host::Error),
    /// A vCPU's register could not be accessed.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// Memory could not be had or filled.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The device tree and the board's changes do not fit: the board's fault.
    #[error(transparent)]
    Dt(#[from] DtError),
    /// The payloads' timer cannot be made or set.
    #[error("cannot make or set a timer: {0}")]
    Timer(std::io::Error),
    /// A signal handler could not be installed.
    #[error("cannot install a signal handler: {0}")]
    Signal(#[source] std::io::Error),
    /// KVM refused something.
    #[error("KVM cannot {what}: {source}")]
    Kvm {
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        source: kvm_ioctls::Error,
    },
}

impl VmError {
    /// Names what was tried, for `map_err`.
    pub(super) fn kvm(what: &'static str) -> impl Fn(kvm_ioctls::Error) -> VmError {
        move |source| VmError::Kvm { what, source }
    }

    /// Explains why /dev/kvm cannot be opened.
    pub(super) fn open(source: kvm_ioctls::Error) -> VmError {
        match source.errno() {
            libc::ENOENT | libc::ENODEV | libc::ENXIO => VmError::NoKvm,
            libc::EACCES | libc::EPERM => VmError::NoPermission,
            _ => VmError::Kvm {
                what: "be opened",
                source,
            },
        }
    }

    /// Tells whether the user's input is at fault.
    pub fn is_usage(&self) -> bool {
        matches!(self, VmError::Dt(_) | VmError::GicPlace { .. })
    }
}
