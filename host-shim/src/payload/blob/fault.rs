// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tells the story of a blob that failed.

use std::mem::offset_of;

use fakemon_abi::frame::{Frame, PANIC_TEXT, PanicRecord};
use fakemon_abi::layout::{FRAME, vcpu_block};

use crate::error::Error;
use crate::fault::{BlobFault, FaultReason, shown};
use crate::payload::blob::cpu::BlobCpu;
use crate::payload::blob::frame;
use crate::regs::{self, x};

impl BlobCpu {
    /// What the blob has left in the frame's panic record.
    pub(crate) fn panic_reason(&self) -> FaultReason {
        let memory = self.payload.vm().memory();
        let at = vcpu_block(self.cpu) + FRAME + offset_of!(Frame, panic) as u64;
        let bytes = memory
            .read(at, size_of::<PanicRecord>())
            .unwrap_or_default();
        let word = |n: usize| {
            bytes
                .get(n..n + 4)
                .map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        };
        let long = |n: usize| u64::from(word(n)) | u64::from(word(n + 4)) << 32;
        let text = |address: u64, length: u32| {
            let bytes = memory.read(address, (length as usize).min(PANIC_TEXT));
            shown(&bytes.unwrap_or_default())
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

    /// Collects the registers of a blob that failed in a call of `function`: from the frame for what
    /// the gate has saved, else from the vCPU.
    pub(crate) fn describe(
        &self,
        function: u32,
        reason: FaultReason,
        in_gate: bool,
    ) -> Result<BlobFault, Error> {
        let own = self.vcpu.registers();
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
        let blob = self.payload.blob();
        Ok(BlobFault {
            board: blob.board().to_owned(),
            cpu: self.cpu,
            function,
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
