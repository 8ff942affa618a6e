// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A host for tests: remembers what it was asked and answers as the test says.

use std::collections::BTreeMap;
use std::vec::Vec;

use fakemon_abi::frame::REGS;
use fakemon_abi::hostcall;
use fakemon_abi::status::INVALID_ADDRESS;

use crate::board::Board;
use crate::call::{Call, Conduit, Resume, Trap, Width};
use crate::dispatch;
use crate::host::Host;
use crate::memory::{self, Stretch};

pub mod properties;
pub mod scmi;

/// A host call that was made: its number and arguments.
pub type Asked = (u64, [u64; 6]);

/// A note for boards of this crate's own tests: it claims nothing.
#[cfg(test)]
pub(crate) const NOTE: fakemon_abi::note::Note = fakemon_abi::note::Note {
    abi: fakemon_abi::ABI_VERSION,
    conduits: 1,
    window: 0,
    callers: 3,
    guest_memory: 0,
    stack: 4096,
    range_count: 0,
    reserved: 0,
    board: [0; 32],
    ranges: fakemon_abi::note::ranges(&[]),
};

type Answer = dyn FnMut(u64, [u64; 6]) -> Result<[u64; 4], i32>;

/// A host that remembers. Unless told otherwise it answers every call with success and zeros.
pub struct FakeHost {
    /// What was asked, in order.
    pub asked: Vec<Asked>,
    /// What was written into guest memory, as address and size, in order.
    pub written: Vec<(u64, usize)>,
    /// The number of the CPU that calls.
    pub cpu: u32,
    /// Where the caller is; after a call, where it goes on.
    pub resume: Resume,
    /// Registers by address, for a host that [has some](FakeHost::with_registers).
    pub registers: BTreeMap<u64, u64>,
    has_registers: bool,
    memory: Vec<(u64, Vec<u8>)>,
    cpus: u32,
    answer: Box<Answer>,
}

impl FakeHost {
    /// A host of a guest with `cpus` CPUs, of which number 0 calls.
    pub fn new(cpus: u32) -> Self {
        FakeHost {
            asked: Vec::new(),
            written: Vec::new(),
            cpu: 0,
            resume: Resume::default(),
            registers: BTreeMap::new(),
            has_registers: false,
            memory: Vec::new(),
            cpus,
            answer: Box::new(|_, _| Ok([0; 4])),
        }
    }

    /// Answers every call with what `answer` makes of its number and arguments.
    #[must_use]
    pub fn answering(
        mut self,
        answer: impl FnMut(u64, [u64; 6]) -> Result<[u64; 4], i32> + 'static,
    ) -> Self {
        self.answer = Box::new(answer);
        self
    }

    /// Gives the machine registers on its bus, which keep what is written and are zero where these
    /// say nothing else. Accesses reach them and not the answer of
    /// [`answering`](FakeHost::answering).
    #[must_use]
    pub fn with_registers(mut self, registers: impl IntoIterator<Item = (u64, u64)>) -> Self {
        self.registers.extend(registers);
        self.has_registers = true;
        self
    }

    /// Returns the register at `address`.
    pub fn register(&self, address: u64) -> u64 {
        self.registers.get(&address).copied().unwrap_or(0)
    }

    /// Gives the guest memory at `base` with this content.
    #[must_use]
    pub fn with_memory(mut self, base: u64, content: &[u8]) -> Self {
        self.memory.push((base, content.to_vec()));
        self
    }

    /// Returns a copy of `size` bytes of guest memory.
    ///
    /// # Panics
    /// Where there is none.
    pub fn memory(&self, address: u64, size: usize) -> Vec<u8> {
        let (at, offset) = self.locate(address, size, false).expect("guest memory");
        self.memory[at].1[offset..offset + size].to_vec()
    }

    fn locate(&self, address: u64, size: usize, write: bool) -> Result<(usize, usize), i32> {
        let stretches = self.memory.iter().map(|(base, content)| Stretch {
            base: *base,
            size: content.len() as u64,
            writable: true,
        });
        let found = memory::find(stretches, address, size, write)?;
        let at = self.memory.iter().position(|(base, _)| *base == found.base);
        let offset = (address - found.base) as usize;
        at.map(|at| (at, offset)).ok_or(INVALID_ADDRESS)
    }

    /// Makes a call of `board` from a caller of `width` and returns the registers that come back.
    ///
    /// `regs` are x0 and up; those that are not given are zero.
    pub fn smc<B: Board>(&mut self, board: &B, width: Width, regs: &[u64]) -> [u64; REGS] {
        let trap = Trap {
            width,
            conduit: Conduit::Smc,
            immediate: 0,
        };
        let mut x = [0; REGS];
        x[..regs.len()].copy_from_slice(regs);
        let mut resume = self.resume;
        dispatch::dispatch(board, &mut Call::new(&mut x, trap, &mut resume, self));
        self.resume = resume;
        x
    }
}

impl Host for FakeHost {
    fn call(&mut self, nr: u64, args: [u64; 6]) -> Result<[u64; 4], i32> {
        self.asked.push((nr, args));
        if nr == hostcall::MMIO && self.has_registers {
            let [address, _, value, write, ..] = args;
            if write != 0 {
                self.registers.insert(address, value);
            }
            return Ok([self.register(address), 0, 0, 0]);
        }
        (self.answer)(nr, args)
    }

    fn read_memory(&mut self, address: u64, to: &mut [u8]) -> Result<(), i32> {
        let (at, offset) = self.locate(address, to.len(), false)?;
        to.copy_from_slice(&self.memory[at].1[offset..offset + to.len()]);
        Ok(())
    }

    fn write_memory(&mut self, address: u64, from: &[u8]) -> Result<(), i32> {
        let (at, offset) = self.locate(address, from.len(), true)?;
        self.memory[at].1[offset..offset + from.len()].copy_from_slice(from);
        self.written.push((address, from.len()));
        Ok(())
    }

    fn cpu(&self) -> u32 {
        self.cpu
    }

    fn cpus(&self) -> u32 {
        self.cpus
    }
}

impl core::fmt::Debug for FakeHost {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FakeHost")
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}
