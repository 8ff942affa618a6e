// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A platform for tests: remembers what it was asked and answers as the test says.

use fakemon_abi::frame::REGS;
use fakemon_abi::{Conduit, Width};
use std::collections::BTreeMap;
use std::vec::Vec;

use crate::board::Board;
use crate::call::{Call, Trap};
use crate::context::Resume;
use crate::dispatch;
use crate::error::Error;
use crate::function_id::FunctionId;
use crate::memory::{self, Region};
use crate::platform::{Platform, PowerState};

pub mod properties;
pub mod scmi;

/// What a platform was asked: the methods of [`Platform`] with their arguments, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Asked {
    CpuOn(u64, u64, u64),
    CpuOff,
    CpuAffinity(u64, u64),
    WaitForInterrupt,
    CpuResume(u64, u64),
    SystemOff,
    SystemReset(u64, u64),
    SystemSuspend(u64, u64),
    Interrupt(u64),
    Timer(u64),
    Time,
    Entropy(u64),
    Translate(u64, bool),
    MmioRead(u64, u64),
    MmioWrite(u64, u64, u64),
    Watchdog(u64),
    StolenTime,
    SetException(u64, u64),
    VectorBase,
    Workaround(FunctionId),
    LogEvent(u64, [u64; 3]),
}

/// What a platform answers: its results, the first ones of these words.
pub type Answer = Result<[u64; 4], Error>;

/// A platform that remembers. Unless told otherwise it answers every call with success and zeros.
pub struct FakePlatform {
    /// What was asked, in order.
    pub asked: Vec<Asked>,
    /// What was written into guest memory, as address and size, in order.
    pub written: Vec<(u64, usize)>,
    /// The number of the CPU that calls.
    pub cpu: u32,
    /// Where the caller is; after a call, where it goes on.
    pub resume: Resume,
    /// Registers by address, for a platform that [has some](FakePlatform::with_registers).
    pub registers: BTreeMap<u64, u64>,
    has_registers: bool,
    memory: Vec<(u64, Vec<u8>)>,
    cpus: u32,
    answer: Box<dyn FnMut(Asked) -> Answer>,
}

impl FakePlatform {
    /// A platform of a guest with `cpus` CPUs, of which number 0 calls.
    pub fn new(cpus: u32) -> Self {
        FakePlatform {
            asked: Vec::new(),
            written: Vec::new(),
            cpu: 0,
            resume: Resume::default(),
            registers: BTreeMap::new(),
            has_registers: false,
            memory: Vec::new(),
            cpus,
            answer: Box::new(|_| Ok([0; 4])),
        }
    }

    /// Answers everything with what `answer` makes of it.
    #[must_use]
    pub fn answering(mut self, answer: impl FnMut(Asked) -> Answer + 'static) -> Self {
        self.answer = Box::new(answer);
        self
    }

    /// Gives the machine registers on its bus, which keep what is written and are zero where these
    /// say nothing else. Accesses reach them and not the answer of
    /// [`answering`](FakePlatform::answering).
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

    fn locate(&self, address: u64, size: usize, write: bool) -> Result<(usize, usize), Error> {
        let regions = self.memory.iter().map(|(base, content)| Region {
            base: *base,
            size: content.len() as u64,
            writable: true,
        });
        let found = memory::find(regions, address, size, write)?;
        let at = self.memory.iter().position(|(base, _)| *base == found.base);
        let offset = (address - found.base) as usize;
        at.map(|at| (at, offset)).ok_or(Error::InvalidAddress)
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

impl FakePlatform {
    fn ask(&mut self, asked: Asked) -> Answer {
        self.asked.push(asked);
        match asked {
            Asked::MmioRead(address, _) if self.has_registers => {
                Ok([self.register(address), 0, 0, 0])
            }
            Asked::MmioWrite(address, _, value) if self.has_registers => {
                self.registers.insert(address, value);
                Ok([0; 4])
            }
            _ => (self.answer)(asked),
        }
    }

    fn first(&mut self, asked: Asked) -> Result<u64, Error> {
        self.ask(asked).map(|[first, ..]| first)
    }

    fn done(&mut self, asked: Asked) -> Result<(), Error> {
        self.ask(asked).map(drop)
    }

    fn leave(&mut self, asked: Asked) -> Error {
        self.ask(asked).err().unwrap_or(Error::InternalFailure)
    }
}

impl Platform for FakePlatform {
    fn cpu(&self) -> u32 {
        self.cpu
    }

    fn cpus(&self) -> u32 {
        self.cpus
    }

    fn cpu_on(&mut self, mpidr: u64, entry: u64, context: u64) -> Result<(), Error> {
        self.done(Asked::CpuOn(mpidr, entry, context))
    }

    fn cpu_off(&mut self) -> Error {
        self.leave(Asked::CpuOff)
    }

    fn cpu_affinity(&mut self, mpidr: u64, level: u64) -> Result<PowerState, Error> {
        let state = self.first(Asked::CpuAffinity(mpidr, level))?;
        PowerState::from_number(state).ok_or(Error::InternalFailure)
    }

    fn wait_for_interrupt(&mut self) -> Result<(), Error> {
        self.done(Asked::WaitForInterrupt)
    }

    fn cpu_resume(&mut self, entry: u64, context: u64) -> Error {
        self.leave(Asked::CpuResume(entry, context))
    }

    fn system_off(&mut self) -> Error {
        self.leave(Asked::SystemOff)
    }

    fn system_reset(&mut self, kind: u64, cookie: u64) -> Error {
        self.leave(Asked::SystemReset(kind, cookie))
    }

    fn system_suspend(&mut self, entry: u64, context: u64) -> Error {
        self.leave(Asked::SystemSuspend(entry, context))
    }

    fn interrupt(&mut self, mpidr: u64) -> Result<(), Error> {
        self.done(Asked::Interrupt(mpidr))
    }

    fn timer(&mut self, deadline: u64) -> Result<(), Error> {
        self.done(Asked::Timer(deadline))
    }

    fn time(&mut self) -> Result<(u64, u64), Error> {
        self.ask(Asked::Time)
            .map(|[monotonic, realtime, ..]| (monotonic, realtime))
    }

    fn entropy(&mut self, words: u64) -> Result<[u64; 4], Error> {
        self.ask(Asked::Entropy(words))
    }

    fn translate(&mut self, va: u64, write: bool) -> Result<u64, Error> {
        self.first(Asked::Translate(va, write))
    }

    fn mmio_read(&mut self, address: u64, size: u64) -> Result<u64, Error> {
        self.first(Asked::MmioRead(address, size))
    }

    fn mmio_write(&mut self, address: u64, size: u64, value: u64) -> Result<(), Error> {
        self.done(Asked::MmioWrite(address, size, value))
    }

    fn read_memory(&mut self, address: u64, to: &mut [u8]) -> Result<(), Error> {
        let (at, offset) = self.locate(address, to.len(), false)?;
        to.copy_from_slice(&self.memory[at].1[offset..offset + to.len()]);
        Ok(())
    }

    fn write_memory(&mut self, address: u64, from: &[u8]) -> Result<(), Error> {
        let (at, offset) = self.locate(address, from.len(), true)?;
        self.memory[at].1[offset..offset + from.len()].copy_from_slice(from);
        self.written.push((address, from.len()));
        Ok(())
    }

    fn watchdog(&mut self, ns: u64) -> Result<(), Error> {
        self.done(Asked::Watchdog(ns))
    }

    fn stolen_time(&mut self) -> Result<u64, Error> {
        self.first(Asked::StolenTime)
    }

    fn set_exception(&mut self, elr: u64, spsr: u64) -> Result<(), Error> {
        self.done(Asked::SetException(elr, spsr))
    }

    fn vector_base(&mut self) -> Result<u64, Error> {
        self.first(Asked::VectorBase)
    }

    fn workaround(&mut self, function: FunctionId) -> Result<i32, Error> {
        self.first(Asked::Workaround(function))
            .map(|answer| answer as i32)
    }

    fn log_event(&mut self, code: u64, args: [u64; 3]) {
        let _ = self.ask(Asked::LogEvent(code, args));
    }
}

impl core::fmt::Debug for FakePlatform {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("FakeHost")
            .field("asked", &self.asked)
            .finish_non_exhaustive()
    }
}
