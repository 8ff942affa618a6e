// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can go wrong in the engine, by whose fault it is.

use std::io;

use crate::claims::ClaimError;
use crate::fault::BlobFault;
use crate::filter::FilterError;
use crate::regs::RegisterError;
use crate::width::Width;

/// An error of the engine. [`Error::Blob`] and [`Error::WrongCaller`] are the blob's fault,
/// [`Error::Kvm`], [`Error::Register`], [`Error::Memory`], [`Error::Watchdog`] and
/// [`Error::NoKernelEngine`] the host's, the others the VMM's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The blob failed and the policy is to stop: who, where and why.
    #[error("{0}")]
    Blob(Box<BlobFault>),
    /// The guest's vCPUs have a width that the blob does not serve.
    #[error(
        "the blob of board {board} does not serve {width:?} callers: use a kernel of the board's own architecture"
    )]
    WrongCaller {
        /// The blob's board.
        board: String,
        /// The width of the guest's EL1.
        width: Width,
    },
    /// More vCPUs than the monitor's address space has blocks for, or none.
    #[error("a monitor VM pairs 1 to {max} vCPUs, not {0}", max = fakemon_abi::layout::MAX_VCPUS)]
    TooManyCpus(u32),
    /// Guest RAM at addresses that a monitor VM has not for it.
    #[error(
        "guest RAM at {guest_addr:#x} is out of the blob's reach: on this host it must end at or below {limit:#x}"
    )]
    GuestMemoryTooHigh {
        /// Where it begins.
        guest_addr: u64,
        /// Where it must end.
        limit: u64,
    },
    /// Guest RAM that cannot be mapped by pages.
    #[error(
        "guest RAM at {guest_addr:#x} is not aligned to this host's pages of {} KiB, or there is none of it",
        page / 1024
    )]
    GuestMemoryUnaligned {
        /// Where it begins.
        guest_addr: u64,
        /// Bytes of a page.
        page: u64,
    },
    /// Guest RAM where there is some already.
    #[error("guest RAM at {0:#x} overlaps another region: remove that one first")]
    GuestMemoryOverlaps(u64),
    /// A region that was never added, or has been removed.
    #[error("there is no region of guest RAM at {0:#x}")]
    NoGuestMemory(u64),
    /// A CPU number that the world was not made for.
    #[error("CPU {cpu} was not announced: the world was made for {cpus} CPUs")]
    NoSuchCpu {
        /// The number.
        cpu: u32,
        /// How many there are, from 0 up.
        cpus: u32,
    },
    /// A world without payload.
    #[error("a world needs at least one payload")]
    NoPayload,
    /// Two payloads want the same calls.
    #[error(transparent)]
    Claims(Box<ClaimError>),
    /// The payloads cannot be made anew, given other data or saved while one of them runs.
    #[error(
        "CPU {0} is in a call: end it before the world is reset, restored or given other data; stop it before that is saved"
    )]
    Busy(u32),
    /// What payloads are to remember is another size than theirs.
    #[error("this is no data of these blobs: restore what the same files have saved")]
    OtherData,
    /// The kernel engine was asked for, and the kernel has none.
    #[error(
        "this kernel cannot carry calls to a blob by itself (no KVM_CAP_ARM_MONITOR): use the userspace engine, or a host kernel with the patches of host-shim/kernel"
    )]
    NoKernelEngine,
    /// What was saved does not fit.
    #[error("what was saved cannot be restored here: {0}")]
    Snapshot(&'static str),
    /// The filter could not be set.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A register could not be read or written.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The monitor's memory could not be mapped.
    #[error("cannot map the monitor VM's memory: {0}")]
    Memory(io::Error),
    /// The watchdog's thread or signal could not be set up.
    #[error("cannot start the blob watchdog: {0}")]
    Watchdog(io::Error),
    /// KVM refused something.
    #[error("cannot {what}: {cause}")]
    Kvm {
        /// What was tried.
        what: &'static str,
        /// The kernel's answer.
        cause: io::Error,
    },
    /// A call was resumed that had not been interrupted, answered that had not asked, or begun while
    /// another one was in progress.
    #[error(
        "the VMM resumed or answered a call that does not wait for that, or began one inside another"
    )]
    OutOfTurn,
}

impl Error {
    /// Names what was tried, for `map_err`.
    pub(crate) fn kvm(what: &'static str) -> impl Fn(kvm_ioctls::Error) -> Error {
        move |error| Error::Kvm {
            what,
            cause: error.into(),
        }
    }
}
