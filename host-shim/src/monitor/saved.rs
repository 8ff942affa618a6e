// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A monitor VM as values: the registers of its vCPUs and its memory, for a guest that is saved.

use kvm_bindings::RegList;

use crate::error::Error;
use crate::layout::{Backing, Piece};
use crate::monitor::memory::Memory;
use crate::monitor::vcpu::Vcpu;

/// As many registers as kvm-bindings has room for; a vCPU without SVE has fewer.
const REGISTERS: usize = 500;
/// Memory is saved by as many bytes, unless they are all zero.
const CHUNK: usize = 4096;

/// A register, of any size.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct SavedRegister {
    /// KVM's number for it.
    id: u64,
    value: Vec<u8>,
}

/// A piece of a monitor VM's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct SavedPiece {
    address: u64,
    size: u64,
    /// What is not zero, with its distance from the address.
    chunks: Vec<(u64, Vec<u8>)>,
}

impl Vcpu {
    /// All its registers. An access for which it has left is not completed by this, so the PC is that of
    /// the instruction, which makes the access again when it runs on.
    pub(crate) fn save(&self) -> Result<Vec<SavedRegister>, Error> {
        let mut list = RegList::new(REGISTERS).expect("so many fit into a list");
        self.fd()
            .get_reg_list(&mut list)
            .map_err(Error::kvm("list the registers of a monitor vCPU"))?;
        let save = |&id: &u64| -> Result<SavedRegister, Error> {
            let value = self.read(id)?;
            Ok(SavedRegister { id, value })
        };
        list.as_slice().iter().map(save).collect()
    }

    /// Gives it these registers. It must have left with nothing to complete.
    pub(crate) fn restore(&self, registers: &[SavedRegister]) -> Result<(), Error> {
        for SavedRegister { id, value } in registers {
            if value.len() != size(*id) {
                return Err(Error::Snapshot("a register has another size"));
            }
            // KVM takes no other value for what is the host's to say.
            if self.read(*id)? != *value {
                self.fd()
                    .set_one_reg(*id, value)
                    .map_err(Error::kvm("restore a register of a monitor vCPU"))?;
            }
        }
        Ok(())
    }

    fn read(&self, id: u64) -> Result<Vec<u8>, Error> {
        let mut value = vec![0; size(id)];
        self.fd()
            .get_one_reg(id, &mut value)
            .map_err(Error::kvm("save a register of a monitor vCPU"))?;
        Ok(value)
    }
}

/// Bytes of a register, which its id tells (KVM_REG_SIZE).
fn size(id: u64) -> usize {
    1 << (id >> 52 & 0xf)
}

impl Memory {
    /// All that is in it.
    pub(crate) fn save(&self) -> Vec<SavedPiece> {
        let pieces = self.pieces();
        pieces
            .map(|(piece, _)| self.save_piece(piece.address, piece.size))
            .collect()
    }

    fn save_piece(&self, address: u64, size: u64) -> SavedPiece {
        let chunks = (0..size).step_by(CHUNK).filter_map(|offset| {
            let length = CHUNK.min((size - offset) as usize);
            let bytes = self.read(address + offset, length)?;
            let is_zero = bytes.iter().all(|&byte| byte == 0);
            (!is_zero).then_some((offset, bytes))
        });
        SavedPiece {
            address,
            size,
            chunks: chunks.collect(),
        }
    }

    /// Whether it can hold these pieces: it has the same ones, and the same in those that never change.
    pub(crate) fn fits(&self, saved: &[SavedPiece]) -> bool {
        let fits = |(piece, saved): (&Piece, &SavedPiece)| {
            let inside = |(offset, bytes): &(u64, Vec<u8>)| {
                let end = offset.checked_add(bytes.len() as u64);
                end.is_some_and(|end| end <= piece.size)
            };
            let (address, size) = (piece.address, piece.size);
            (saved.address, saved.size) == (address, size)
                && saved.chunks.iter().all(inside)
                && (piece.backing == Backing::Memory || *saved == self.save_piece(address, size))
        };
        let pieces = self.pieces();
        pieces.len() == saved.len() && pieces.map(|(piece, _)| piece).zip(saved).all(fits)
    }

    /// Makes it what it was, with pieces that [fit](Self::fits).
    pub(crate) fn restore(&self, saved: &[SavedPiece]) {
        for ((piece, _), saved) in self.pieces().zip(saved) {
            if piece.backing != Backing::Memory {
                continue;
            }
            self.clear(piece.address);
            for (offset, bytes) in &saved.chunks {
                self.write(piece.address + offset, bytes);
            }
        }
    }
}
