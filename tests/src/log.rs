// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The VMM of the tests: it answers a blob with simple constants and remembers all that it heard.

use std::time::Duration;

use fakemon_host::{BlobFault, Host};

use crate::peers::Peers;
use crate::sched;

/// Everything that the VMM heard, in order of arrival.
#[derive(Debug, Default)]
pub struct Log {
    /// Address offset from [`REPORT`](crate::machine::REPORT) and value of each store of the guest's program.
    pub reports: Vec<(u64, u64)>,
    /// Console output of the blob.
    pub console: Vec<u8>,
    /// Secure accesses of the blob.
    pub secure: Vec<Access>,
    /// Accesses of the guest to addresses without memory: address, and whether it is a write.
    pub holes: Vec<(u64, bool)>,
    /// Accesses of the guest to addresses without memory that KVM could not describe, such as
    /// atomics: the address. Each was answered with an external abort.
    pub blind: Vec<u64>,
    /// Events that the blob logged.
    pub events: Vec<(u64, [u64; 3])>,
    /// Blob faults after which the guest went on.
    pub faults: Vec<BlobFault>,
    /// CPU_ON requests: MPIDR, entry, context.
    pub started: Vec<[u64; 3]>,
    /// Every CPU is on, rather than the first alone.
    pub all_on: bool,
    /// CPUs and payloads that are to be entered without a call.
    pub interrupts: Vec<(u32, usize)>,
    /// Who carries these out, in a VMM that runs its vCPUs in threads.
    pub peers: Option<Peers>,
    /// Times at which a payload is to be entered without a call.
    pub timers: Vec<(u64, usize)>,
    /// CPU time that each load and each event of the blob takes the VMM.
    pub effort: Duration,
}

/// An access of the blob to the VMM's bus. Loads are answered with bytes of 0x5a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Where.
    pub address: u64,
    /// Number of bytes.
    pub size: usize,
    /// The value of a store.
    pub stored: Option<u64>,
}

impl Host for Log {
    fn console(&mut self, text: &[u8]) {
        self.console.extend(text);
    }
    fn cpu_on(&mut self, mpidr: u64, entry: u64, context: u64) -> i32 {
        self.started.push([mpidr, entry, context]);
        fakemon_abi::status::SUCCESS
    }
    fn cpu_affinity(&mut self, mpidr: u64, _level: u64) -> i32 {
        i32::from(mpidr != 0 && !self.all_on)
    }
    fn mmio_read(&mut self, address: u64, data: &mut [u8]) {
        sched::work(self.effort);
        self.secure.push(Access {
            address,
            size: data.len(),
            stored: None,
        });
        data.fill(0x5a);
    }
    fn mmio_write(&mut self, address: u64, data: &[u8]) {
        self.secure.push(Access {
            address,
            size: data.len(),
            stored: Some(value(data)),
        });
    }
    fn interrupt(&mut self, cpu: u32, payload: usize) -> i32 {
        self.interrupts.push((cpu, payload));
        if let Some(peers) = &self.peers {
            peers.interrupt(cpu, payload);
        }
        fakemon_abi::status::SUCCESS
    }
    fn timer(&mut self, deadline: u64, payload: usize) -> i32 {
        self.timers.push((deadline, payload));
        fakemon_abi::status::SUCCESS
    }
    fn event(&mut self, code: u64, args: [u64; 3]) {
        sched::work(self.effort);
        self.events.push((code, args));
    }
    fn fault(&mut self, fault: &BlobFault) {
        self.faults.push(fault.clone());
    }
}

pub(crate) fn value(data: &[u8]) -> u64 {
    data.iter()
        .rev()
        .fold(0, |value, &byte| value << 8 | u64::from(byte))
}
