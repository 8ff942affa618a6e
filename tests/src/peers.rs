// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The vCPUs of a guest that run in threads of their own, and how one gets another out of KVM_RUN.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU8, Ordering};

use fakemon_host::{Config, World};
use kvm_ioctls::VcpuFd;

/// Where one vCPU runs.
#[derive(Debug, Default)]
struct Target {
    immediate_exit: AtomicPtr<u8>,
    thread: AtomicI32,
}

/// All vCPUs, and the guest's payloads. A clone is the same.
#[derive(Clone, Debug)]
pub struct Peers {
    world: World,
    targets: Arc<[Target]>,
}

impl Peers {
    /// Begins with vCPUs that do not run.
    pub fn new(world: World, cpus: usize) -> Peers {
        let targets = (0..cpus).map(|_| Target::default()).collect();
        Peers { world, targets }
    }

    /// Says that the calling thread runs this vCPU from now, until the result is dropped.
    pub fn announce<'a>(&'a self, number: usize, vcpu: &mut VcpuFd) -> Running<'a> {
        let target = &self.targets[number];
        // SAFETY: gettid has no arguments and always succeeds.
        let thread = unsafe { libc::gettid() };
        target.thread.store(thread, Ordering::SeqCst);
        let flag = &raw mut vcpu.get_kvm_run().immediate_exit;
        target.immediate_exit.store(flag, Ordering::SeqCst);
        Running(target)
    }

    /// Has a payload entered on a vCPU without a call.
    pub fn interrupt(&self, cpu: u32, payload: usize) {
        self.world.interrupt(cpu, payload);
        let target = &self.targets[cpu as usize];
        let flag = target.immediate_exit.load(Ordering::SeqCst);
        if flag.is_null() {
            return;
        }
        // SAFETY: tests drop their vCPUs after all of their threads have ended, so `kvm_run` is mapped.
        // KVM reads the byte, and nobody else has a reference to it.
        unsafe { AtomicU8::from_ptr(flag) }.store(1, Ordering::SeqCst);
        let (process, signal) = (std::process::id(), Config::default().kick_signal);
        let thread = target.thread.load(Ordering::SeqCst);
        // SAFETY: tgkill touches no memory, and the signal's handler does nothing.
        unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) };
    }
}

/// A vCPU that the calling thread runs.
#[derive(Debug)]
pub struct Running<'a>(&'a Target);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0
            .immediate_exit
            .store(ptr::null_mut(), Ordering::SeqCst);
    }
}
