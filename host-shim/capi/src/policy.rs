// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What becomes of a VM's calls, and how its world treats payloads: the choices, as numbers.

use std::ffi::c_int;
use std::time::Duration;

use fakemon_host::{Config, Engine, Hvc, OnFault, Policy};

use crate::arguments::{self, Place, choose};
use crate::blob::{self, fakemon_blob};
use crate::error::{Failure, fakemon_error, guard};

/// Who answers a guest's SMC and HVC.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fakemon_policy {
    /// The blobs answer the function IDs that they claim, KVM the others.
    Blob = 0,
    /// KVM answers as if there were no Fake Monitor.
    Kvm = 1,
    /// Every call is answered NOT_SUPPORTED, within the kernel.
    Deny = 2,
    /// Every call ends in KVM_EXIT_HYPERCALL, for `fakemon_vcpu_inject_undefined`.
    Undef = 3,
}

/// Who carries a call from the guest to the blob and back.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fakemon_engine {
    /// KVM itself where it can, else this library.
    Auto = 0,
    /// This library, with KVM as it is.
    Userspace = 1,
    /// KVM itself, which needs a host kernel with the patches of `host-shim/kernel`.
    Kernel = 2,
}

/// What becomes of a call during which a blob fails.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fakemon_on_fault {
    /// It ends in `FAKEMON_ERROR_BLOB`, and the VMM stops the guest.
    Fatal = 0,
    /// The guest is answered NOT_SUPPORTED and goes on; the VMM hears of it by
    /// `FAKEMON_STEP_FAULT`.
    NotSupported = 1,
}

/// Which of its entry points a blob's calls by HVC come to.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum fakemon_hvc {
    /// Those for HVC, if its note says that it serves HVC.
    AsNote = 0,
    /// Those for SMC, as if the guest had made its calls so.
    AsSmc = 1,
}

/// How a world treats its blobs. Begin with `fakemon_config_default`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct fakemon_config {
    /// Who carries the calls: one of `enum fakemon_engine`.
    pub engine: u32,
    /// What becomes of a call during which a blob fails: one of `enum fakemon_on_fault`.
    pub on_fault: u32,
    /// Where the guest's calls by HVC come to: one of `enum fakemon_hvc`.
    pub hvc: u32,
    /// How many nanoseconds of CPU time a blob may use within one call. Zero switches the watchdog
    /// off, with both limits.
    pub watchdog_ns: u64,
    /// How many nanoseconds a blob may stay within one call that uses no CPU time, as in WFI; be
    /// generous. Zero is no limit.
    pub watchdog_wall_ns: u64,
    /// The signal that interrupts a vCPU thread in KVM_RUN when the watchdog fires. Its handler must be
    /// installed without SA_RESTART and may do nothing; if the signal has its default action, the
    /// library installs one. A thread that blocks it is interrupted as well: the monitor's vCPU lets it
    /// through. With the kernel engine the guest's vCPU has to, if it has a mask (KVM_SET_SIGNAL_MASK).
    pub kick_signal: c_int,
    /// How many calls that are over are kept for `fakemon_lane_drain_log` before the kernel engine makes
    /// KVM_RUN end, so that they can be read. Zero keeps none, and takes no times.
    pub log: u32,
}

/// Sets all of `*config` to the defaults: the engine that the kernel has, a fault is fatal, a second
/// of CPU time, 30 seconds on the wall, signal 40, no log.
///
/// # Safety
/// `*config` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_config_default(config: *mut fakemon_config) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(config, "config") }?;
        let Config {
            watchdog,
            watchdog_wall,
            kick_signal,
            log,
            ..
        } = Config::default();
        place.put(fakemon_config {
            engine: fakemon_engine::Auto as u32,
            on_fault: fakemon_on_fault::Fatal as u32,
            hvc: fakemon_hvc::AsNote as u32,
            watchdog_ns: watchdog.as_nanos() as u64,
            watchdog_wall_ns: watchdog_wall.as_nanos() as u64,
            kick_signal,
            log,
        });
        Ok(())
    })
}

/// Sets KVM's SMCCC filter of a VM as `policy` says, which is one of `enum fakemon_policy`. For
/// `FAKEMON_POLICY_BLOB` each of the `count` blobs gets the calls that it claims, and is to be in the
/// guest's world at the same place; the other policies do not look at them.
///
/// Call this once for a VM, before any of its vCPUs has run.
///
/// # Errors
/// Two blobs claim the same calls, a vCPU has run, the VM has a filter of the VMM's own for some of
/// the calls, or the kernel is older than 6.4. The VM may then have a part of the filter and
/// should be closed.
///
/// # Safety
/// `vm_fd` is open during this call, which does not keep it. `count` pointers can be read at `blobs`,
/// each from `fakemon_blob_parse` and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_set_policy(
    vm_fd: c_int,
    policy: u32,
    blobs: *const *const fakemon_blob,
    count: usize,
) -> fakemon_error {
    guard(|| {
        let choices = [
            (fakemon_policy::Blob as u32, Policy::Blob),
            (fakemon_policy::Kvm as u32, Policy::Kvm),
            (fakemon_policy::Deny as u32, Policy::Deny),
            (fakemon_policy::Undef as u32, Policy::Undef),
        ];
        let policy = choose("policy", policy, &choices)?;
        // SAFETY: the caller has promised that it is open.
        let vm = unsafe { arguments::file(vm_fd, "vm_fd") }?;
        // SAFETY: the caller has promised that these are such blobs.
        let blobs = unsafe { blob::list(blobs, count) }?;
        Ok(fakemon_host::set_policy(&vm, policy, &blobs)?)
    })
}

impl fakemon_config {
    /// What the library makes of it.
    pub(crate) fn read(&self) -> Result<Config, Failure> {
        let engines = [
            (fakemon_engine::Auto as u32, Engine::Auto),
            (fakemon_engine::Userspace as u32, Engine::Userspace),
            (fakemon_engine::Kernel as u32, Engine::Kernel),
        ];
        let faults = [
            (fakemon_on_fault::Fatal as u32, OnFault::Fatal),
            (fakemon_on_fault::NotSupported as u32, OnFault::NotSupported),
        ];
        let hvcs = [
            (fakemon_hvc::AsNote as u32, Hvc::AsNote),
            (fakemon_hvc::AsSmc as u32, Hvc::AsSmc),
        ];
        Ok(Config {
            engine: choose("engine", self.engine, &engines)?,
            on_fault: choose("on_fault", self.on_fault, &faults)?,
            hvc: choose("hvc", self.hvc, &hvcs)?,
            watchdog: Duration::from_nanos(self.watchdog_ns),
            watchdog_wall: Duration::from_nanos(self.watchdog_wall_ns),
            kick_signal: self.kick_signal,
            log: self.log,
        })
    }
}
