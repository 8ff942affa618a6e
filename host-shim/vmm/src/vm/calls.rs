// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a blob can ask of this VMM, from the thread of the vCPU that called it.

use std::time::Duration;

use fakemon_abi::status::{INVALID_ADDRESS, SUCCESS};
use fakemon_host::{BlobFault, Host, monotonic_ns};

use super::shared::Shared;
use crate::cpus::Start;
use crate::say;

/// The VMM as the blob sees it.
pub(super) struct HostCalls<'a> {
    pub(super) cpu: u32,
    pub(super) shared: &'a Shared,
    pub(super) stolen_time: Option<u64>,
}

impl Host for HostCalls<'_> {
    fn console(&mut self, text: &[u8]) {
        for line in String::from_utf8_lossy(text).lines() {
            say!("blob on CPU {}: {}", self.cpu, line.escape_debug());
        }
    }

    fn cpu_on(&mut self, mpidr: u64, entry: u64, context: u64) -> i32 {
        // The lowest bit of an entry point selects the instruction set of a 32-bit CPU.
        if !self.shared.is_memory(entry & !1) {
            return INVALID_ADDRESS;
        }
        match self.shared.cpus.start(mpidr, Start { entry, context }) {
            Ok(number) => {
                self.shared.kick(number);
                SUCCESS
            }
            Err(status) => status,
        }
    }

    fn cpu_affinity(&mut self, mpidr: u64, level: u64) -> i32 {
        self.shared.cpus.affinity(mpidr, level)
    }

    fn mmio_read(&mut self, address: u64, data: &mut [u8]) {
        self.shared.read(self.cpu, address, data, true);
    }

    fn mmio_write(&mut self, address: u64, data: &[u8]) {
        self.shared.write(self.cpu, address, data, true);
    }

    fn watchdog(&mut self, ns: u64) -> i32 {
        let limit = (ns != 0).then(|| Duration::from_nanos(ns));
        self.shared.control.watchdog(limit);
        SUCCESS
    }

    fn stolen_time(&mut self) -> Option<u64> {
        self.stolen_time
    }

    fn event(&mut self, code: u64, args: [u64; 3]) {
        if let Some(tracer) = &self.shared.tracer {
            tracer.event(self.cpu, monotonic_ns(), code, args);
        }
    }

    fn fault(&mut self, fault: &BlobFault) {
        say!("{fault}");
    }
}
