// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One vCPU of the guest, stopped by the test before and after its calls.
//!
//! The userspace engine comes by when the guest calls, but with the kernel engine nothing does: so
//! here the guest is stepped up to the SMC or HVC, and, where KVM carries the call, over it. The
//! step ends as the guest goes on, before it executes another instruction.

use std::sync::Arc;

use fakemon_host::regs::{self, Register, Registers};
use fakemon_host::{
    Conduit, Error, Lane, Policy, Reply, SavedLane, Served, Step, Trap, Width, inject_undefined,
};
use kvm_bindings::{
    KVM_EXIT_ARM_NISV, KVM_GUESTDBG_ENABLE, KVM_GUESTDBG_SINGLESTEP, kvm_guest_debug,
    kvm_vcpu_events,
};
use kvm_ioctls::{VcpuExit, VcpuFd};

use crate::log::{Log, value};
use crate::ram::Ram;
use crate::stop::{END, REPORT, Stop};

/// One vCPU of the guest and its lane.
#[derive(Debug)]
pub struct Cpu {
    // First: it has borrowed the guest's vCPU.
    /// Its secure half.
    pub firmware: Option<Lane>,
    /// The guest's vCPU.
    pub fd: VcpuFd,
    /// What the test's blob and program left with the VMM.
    pub log: Log,
    ram: Arc<Ram>,
    width: Width,
    policy: Policy,
    carried: bool,
}

/// Why the guest's KVM_RUN ended.
enum Event {
    Call(Trap),
    Stepped,
    Interrupted,
    Stop(Stop),
}

impl Cpu {
    pub(crate) fn new(
        fd: VcpuFd,
        firmware: Option<Lane>,
        ram: Arc<Ram>,
        width: Width,
        policy: Policy,
        carried: bool,
    ) -> Cpu {
        let log = Log::default();
        Cpu {
            firmware,
            fd,
            log,
            ram,
            width,
            policy,
            carried,
        }
    }

    /// Whether KVM carries this vCPU's calls.
    pub fn is_carried(&self) -> bool {
        self.carried
    }

    /// Reads one of the guest's registers, by its id in [`regs`].
    pub fn get(&self, register: Register) -> u64 {
        // What a debugger's step leaves in PSTATE.
        const SS: u64 = 1 << 21;
        let value = Registers::of(&self.fd).get(register).expect("a register");
        if register == regs::PSTATE {
            value & !SS
        } else {
            value
        }
    }

    /// Writes one of the guest's registers.
    pub fn set(&self, register: Register, value: u64) {
        Registers::of(&self.fd)
            .set(register, value)
            .expect("a register");
    }

    /// x0 to x30 of the guest.
    pub fn x(&self) -> [u64; 31] {
        std::array::from_fn(|n| self.get(regs::x(n as u64)))
    }

    /// Runs until a call has come to this process, without serving it.
    pub fn run_to_call(&mut self) -> Result<Trap, Stop> {
        loop {
            match self.enter() {
                Event::Call(trap) => return Ok(trap),
                Event::Stepped | Event::Interrupted => {}
                Event::Stop(stop) => return Err(stop),
            }
        }
    }

    /// Steps up to the guest's next SMC or HVC, and gives it these inputs from x1 up.
    pub fn next_call(&mut self, inputs: &[u64]) -> Trap {
        let conduit = loop {
            match self.call_at_pc() {
                Some(conduit) => break conduit,
                None => self.step(),
            }
        };
        for (n, &value) in (1..).zip(inputs) {
            self.set(regs::x(n), value);
        }
        let function = self.get(regs::x(0)) as u32;
        Trap::new(function, conduit)
    }

    /// Address of the instruction after the call at which the guest is.
    pub fn behind_call(&self) -> u64 {
        self.get(regs::PC) + 4
    }

    /// Makes the call at which the guest is, until it is over or left.
    pub fn begin(&mut self, trap: Trap) -> Result<Served, Error> {
        let firmware = self.firmware.as_mut().expect("a blob");
        if firmware.in_call() {
            return firmware.serve(trap, &mut self.log);
        }
        self.debug(self.carried);
        let step = self.go_on();
        self.debug(false);
        step
    }

    /// Goes on with a call that was left.
    pub fn resume(&mut self) -> Result<Served, Error> {
        let firmware = self.firmware.as_mut().expect("a blob");
        let step = firmware.serve_on(&mut self.log)?;
        if step != Served::Run || !firmware.in_call() {
            return Ok(step);
        }
        self.debug(true);
        let step = self.go_on();
        self.debug(false);
        step
    }

    /// Makes the call at which the guest is, until the payload asks for something or is over.
    pub fn trap(&mut self, trap: Trap) -> Result<Step, Error> {
        let first = match self.carried {
            true => Step::Run,
            false => self.firmware.as_mut().expect("a blob").trap(trap)?,
        };
        self.follow(first, self.carried)
    }

    /// Serves a call that a filter of the VMM's own has forwarded, whatever the engine.
    pub fn forwarded(&mut self, trap: Trap) -> Result<Step, Error> {
        let firmware = self.firmware.as_mut().expect("a blob");
        let step = firmware.trap(trap)?;
        let in_call = firmware.in_call();
        self.follow(step, in_call)
    }

    /// Answers what the payload has asked, and goes on until it asks again or is over.
    pub fn reply(&mut self, reply: Reply) -> Result<Step, Error> {
        let firmware = self.firmware.as_mut().expect("a blob");
        let step = firmware.answer(reply)?;
        let in_call = firmware.in_call();
        self.follow(step, in_call)
    }

    /// Makes its lane, which is in no call, what another one was, and goes on until that call asks, is left or
    /// is over.
    pub fn restore(&mut self, saved: &SavedLane) -> Result<Step, Error> {
        let firmware = self.firmware.as_mut().expect("a blob");
        let step = firmware.restore(saved)?;
        let in_call = firmware.in_call();
        self.follow(step, in_call)
    }

    /// Runs the guest as long as KVM goes on with the call by that.
    fn follow(&mut self, mut step: Step, mut in_call: bool) -> Result<Step, Error> {
        while in_call && matches!(step, Step::Run) {
            self.debug(true);
            let event = self.enter();
            self.debug(false);
            let firmware = self.firmware.as_mut().expect("a blob");
            step = match event {
                Event::Call(trap) => firmware.trap(trap)?,
                Event::Stepped => return Ok(Step::Run),
                Event::Interrupted => continue,
                Event::Stop(stop) => panic!("a call ends in {stop:?}"),
            };
            in_call = firmware.in_call();
        }
        Ok(step)
    }

    /// Runs the guest until something happens, serves it if it is a call, and enters payloads that are
    /// due without one; [`None`] if the guest can go on. A signal is something.
    pub fn run_on(&mut self) -> Option<Stop> {
        match self.enter() {
            Event::Call(trap) => {
                if let Some(stop) = self.answer(trap) {
                    return Some(stop);
                }
            }
            Event::Stepped | Event::Interrupted => {}
            Event::Stop(stop) => return Some(stop),
        }
        self.deliver()
    }

    /// Enters payloads that are due without a call.
    pub fn deliver(&mut self) -> Option<Stop> {
        while self.firmware.as_ref().is_some_and(Lane::is_due) {
            // The last exit's access is completed by the next KVM_RUN.
            self.fd.set_kvm_immediate_exit(1);
            let _interrupted = self.fd.run();
            self.fd.set_kvm_immediate_exit(0);
            let firmware = self.firmware.as_mut().expect("a blob");
            let step = firmware.serve_due(&mut self.log);
            if let Some(stop) = self.finish(step) {
                return Some(stop);
            }
        }
        None
    }

    /// Makes a call of [`caller`](crate::program::caller) with these inputs from x1 up; [`None`]
    /// when it is done.
    pub fn ask(&mut self, inputs: &[u64]) -> Option<Stop> {
        let trap = self.next_call(inputs);
        self.serve(trap)
    }

    /// Makes the call at which the guest is; [`None`] when the guest can go on.
    pub fn serve(&mut self, trap: Trap) -> Option<Stop> {
        if self.firmware.is_none() {
            let trap = self.run_to_call().expect("a call that is forwarded");
            return self.answer(trap);
        }
        let step = self.begin(trap);
        self.finish(step)
    }

    /// Runs the program until it ends or the test has to act.
    pub fn run(&mut self) -> Stop {
        loop {
            match self.run_to_call() {
                Ok(trap) => {
                    if let Some(stop) = self.answer(trap) {
                        return stop;
                    }
                }
                Err(stop) => return stop,
            }
        }
    }

    /// Serves a call that has come to this process.
    fn answer(&mut self, trap: Trap) -> Option<Stop> {
        let Some(firmware) = &mut self.firmware else {
            assert_eq!(
                self.policy,
                Policy::Undef,
                "no other policy forwards without a blob"
            );
            inject_undefined(&self.fd, self.width).expect("an exception");
            return None;
        };
        let step = firmware.serve(trap, &mut self.log);
        self.finish(step)
    }

    fn finish(&mut self, mut step: Result<Served, Error>) -> Option<Stop> {
        while matches!(step, Ok(Served::Interrupted)) {
            step = self.resume();
        }
        match step {
            Ok(Served::Run) => None,
            Ok(step) => Some(Stop::Step(step)),
            Err(error) => Some(Stop::Error(error)),
        }
    }

    /// Runs the guest, which is at a call or in one, until that is over or left.
    fn go_on(&mut self) -> Result<Served, Error> {
        loop {
            match self.enter() {
                Event::Call(trap) => {
                    let firmware = self.firmware.as_mut().expect("a blob");
                    let step = firmware.serve(trap, &mut self.log)?;
                    if step != Served::Run || !firmware.in_call() {
                        return Ok(step);
                    }
                }
                Event::Stepped => return Ok(Served::Run),
                Event::Interrupted => {
                    if self.firmware.as_ref().is_some_and(Lane::in_call) {
                        return Ok(Served::Interrupted);
                    }
                }
                Event::Stop(stop) => panic!("a call ends in {stop:?}"),
            }
        }
    }

    /// One KVM_RUN of the guest's vCPU, with what its accesses ask for.
    fn enter(&mut self) -> Event {
        match self.fd.run() {
            Ok(VcpuExit::Hypercall(call)) => {
                return Event::Call(Trap::from_exit(call.nr, call.longmode.into()));
            }
            Ok(VcpuExit::Debug(_)) => return Event::Stepped,
            Ok(VcpuExit::MmioWrite(END, _)) => return Event::Stop(Stop::Ended),
            Ok(VcpuExit::MmioWrite(address, data)) if (REPORT..END).contains(&address) => {
                let value = value(data);
                self.log.reports.push((address - REPORT, value));
            }
            Ok(VcpuExit::MmioWrite(address, _)) => self.log.holes.push((address, true)),
            Ok(VcpuExit::MmioRead(address, data)) => {
                data.fill(0xff);
                self.log.holes.push((address, false));
            }
            Ok(VcpuExit::Unsupported(KVM_EXIT_ARM_NISV)) => self.refuse_blind_access(),
            Ok(VcpuExit::Intr) => {}
            Ok(other) => return Event::Stop(Stop::Exit(format!("{other:?}"))),
            Err(error) if error.errno() == libc::EINTR => self.fd.set_kvm_immediate_exit(0),
            Err(error) => return Event::Stop(Stop::Exit(error.to_string())),
        }
        Event::Interrupted
    }

    /// Executes one instruction.
    fn step(&mut self) {
        self.debug(true);
        loop {
            match self.enter() {
                Event::Stepped => break,
                Event::Interrupted => {}
                Event::Call(_) => panic!("a call within a step to one"),
                Event::Stop(stop) => panic!("no call: {stop:?}"),
            }
        }
        self.debug(false);
    }

    fn debug(&self, step: bool) {
        let control = if step {
            KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP
        } else {
            0
        };
        let debug = kvm_guest_debug {
            control,
            ..Default::default()
        };
        self.fd.set_guest_debug(&debug).expect("a single step");
    }

    /// The call that is the guest's next instruction, if it is one.
    fn call_at_pc(&self) -> Option<Conduit> {
        const THUMB: u64 = 1 << 5;
        let bytes = self.ram.read(self.get(regs::PC), 4);
        let code = u32::from_le_bytes(bytes.try_into().expect("4 bytes"));
        let thumb = self.get(regs::PSTATE) & THUMB != 0;
        // SMC and HVC with any immediate (Arm ARM C6.2, F5.1).
        let (smc, hvc) = match (self.width, thumb) {
            (Width::AArch64, _) => (
                code & 0xffe0_001f == 0xd400_0003,
                code & 0xffe0_001f == 0xd400_0002,
            ),
            (Width::AArch32, false) => (code & 0x0fff_fff0 == 0x0160_0070, false),
            (Width::AArch32, true) => (code & 0xffff_fff0 == 0x8000_f7f0, false),
        };
        match (smc, hvc) {
            (true, _) => Some(Conduit::Smc),
            (_, true) => Some(Conduit::Hvc),
            _ => None,
        }
    }

    /// Makes the guest take an external abort for an access that KVM could not describe.
    fn refuse_blind_access(&mut self) {
        let exit = &self.fd.get_kvm_run().__bindgen_anon_1;
        // SAFETY: KVM_EXIT_ARM_NISV says that KVM has filled in this member.
        self.log.blind.push(unsafe { exit.arm_nisv.fault_ipa });
        let mut events = kvm_vcpu_events::default();
        events.exception.ext_dabt_pending = 1;
        self.fd.set_vcpu_events(&events).expect("an abort");
    }
}
