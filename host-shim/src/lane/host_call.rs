// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Host calls: what the engine answers by itself, and what becomes a request.

use fakemon_abi::{ABI_VERSION, status};

use super::{Lane, Place};
use crate::error::Error;
use crate::hostcall::HostCall;
use crate::payload::blob::frame::{CALL_NR, CALL_STATUS, call_arg, call_result};
use crate::request::{Reply, Request};
use crate::step::Step;

impl Lane {
    /// Serves the host call in the frame.
    #[inline(never)]
    pub(super) fn host_call(&mut self) -> Result<Option<Step>, Error> {
        let frame = &self.blob().frame;
        let number = frame.get(CALL_NR);
        let args = std::array::from_fn(|n| frame.get(call_arg(n)));
        let status_or = |value: Option<u64>, code| value.map_or(Reply::status(code), Reply::value);
        let reply = match HostCall::decode(number, args) {
            HostCall::Ask(request) => return Ok(Some(self.ask(request, Place::HostCall))),
            HostCall::Console { address, length } => {
                match self.blob().payload.vm().memory().read(address, length) {
                    Some(text) => {
                        let request = Request::Console(text);
                        return Ok(Some(self.ask(request, Place::HostCall)));
                    }
                    None => Reply::status(status::INVALID_ADDRESS),
                }
            }
            HostCall::Panic => {
                let reason = self.blob().panic_reason();
                return self.fail(reason, false).map(Some);
            }
            HostCall::Version => Reply::value(ABI_VERSION.into()),
            HostCall::Translate { va, write } => {
                let address = self.guest.translate(va, write, &self.world.ram)?;
                status_or(address, status::INVALID_ADDRESS)
            }
            HostCall::GuestMemory(n) => self.blob().payload.guest_memory(n, &self.world.ram),
            HostCall::SetException { elr, spsr } => match self.guest.set_exception(elr, spsr)? {
                true => Reply::ok(),
                false => Reply::not_supported(),
            },
            HostCall::VectorBase => status_or(self.guest.vector_base()?, status::NOT_SUPPORTED),
            HostCall::Workaround(function) => {
                let answer = self.guest.workaround(function);
                status_or(answer.map(|n| i64::from(n) as u64), status::NOT_SUPPORTED)
            }
            HostCall::Interrupt(mpidr) => match self.world.cpu_of(mpidr) {
                Some(cpu) => {
                    let payload = self.current;
                    let request = Request::Interrupt { cpu, payload };
                    return Ok(Some(self.ask(request, Place::HostCall)));
                }
                None => Reply::status(status::INVALID_PARAMETERS),
            },
            HostCall::Timer(deadline) => {
                let payload = self.current;
                let request = Request::Timer { deadline, payload };
                return Ok(Some(self.ask(request, Place::HostCall)));
            }
            HostCall::Refused(code) => Reply::status(code),
        };
        self.finish_host_call(reply);
        Ok(None)
    }

    pub(super) fn finish_host_call(&self, reply: Reply) {
        let frame = &self.blob().frame;
        frame.set(CALL_STATUS, i64::from(reply.status) as u64);
        for (n, value) in reply.values.into_iter().enumerate() {
            frame.set(call_result(n), value);
        }
    }
}
