// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Serves host calls, and tells the story of a blob that failed.

use std::mem::offset_of;

use fakemon_abi::frame::{Frame, PANIC_TEXT, PanicRecord};
use fakemon_abi::hostcall as nr;
use fakemon_abi::layout::{FRAME, vcpu_block};
use fakemon_abi::{ABI_VERSION, status};

use crate::engine::error::Error;
use crate::engine::frame::{self, CALL_NR, CALL_STATUS, call_arg, call_result};
use crate::engine::host::Host;
use crate::engine::regs::{self, RegisterError, Registers, x};
use crate::engine::step::Step;
use crate::engine::vcpu::{MonitorVcpu, State};
use crate::fault::{BlobFault, FaultReason};
use crate::translate::{Access, Regime, translate};
use crate::width::Width;
use crate::workaround;

impl MonitorVcpu {
    /// Serves the host call in the frame. [`None`] sends the blob on; a step ends the call or
    /// leaves it.
    pub(crate) fn host_call(&mut self, host: &mut dyn Host) -> Result<Option<Step>, Error> {
        let number = self.frame.get(CALL_NR);
        let args: [u64; 6] = std::array::from_fn(|n| self.frame.get(call_arg(n)));
        let [a, b, c, d, ..] = args;
        let mut results = [0; 4];
        let code = match number {
            nr::VERSION => {
                results[0] = ABI_VERSION.into();
                status::SUCCESS
            }
            nr::CONSOLE_WRITE => self.console_write(a, b, host),
            nr::CPU_ON => host.cpu_on(a, b, c),
            nr::CPU_AFFINITY => {
                let answer = host.cpu_affinity(a, b);
                results[0] = u64::try_from(answer).unwrap_or(0);
                answer.min(status::SUCCESS)
            }
            nr::TIME => {
                (results[0], results[1]) = host.time();
                status::SUCCESS
            }
            nr::ENTROPY if (1..=4).contains(&a) => {
                if host.entropy(&mut results[..a as usize]) {
                    status::SUCCESS
                } else {
                    status::INTERNAL_FAILURE
                }
            }
            nr::TRANSLATE => match self.translate(a, b)? {
                Some(address) => {
                    results[0] = address;
                    status::SUCCESS
                }
                None => status::INVALID_ADDRESS,
            },
            nr::MMIO if matches!(b, 1 | 2 | 4 | 8) => {
                let size = b as usize;
                let mut bytes = c.to_le_bytes();
                if d == 0 {
                    bytes = [0; 8];
                    host.mmio_read(a, &mut bytes[..size]);
                } else {
                    host.mmio_write(a, &bytes[..size]);
                }
                results[0] = u64::from_le_bytes(bytes);
                status::SUCCESS
            }
            nr::LOG_EVENT => {
                host.event(a, [b, c, d]);
                status::SUCCESS
            }
            nr::GUEST_MEMORY => match self.shared.guest_memory(a) {
                Ok(stretch) => {
                    results[..3].copy_from_slice(&stretch);
                    status::SUCCESS
                }
                Err(code) => code,
            },
            nr::WATCHDOG => host.watchdog(a),
            nr::STOLEN_TIME => match host.stolen_time() {
                Some(address) => {
                    results[0] = address;
                    status::SUCCESS
                }
                None => status::NOT_SUPPORTED,
            },
            nr::SET_EXCEPTION if self.width == Width::AArch64 => {
                self.guest.set(regs::ELR_EL1, a)?;
                self.guest.set(regs::SPSR_EL1, b)?;
                status::SUCCESS
            }
            nr::WORKAROUND => match self.workaround(a) {
                status::NOT_SUPPORTED => status::NOT_SUPPORTED,
                answer => {
                    results[0] = i64::from(answer) as u64;
                    status::SUCCESS
                }
            },
            nr::ENTROPY | nr::MMIO => status::INVALID_PARAMETERS,
            nr::WAIT_FOR_INTERRUPT => {
                self.answer(status::SUCCESS, results);
                self.state = State::Suspended;
                return Ok(Some(Step::WaitForInterrupt));
            }
            nr::CPU_OFF => return self.end(Step::CpuOff),
            nr::CPU_RESUME => {
                return self.end(Step::CpuResume {
                    entry: a,
                    context: b,
                });
            }
            nr::SYSTEM_OFF => return self.end(Step::SystemOff),
            nr::SYSTEM_RESET => return self.end(Step::SystemReset { kind: a, cookie: b }),
            nr::SYSTEM_SUSPEND => {
                return self.end(Step::SystemSuspend {
                    entry: a,
                    context: b,
                });
            }
            nr::PANIC => {
                let reason = self.panic_reason();
                return self.fail(reason, false, host).map(Some);
            }
            _ => status::NOT_SUPPORTED,
        };
        self.answer(code, results);
        Ok(None)
    }

    fn answer(&self, code: i32, results: [u64; 4]) {
        self.frame.set(CALL_STATUS, i64::from(code) as u64);
        for (n, value) in results.into_iter().enumerate() {
            self.frame.set(call_result(n), value);
        }
    }

    /// Ends the call without a return to the caller.
    fn end(&mut self, step: Step) -> Result<Option<Step>, Error> {
        self.start_over()?;
        Ok(Some(step))
    }

    fn console_write(&self, address: u64, length: u64, host: &mut dyn Host) -> i32 {
        let Some(length) = usize::try_from(length)
            .ok()
            .filter(|&n| n <= nr::CONSOLE_MAX)
        else {
            return status::INVALID_PARAMETERS;
        };
        match self.shared.memory.read(address, length) {
            Some(text) => {
                host.console(&text);
                status::SUCCESS
            }
            None => status::INVALID_ADDRESS,
        }
    }

    /// What KVM answers to SMCCC_ARCH_FEATURES of a workaround on this CPU.
    fn workaround(&self, function: u64) -> i32 {
        let number = workaround::number(function);
        // A kernel that is older than the workaround has no such register.
        let state = |number| Some((number, self.guest.get(regs::arch_workaround(number)).ok()?));
        number
            .and_then(state)
            .map_or(status::NOT_SUPPORTED, |(number, state)| {
                workaround::answer(number, state)
            })
    }

    /// Walks the caller's own stage-1 tables in guest RAM.
    fn translate(&self, va: u64, access: u64) -> Result<Option<u64>, RegisterError> {
        let regime = Regime {
            width: self.width,
            sctlr: self.guest.get(regs::SCTLR_EL1)?,
            tcr: self.guest.get(regs::TCR_EL1)?,
            // KVM has these two only for guests whose CPU has FEAT_TCR2 and FEAT_S1PIE.
            tcr2: self.guest.get(regs::TCR2_EL1).unwrap_or(0),
            pir: self.guest.get(regs::PIR_EL1).unwrap_or(0),
            ttbr0: self.guest.get(regs::TTBR0_EL1)?,
            ttbr1: self.guest.get(regs::TTBR1_EL1)?,
        };
        let access = if access == 0 {
            Access::Read
        } else {
            Access::Write
        };
        let mut read = |address, size| self.shared.read_guest(address, size);
        Ok(translate(&regime, va, access, &mut read).ok())
    }

    fn panic_reason(&self) -> FaultReason {
        let at = vcpu_block(self.cpu) + FRAME + offset_of!(Frame, panic) as u64;
        let bytes = self
            .shared
            .memory
            .read(at, size_of::<PanicRecord>())
            .unwrap_or_default();
        let word = |n: usize| {
            bytes
                .get(n..n + 4)
                .map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        };
        let long = |n: usize| u64::from(word(n)) | u64::from(word(n + 4)) << 32;
        let text = |address: u64, length: u32| {
            let bytes = self
                .shared
                .memory
                .read(address, (length as usize).min(PANIC_TEXT));
            // The blob chose the bytes, and a terminal may be listening.
            let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
            text.replace(char::is_control, " ")
        };
        FaultReason::Panic {
            file: text(
                long(offset_of!(PanicRecord, file)),
                word(offset_of!(PanicRecord, file_len)),
            ),
            message: text(
                long(offset_of!(PanicRecord, message)),
                word(offset_of!(PanicRecord, message_len)),
            ),
            line: word(offset_of!(PanicRecord, line)),
            column: word(offset_of!(PanicRecord, column)),
        }
    }

    /// Collects the registers of a blob that failed: from the frame for what the gate has saved,
    /// else from the vCPU.
    pub(crate) fn describe(&self, reason: FaultReason, in_gate: bool) -> Result<BlobFault, Error> {
        let own = Registers::of(&self.fd);
        let mut registers = [0; 31];
        for (n, register) in registers.iter_mut().enumerate() {
            *register = match n {
                0..18 if in_gate => self.frame.get(frame::x(n)),
                30 if in_gate => self.frame.get(frame::LR),
                _ => own.get(x(n as u64))?,
            };
        }
        let (pc, sp) = if in_gate {
            (self.frame.get(frame::ELR), self.frame.get(frame::SP))
        } else {
            (own.get(regs::PC)?, own.get(regs::SP_EL1)?)
        };
        let blob = &self.shared.blob;
        Ok(BlobFault {
            board: blob.board().to_owned(),
            cpu: self.cpu,
            function: self.record.function,
            reason,
            x: registers,
            pc,
            sp,
            symbol: blob
                .symbol(pc)
                .map(|(name, distance)| (name.to_owned(), distance)),
        })
    }
}
