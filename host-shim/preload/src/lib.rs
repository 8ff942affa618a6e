// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Gives the guests of a VMM that knows nothing of it a blob as their secure firmware: a library that
//! is loaded before the VMM's own (LD_PRELOAD), by `fakemon attach` or by environment variables alone.
//!
//! It stands where the VMM calls ioctl(2) in the C library (`hook.rs`), and knows which of its files
//! are VMs and vCPUs (`table.rs`). What the VMM tells KVM of its guest's memory, CPUs and power states
//! is passed on first (`ioctls.rs`), and noted if KVM took it (`vm.rs`, `vm/vcpu.rs`, `slots.rs`).
//! KVM_RUN alone is changed (`run.rs`): firmware calls are served within it, by `fakemon-host` as in any
//! VMM, and the VMM never sees one. To save and move a guest is the VMM's doing, too: what the firmware
//! remembers is among the registers of its first CPU (`registers.rs`). What a payload wants of the machine is
//! answered from what was noted (`answers.rs`), or, where it is the bus, shown to the VMM as an access of the
//! guest's own. Pages of the board's that the VMM lacks are served here, if that is asked for (`pages.rs`).
//!
//! The rules, which docs/attach.md tells its users:
//! * An ioctl that is not KVM's costs one comparison.
//! * The VMM never sees half a call, half a start of a CPU, or an exit that it did not ask for; it
//!   always sees that KVM_RUN was interrupted.
//! * A guest is served, or the VMM is told that it cannot run: never half of it.
//! * The first KVM_ARM_VCPU_INIT after a run is a reset of the machine: the blob begins anew.

// What needs KVM is there on an Arm Linux alone; what plain values decide is tested anywhere.
#![cfg_attr(not(kvm), allow(dead_code))]

mod device_tree;
mod say;
mod slots;
mod state;

#[cfg(kvm)]
mod answers;
#[cfg(kvm)]
mod errno;
#[cfg(kvm)]
pub mod hook;
#[cfg(kvm)]
mod ioctls;
#[cfg(kvm)]
mod kvm;
#[cfg(kvm)]
mod page;
#[cfg(kvm)]
mod pages;
#[cfg(kvm)]
mod patch;
#[cfg(kvm)]
mod registers;
#[cfg(kvm)]
mod run;
#[cfg(kvm)]
mod settings;
#[cfg(kvm)]
mod signals;
#[cfg(kvm)]
mod table;
#[cfg(kvm)]
mod trace;
pub mod variables;
#[cfg(kvm)]
mod vm;
