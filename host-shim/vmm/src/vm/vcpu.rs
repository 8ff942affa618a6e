// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A vCPU's thread: runs it, and does what its exits ask for.
//!
//! Every vCPU is in KVM_RUN from the start, also the secondary ones: KVM keeps a vCPU that is off
//! waiting there, whether it is KVM's own PSCI that will start it or a blob's. In the second case
//! the starter leaves the entry point in [`Cpus`](fakemon_host::Cpus) and kicks the thread, which
//! resets the vCPU and enters KVM_RUN again.

use std::sync::Arc;

use fakemon_host::regs::{self, Registers};
use fakemon_host::{
    CallRecord, Lane, Policy, PowerEvent, Request, Start, Step, Trap, Width, inject_undefined,
    keep_stolen_time,
};
use kvm_bindings::{
    KVM_ARM_VCPU_EL1_32BIT, KVM_ARM_VCPU_POWER_OFF, KVM_ARM_VCPU_PSCI_0_2, KVM_MP_STATE_RUNNABLE,
    KVM_MP_STATE_STOPPED, KVM_SYSTEM_EVENT_CRASH, KVM_SYSTEM_EVENT_RESET,
    KVM_SYSTEM_EVENT_SHUTDOWN, KVM_SYSTEM_EVENT_SUSPEND, KVM_SYSTEM_EVENT_WAKEUP, kvm_mp_state,
    kvm_vcpu_init,
};
use kvm_ioctls::{VcpuExit, VcpuFd, VmFd};

use super::VmError;
use super::calls::Answers;
use super::kick::Running;
use super::power::Reset;
use super::shared::Shared;
use crate::control::Outcome;
use crate::say;
use crate::summary::Counts;
use crate::trace::Call;

/// A vCPU and how it is reset.
#[derive(Debug)]
pub(super) struct Created {
    pub(super) fd: VcpuFd,
    reset: Reset,
    stolen_time: Option<u64>,
}

/// Creates vCPU number `number`, which is off unless it is the first.
pub(super) fn create(
    vm: &VmFd,
    number: u32,
    width: Width,
    mpidr: Option<u64>,
    stolen_time: Option<u64>,
) -> Result<Created, VmError> {
    let mut init = kvm_vcpu_init::default();
    vm.get_preferred_target(&mut init)
        .map_err(VmError::kvm("name its CPU model"))?;
    init.features[0] |= 1 << KVM_ARM_VCPU_PSCI_0_2;
    if width == Width::AArch32 {
        init.features[0] |= 1 << KVM_ARM_VCPU_EL1_32BIT;
    }
    let fd = vm
        .create_vcpu(number.into())
        .map_err(VmError::kvm("create a vCPU"))?;
    let mut first = init;
    if number > 0 {
        first.features[0] |= 1 << KVM_ARM_VCPU_POWER_OFF;
    }
    fd.vcpu_init(&first)
        .map_err(VmError::kvm("initialise a vCPU"))?;
    let reset = Reset::new(&fd, init, mpidr)?;
    // A host that cannot is a host without stolen time, which the guest can live with.
    let stolen_time = stolen_time.filter(|&address| keep_stolen_time(&fd, address).is_ok());
    Ok(Created {
        fd,
        reset,
        stolen_time,
    })
}

/// One vCPU, on its way into its thread.
#[derive(Debug)]
pub(super) struct Vcpu {
    number: u32,
    pub(super) fd: VcpuFd,
    pub(super) reset: Reset,
    pub(super) width: Width,
    stolen_time: Option<u64>,
    lane: Option<Lane>,
    policy: Policy,
    pub(super) shared: Arc<Shared>,
    counts: Counts,
}

/// An exit of the guest that is not over with the access it was for.
pub(super) enum Exit {
    Done,
    Hypercall,
    System(u32),
    Failed(Outcome),
}

impl Vcpu {
    pub(super) fn new(
        number: u32,
        created: Created,
        width: Width,
        lane: Option<Lane>,
        policy: Policy,
        shared: Arc<Shared>,
    ) -> Self {
        let Created {
            fd,
            reset,
            stolen_time,
        } = created;
        Vcpu {
            number,
            fd,
            reset,
            width,
            stolen_time,
            lane,
            policy,
            shared,
            counts: Counts::default(),
        }
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// Makes the vCPU enter the kernel (arm64 booting.rst; arm booting.rst, where r1 is "no machine
    /// number").
    pub(super) fn boot(&self, kernel: u64, dtb: u64) -> Result<(), VmError> {
        let registers = Registers::of(&self.fd);
        match self.width {
            Width::AArch64 => registers.start_at(self.width, kernel, dtb)?,
            Width::AArch32 => {
                registers.start_at(self.width, kernel, 0)?;
                registers.set(regs::x(1), 0xffff_ffff)?;
                registers.set(regs::x(2), dtb)?;
            }
        }
        Ok(())
    }

    /// Runs the vCPU until the run ends.
    pub(super) fn run(mut self) -> Counts {
        let shared = self.shared.clone();
        let slot = &shared.slots[self.number as usize];
        let _running = Running::announce(slot, &mut self.fd, self.lane.as_ref());
        let _alarm = Alarm(&shared, self.number);
        while !shared.control.stopped() {
            if let Err(error) = self.step() {
                shared.control.stop(Outcome::Host(error.to_string()));
            }
        }
        // Somebody had enough of waiting: that is where the guest hangs.
        if let Some(Outcome::Signal(_)) = shared.control.outcome() {
            say!(
                "{}",
                self.at_pc(&format!("CPU {} has stopped", self.number))
            );
        }
        if let Some(mut lane) = self.lane.take() {
            lane.drain_log(|call| self.note(call));
        }
        std::mem::take(&mut self.counts)
    }

    fn step(&mut self) -> Result<(), VmError> {
        if let Some(start) = self.shared.cpus.take_start(self.number as usize) {
            self.start(start)?;
        }
        // Who has asked for an entry may have found this CPU on just before it went off.
        let is_on = || self.shared.cpus.is_on(self.number as usize);
        if self.lane.as_ref().is_some_and(Lane::is_due) && is_on() {
            return self.deliver();
        }
        match self.enter() {
            Exit::Done => Ok(()),
            Exit::Hypercall => self.hypercall(),
            Exit::System(event) => self.system(event),
            Exit::Failed(outcome) => {
                self.shared.control.stop(outcome);
                Ok(())
            }
        }
    }

    /// One KVM_RUN, and the accesses that it ends with.
    pub(super) fn enter(&mut self) -> Exit {
        let (cpu, shared) = (self.number, &self.shared);
        match self.fd.run() {
            Ok(VcpuExit::MmioRead(address, data)) => {
                shared.read(cpu, address, data, false);
                Exit::Done
            }
            Ok(VcpuExit::MmioWrite(address, data)) => {
                shared.write(cpu, address, data, false);
                Exit::Done
            }
            Ok(VcpuExit::Hypercall(_)) => Exit::Hypercall,
            Ok(VcpuExit::SystemEvent(event, _)) => Exit::System(event),
            Ok(VcpuExit::Intr) => Exit::Done,
            Ok(other) => {
                let what = format!("KVM stopped CPU {cpu}: {other:?}");
                Exit::Failed(Outcome::Host(self.at_pc(&what)))
            }
            Err(error) if matches!(error.errno(), libc::EINTR | libc::EAGAIN) => {
                self.fd.set_kvm_immediate_exit(0);
                Exit::Done
            }
            // KVM cannot tell what an access to a device by such an instruction (a pair, or with
            // write-back) was for.
            Err(error) if error.errno() == libc::ENOSYS => {
                let what = format!(
                    "CPU {cpu} accessed a device with an instruction that KVM cannot decode"
                );
                Exit::Failed(Outcome::Guest(self.at_pc(&what)))
            }
            Err(error) => {
                let what = format!("KVM cannot run CPU {cpu}: {error}");
                Exit::Failed(Outcome::Host(self.at_pc(&what)))
            }
        }
    }

    fn at_pc(&self, what: &str) -> String {
        match Registers::of(&self.fd).get(regs::PC) {
            Ok(pc) => format!("{what} (pc {pc:#x})"),
            Err(_) => what.to_owned(),
        }
    }

    fn hypercall(&mut self) -> Result<(), VmError> {
        if self.policy == Policy::Undef {
            return Ok(inject_undefined(&self.fd, self.width)?);
        }
        match Trap::of(self.fd.get_kvm_run()) {
            Some(trap) => self.with_lane(|lane| lane.trap(trap)),
            None => Ok(()),
        }
    }

    /// Enters a payload without a call.
    fn deliver(&mut self) -> Result<(), VmError> {
        // The last exit's access is completed by the next KVM_RUN, and the payload is to find the guest
        // after it. What this loses of a kick is looked at before the guest runs.
        self.fd.set_kvm_immediate_exit(1);
        let _interrupted = self.fd.run();
        self.fd.set_kvm_immediate_exit(0);
        self.with_lane(Lane::deliver)
    }

    /// Has the lane, if there is one, begin something, and serves it to its end.
    fn with_lane(
        &mut self,
        begin: impl FnOnce(&mut Lane) -> Result<Step, fakemon_host::Error>,
    ) -> Result<(), VmError> {
        // It is apart from the rest of the vCPU meanwhile, which serves it.
        let Some(mut lane) = self.lane.take() else {
            return Ok(());
        };
        let result = match begin(&mut lane) {
            Ok(step) => self.serve(&mut lane, step),
            Err(error) => Err(error.into()),
        };
        self.lane = Some(lane);
        result
    }

    /// Does what a payload asks, and what comes of it.
    fn serve(&mut self, lane: &mut Lane, mut step: Step) -> Result<(), VmError> {
        let shared = self.shared.clone();
        let answers = Answers {
            cpu: self.number,
            shared: &shared,
            stolen_time: self.stolen_time,
        };
        let mut power = None;
        loop {
            step = match step {
                Step::Ask(request) => {
                    match request {
                        Request::WaitForInterrupt => self.wait_for_interrupt(lane)?,
                        Request::Power(event) => power = Some(event),
                        _ => {}
                    }
                    lane.answer(answers.to(&request))?
                }
                Step::Interrupted if shared.control.stopped() => return Ok(()),
                Step::Interrupted => lane.resume()?,
                Step::Fault(fault) => {
                    shared.report_fault(&fault);
                    break;
                }
                Step::Run | Step::Left => break,
                other => {
                    let what = format!("the library wants something unknown: {other:?}");
                    return self.end(Outcome::Host(what));
                }
            };
        }
        lane.drain_log(|call| self.note(call));
        match power {
            Some(event) => self.power(event),
            None => Ok(()),
        }
    }

    /// Goes on as the guest has asked by a call that does not return.
    fn power(&mut self, event: PowerEvent) -> Result<(), VmError> {
        match event {
            PowerEvent::CpuOff => self.off(),
            PowerEvent::CpuResume { entry, context } => self.wake_up(Start { entry, context }),
            PowerEvent::SystemOff => self.end(Outcome::Off),
            PowerEvent::SystemReset { kind, cookie } => self.reset_system(kind, cookie),
            PowerEvent::SystemSuspend { entry, context } => self.suspend(Start { entry, context }),
            other => self.end(Outcome::Host(format!(
                "the blob wants something unknown: {other:?}"
            ))),
        }
    }

    /// Counts and traces a call that is over.
    fn note(&mut self, record: &CallRecord) {
        let args = &record.before[..record.inputs.max(1)];
        let board = &self.shared.board;
        self.counts.add(board, args);
        if let Some(tracer) = &self.shared.tracer {
            let results = if record.returned {
                &record.after[..record.outputs]
            } else {
                &[]
            };
            tracer.call(
                board,
                &Call {
                    cpu: self.number,
                    begin_ns: record.begin_ns,
                    end_ns: record.end_ns,
                    args,
                    results,
                },
            );
        }
    }

    /// Does what KVM's own PSCI was asked for.
    fn system(&mut self, event: u32) -> Result<(), VmError> {
        match event {
            KVM_SYSTEM_EVENT_SHUTDOWN => self.end(Outcome::Off),
            KVM_SYSTEM_EVENT_RESET => self.end(Outcome::Reset),
            KVM_SYSTEM_EVENT_CRASH => self.end(Outcome::Guest("the guest reports a crash".into())),
            KVM_SYSTEM_EVENT_SUSPEND => {
                let registers = Registers::of(&self.fd);
                let (entry, context) = (registers.get(regs::x(1))?, registers.get(regs::x(2))?);
                self.suspend(Start { entry, context })
            }
            KVM_SYSTEM_EVENT_WAKEUP => self.set_state(KVM_MP_STATE_RUNNABLE),
            other => self.end(Outcome::Host(format!(
                "KVM reports an unknown system event {other}"
            ))),
        }
    }

    pub(super) fn end(&self, outcome: Outcome) -> Result<(), VmError> {
        self.shared.control.stop(outcome);
        Ok(())
    }

    fn off(&self) -> Result<(), VmError> {
        self.set_state(KVM_MP_STATE_STOPPED)?;
        let timers = &self.shared.timers;
        timers.forget(self.number).map_err(VmError::Timer)?;
        if !self.shared.cpus.stop(self.number as usize) {
            return self.end(Outcome::Guest(
                "the guest has switched all its CPUs off".into(),
            ));
        }
        Ok(())
    }

    pub(super) fn set_state(&self, mp_state: u32) -> Result<(), VmError> {
        let state = kvm_mp_state { mp_state };
        self.fd
            .set_mp_state(state)
            .map_err(VmError::kvm("change a vCPU's power state"))
    }
}

/// Ends the run if its thread panics, so that nobody waits for that vCPU.
struct Alarm<'a>(&'a Shared, u32);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let what = format!(
                "the thread of CPU {} panicked, which is a bug of fakemon's",
                self.1
            );
            self.0.control.stop(Outcome::Host(what));
        }
    }
}
