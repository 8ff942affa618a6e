// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a payload can ask of this VMM, and the answers.

use std::time::Duration;

use fakemon_host::abi::status::{INTERNAL_FAILURE, INVALID_ADDRESS, SUCCESS};
use fakemon_host::{Reply, Request, Start, monotonic_ns};

use super::shared::Shared;

/// The VMM as a payload on one CPU sees it.
pub(super) struct Answers<'a> {
    pub(super) cpu: u32,
    pub(super) shared: &'a Shared,
    pub(super) stolen_time: Option<u64>,
}

impl Answers<'_> {
    /// Does what is asked for, if it is something that can be done on the spot.
    pub(super) fn to(&self, request: &Request) -> Reply {
        match *request {
            Request::Console(ref text) => {
                for line in String::from_utf8_lossy(text).lines() {
                    self.shared.report_console(self.cpu, line);
                }
                Reply::ok()
            }
            Request::CpuOn {
                mpidr,
                entry,
                context,
            } => Reply::status(self.start(mpidr, Start { entry, context })),
            Request::CpuAffinity { mpidr, level } => {
                let answer = self.shared.cpus.affinity(mpidr, level);
                u64::try_from(answer).map_or(Reply::status(answer), Reply::value)
            }
            Request::Read { address, size } => {
                let mut bytes = [0; 8];
                self.shared
                    .read(self.cpu, address, &mut bytes[..size], true);
                Reply::value(u64::from_le_bytes(bytes))
            }
            Request::Write {
                address,
                size,
                value,
            } => {
                let bytes = value.to_le_bytes();
                self.shared.write(self.cpu, address, &bytes[..size], true);
                Reply::ok()
            }
            Request::Event { code, args } => {
                if let Some(tracer) = &self.shared.tracer {
                    tracer.event(self.cpu, monotonic_ns(), code, args);
                }
                Reply::ok()
            }
            Request::Watchdog { ns } => {
                let limit = (ns != 0).then(|| Duration::from_nanos(ns));
                self.shared.control.watchdog(limit);
                Reply::ok()
            }
            Request::Interrupt { cpu, payload } => {
                self.shared.interrupt(cpu, payload);
                Reply::ok()
            }
            Request::Timer { deadline, payload } => {
                match self.shared.timers.set((self.cpu, payload), deadline) {
                    Ok(()) => Reply::ok(),
                    Err(_) => Reply::status(INTERNAL_FAILURE),
                }
            }
            Request::StolenTime => self
                .stolen_time
                .map_or(Reply::not_supported(), Reply::value),
            // The vCPU does these when the payload has its answer.
            Request::Power(_) | Request::WaitForInterrupt => Reply::ok(),
            _ => Reply::of_host(request),
        }
    }

    fn start(&self, mpidr: u64, start: Start) -> i32 {
        // The lowest bit of an entry point selects the instruction set of a 32-bit CPU.
        if !self.shared.is_memory(start.entry & !1) {
            return INVALID_ADDRESS;
        }
        match self.shared.cpus.start(mpidr, start) {
            Ok(number) => {
                self.shared.kick(number);
                SUCCESS
            }
            Err(status) => status,
        }
    }
}
