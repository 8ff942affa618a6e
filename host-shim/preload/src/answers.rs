// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a payload asks of the machine, answered from what is known of the VMM's.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use fakemon_host::abi::status::{INTERNAL_FAILURE, INVALID_ADDRESS, SUCCESS};
use fakemon_host::{Reply, Request, Start};

use crate::say;
use crate::vm::Started;
use crate::vm::vcpu::Vcpu;

/// What becomes of a request.
pub(crate) enum Answer {
    /// This is the answer.
    Now(Reply),
    /// The guest has to make its call again.
    Again,
}

/// Answers what can be answered here. The bus, waiting and power events are `run.rs`'s.
pub(crate) fn answer(vcpu: &Vcpu, request: &Request) -> Answer {
    let vm = &vcpu.vm;
    Answer::Now(match *request {
        Request::Console(ref text) => {
            for line in String::from_utf8_lossy(text).lines() {
                say!("blob on CPU {}: {}", vcpu.id, line.escape_debug());
            }
            Reply::ok()
        }
        Request::CpuOn {
            mpidr,
            entry,
            context,
        } => {
            // The lowest bit of an entry point selects the instruction set of a 32-bit CPU.
            let start = Start { entry, context };
            match vm.is_ram(entry & !1).then(|| vm.start(mpidr, start)) {
                None => Reply::status(INVALID_ADDRESS),
                Some(Ok(Started::Yes)) => Reply::status(SUCCESS),
                Some(Ok(Started::NotThere)) => return Answer::Again,
                Some(Err(status)) => Reply::status(status),
            }
        }
        Request::CpuAffinity { mpidr, level } => {
            let answer = vm.cpus.affinity(mpidr, level);
            u64::try_from(answer).map_or(Reply::status(answer), Reply::value)
        }
        Request::Event { code, args } => {
            if let Some(trace) = &vm.settings.trace {
                trace.event(vcpu.id, code, args);
            }
            Reply::ok()
        }
        Request::Interrupt { cpu, payload } => {
            vm.interrupt(cpu, payload);
            Reply::ok()
        }
        Request::Time => Reply::values([vm.now(), since_1970(), 0, 0]),
        Request::Timer { deadline, payload } => done(vm.set_alarm((vcpu.id, payload), deadline)),
        Request::Watchdog { ns } => done(vm.set_watchdog(ns)),
        Request::StolenTime => (vcpu.stolen_time()).map_or(Reply::not_supported(), Reply::value),
        _ => Reply::of_host(request),
    })
}

fn done(result: io::Result<()>) -> Reply {
    match result {
        Ok(()) => Reply::ok(),
        Err(error) => {
            say!("there is no timer for the blob: {error}");
            Reply::status(INTERNAL_FAILURE)
        }
    }
}

/// Nanoseconds.
fn since_1970() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_nanos() as u64
}
