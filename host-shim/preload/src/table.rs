// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which of the process's file descriptors are VMs and vCPUs.
//!
//! Most descriptors that are closed or duplicated are neither, and a child between fork(2) and exec(2)
//! closes many while a lock may be held by a thread that it does not have. So a bit for each descriptor
//! tells without a lock whether it is one of these, and a child leaves the table alone.

use std::collections::BTreeMap;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crate::vm::Vm;
use crate::vm::vcpu::Vcpu;

/// What a descriptor is.
#[derive(Clone, Debug)]
pub(crate) enum Object {
    Vm(Arc<Vm>),
    Vcpu(Arc<Vcpu>),
}

/// Descriptors that have a bit: as many as Linux gives a process (fs.nr_open) unless told otherwise.
const BITS: usize = 1 << 20;

static IS_KNOWN: [AtomicU64; BITS / 64] = [const { AtomicU64::new(0) }; BITS / 64];
static OBJECTS: RwLock<BTreeMap<RawFd, Object>> = RwLock::new(BTreeMap::new());
/// The process that has made the VMs: KVM serves no other.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// The object of a descriptor.
pub(crate) fn find(fd: RawFd) -> Option<Object> {
    if !is_known(fd) {
        return None;
    }
    let objects = OBJECTS.read().unwrap_or_else(PoisonError::into_inner);
    objects.get(&fd).cloned()
}

/// Notes what a new descriptor is.
pub(crate) fn insert(fd: RawFd, object: Object) {
    OWNER.store(std::process::id(), Ordering::Relaxed);
    let Some((word, bit)) = place(fd) else {
        crate::say!("file descriptor {fd} is too high: its vCPU or VM is not served");
        return;
    };
    let mut objects = OBJECTS.write().unwrap_or_else(PoisonError::into_inner);
    let before = objects.insert(fd, object);
    IS_KNOWN[word].fetch_or(bit, Ordering::Release);
    drop(objects);
    // What goes with it may take a while, and may need the table.
    drop(before);
}

/// A descriptor is about to be closed, or to become another file.
pub(crate) fn remove(fd: RawFd) {
    if !is_known(fd) || !is_owner() {
        return;
    }
    let mut objects = OBJECTS.write().unwrap_or_else(PoisonError::into_inner);
    let before = objects.remove(&fd);
    if let Some((word, bit)) = place(fd) {
        IS_KNOWN[word].fetch_and(!bit, Ordering::Release);
    }
    drop(objects);
    drop(before);
}

/// A descriptor is another one's duplicate.
pub(crate) fn duplicate(from: RawFd, to: RawFd) {
    if !is_owner() {
        return;
    }
    match find(from) {
        Some(object) => insert(to, object),
        None => remove(to),
    }
}

fn is_known(fd: RawFd) -> bool {
    place(fd).is_some_and(|(word, bit)| IS_KNOWN[word].load(Ordering::Acquire) & bit != 0)
}

fn is_owner() -> bool {
    OWNER.load(Ordering::Relaxed) == std::process::id()
}

fn place(fd: RawFd) -> Option<(usize, u64)> {
    let fd = usize::try_from(fd).ok().filter(|&fd| fd < BITS)?;
    Some((fd / 64, 1 << (fd % 64)))
}
