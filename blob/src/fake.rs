// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A host for tests: remembers what it was asked and answers as the test says.

use std::vec::Vec;

use fakemon_abi::frame::REGS;

use crate::board::Board;
use crate::call::{Call, Conduit, Trap, Width};
use crate::dispatch;
use crate::host::Host;

/// A host call that was made: its number and arguments.
pub type Asked = (u64, [u64; 6]);

type Answer = dyn FnMut(u64, [u64; 6]) -> Result<[u64; 4], i32>;

/// A host that remembers. Unless told otherwise it answers every call with success and zeros.
pub struct FakeHost {
    /// What was asked, in order.
    pub asked: Vec<Asked>,
    cpus: u32,
    answer: Box<Answer>,
}

impl FakeHost {
    /// A host of a guest with `cpus` CPUs, of which number 0 calls.
    pub fn new(cpus: u32) -> Self {
        FakeHost {
            asked: Vec::new(),
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

    /// Makes a call of board `B` from a caller of `width` and returns the registers that come back.
    ///
    /// `regs` are x0 and up; those that are not given are zero.
    pub fn smc<B: Board>(&mut self, width: Width, regs: &[u64]) -> [u64; REGS] {
        let trap = Trap {
            width,
            conduit: Conduit::Smc,
            immediate: 0,
        };
        let mut x = [0; REGS];
        x[..regs.len()].copy_from_slice(regs);
        dispatch::dispatch::<B>(&mut Call::new(&mut x, trap, self));
        x
    }
}

impl Host for FakeHost {
    fn call(&mut self, nr: u64, args: [u64; 6]) -> Result<[u64; 4], i32> {
        self.asked.push((nr, args));
        (self.answer)(nr, args)
    }

    fn cpu(&self) -> u32 {
        0
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
