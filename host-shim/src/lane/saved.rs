// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A lane as a value, also in the middle of a call: for a guest that is saved and goes on in another process.
//!
//! A payload that waits for an answer stands at the instruction by which it has asked, which is not complete
//! until the answer. So nothing of the request has to be saved: the new vCPU executes that once more, and the
//! same request comes of it.

use fakemon_abi::frame::REGS;

use super::seat::{Seat, Switch};
use super::{Lane, State};
use crate::clock::monotonic_ns;
use crate::error::Error;
use crate::kvm_run::Cause;
use crate::monitor::saved::SavedRegister;
use crate::payload::blob::leave::Event;
use crate::record::CallRecord;
use crate::step::Step;
use crate::width::Conduit;

/// What a [lane](Lane) is at a moment, without the guest's vCPU. [`Lane::save`] makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedLane {
    waits: WaitsFor,
    /// The payload that has the call, or had the last one.
    current: usize,
    call: SavedCall,
    seats: Vec<SavedSeat>,
    /// The return of the call that KVM carries comes to this library.
    catching: bool,
    /// The call on record is one that this library has had KVM begin, and that is in progress.
    begun: bool,
}

/// What a call in progress waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
enum WaitsFor {
    /// There is no call.
    Nothing,
    /// It was left by a signal or a kick.
    Resume,
    /// Its payload has asked.
    Answer,
}

/// A payload on this CPU.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct SavedSeat {
    registers: Vec<SavedRegister>,
    is_due: bool,
    /// What KVM knows of a call that it carries.
    carried: u64,
}

/// What a call in progress has on record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct SavedCall {
    function: u32,
    is_hvc: bool,
    inputs: usize,
    outputs: usize,
    before: [u64; REGS],
    pc: u64,
    pstate: u64,
    is_entry: bool,
}

impl SavedCall {
    fn of(call: &CallRecord) -> Self {
        SavedCall {
            function: call.function,
            is_hvc: call.conduit == Conduit::Hvc,
            inputs: call.inputs,
            outputs: call.outputs,
            before: call.before,
            pc: call.pc,
            pstate: call.pstate,
            is_entry: call.is_entry,
        }
    }

    /// The call on record. It has begun at `begin_ns`, as clocks of another host mean nothing here.
    fn record(&self, begin_ns: u64) -> Option<CallRecord> {
        let conduit = match self.is_hvc {
            true => Conduit::Hvc,
            false => Conduit::Smc,
        };
        (self.inputs <= REGS && self.outputs <= REGS).then_some(CallRecord {
            function: self.function,
            conduit,
            inputs: self.inputs,
            outputs: self.outputs,
            before: self.before,
            begin_ns,
            pc: self.pc,
            pstate: self.pstate,
            is_entry: self.is_entry,
            ..CallRecord::NONE
        })
    }
}

impl Lane {
    /// Saves all that the lane is, also in the middle of a call: what its payload has asked can be answered in
    /// another process. The lane stays as it is.
    ///
    /// The guest's vCPU is the VMM's to save, and has seen nothing of a call in progress. What
    /// [`drain_log`](Self::drain_log) has not handed out is not saved.
    ///
    /// # Errors
    /// KVM refuses.
    pub fn save(&mut self) -> Result<SavedLane, Error> {
        let waits = match self.state {
            State::Left => WaitsFor::Resume,
            State::Asking(..) => WaitsFor::Answer,
            State::Idle | State::Stale => {
                self.free()?;
                WaitsFor::Nothing
            }
        };
        let seats = self.seats.iter().map(|seat| -> Result<SavedSeat, Error> {
            let vcpu = &seat.blob.vcpu;
            Ok(SavedSeat {
                registers: vcpu.save()?,
                is_due: vcpu.slot().is_raised(),
                carried: match &seat.switch {
                    Switch::Userspace => 0,
                    Switch::Kernel(binding) => binding.saved_call()?,
                },
            })
        });
        Ok(SavedLane {
            waits,
            current: self.current,
            call: SavedCall::of(&self.record),
            seats: seats.collect::<Result<_, Error>>()?,
            catching: self.catching,
            begun: self.begun_in_progress().is_some(),
        })
    }

    /// Makes the lane, which is in no call, what another one was: that of the same CPU in a world that has been
    /// [restored](crate::World::restore) and has the guest's memory. The step is the one with which the
    /// other lane's call was left: its request again, [`Step::Interrupted`], or [`Step::Run`] without a call.
    /// With the kernel engine it is [`Step::Run`] in a call, too, which goes on by that, and asks again.
    ///
    /// # Errors
    /// [`Error::Snapshot`] if it was a lane of another world, [`Error::OutOfTurn`] in a call; KVM refuses.
    /// The lane has no call then.
    ///
    /// ```no_run
    /// use fakemon_host::{AsKvmFd, Error, Lane, SavedLane, SavedWorld, Step, Width, World};
    ///
    /// /// Makes the lane of CPU 0 go on where it was saved.
    /// fn go_on(world: &World, vcpu: &impl AsKvmFd, saved: &(SavedWorld, SavedLane)) -> Result<(Lane, Step), Error> {
    ///     world.restore(&saved.0)?;
    ///     let mut lane = world.lane(0, vcpu, Width::AArch64)?;
    ///     let step = lane.restore(&saved.1)?;
    ///     // Serve it as any other: a request is answered, and the guest runs when the call is over.
    ///     Ok((lane, step))
    /// }
    /// ```
    pub fn restore(&mut self, saved: &SavedLane) -> Result<Step, Error> {
        if self.in_call() {
            return Err(Error::OutOfTurn);
        }
        self.free()?;
        let begin_ns = match self.world.config.log {
            0 => 0,
            _ => monotonic_ns(),
        };
        let record = saved.call.record(begin_ns);
        let fits = saved.seats.len() == self.seats.len() && saved.current < self.seats.len();
        let Some(record) = record.filter(|_| fits) else {
            return Err(Error::Snapshot("it has other payloads"));
        };
        self.current = saved.current;
        self.record = record;
        let step = self.take_over(saved);
        if step.is_err() {
            self.start_all_over();
        }
        step
    }

    fn take_over(&mut self, saved: &SavedLane) -> Result<Step, Error> {
        for (n, (seat, saved_seat)) in self.seats.iter_mut().zip(&saved.seats).enumerate() {
            let vcpu = &seat.blob.vcpu;
            // It is parked, at a load that would move the PC.
            vcpu.complete_access();
            vcpu.restore(&saved_seat.registers)?;
            if saved_seat.is_due {
                vcpu.slot().raise();
            }
            match &seat.switch {
                Switch::Userspace if n != saved.current || saved.waits == WaitsFor::Nothing => {
                    seat.blob.park()?;
                }
                Switch::Userspace => {}
                Switch::Kernel(binding) => {
                    // KVM has not seen it begin.
                    vcpu.slot().count();
                    binding.restore_call(saved_seat.carried)?;
                }
            }
        }
        self.catching = saved.catching;
        let Seat { switch, blob } = &self.seats[saved.current];
        let slot = blob.vcpu.slot();
        if let Switch::Kernel(binding) = switch {
            let number = binding.call().filter(|_| saved.begun);
            self.begun = number.map(|number| (number, self.record));
        } else if saved.waits != WaitsFor::Nothing {
            slot.begin();
        }
        match (saved.waits, switch) {
            (WaitsFor::Resume, _) => {
                slot.set_paused(true);
                self.state = State::Left;
                Ok(Step::Interrupted)
            }
            (WaitsFor::Answer, Switch::Userspace) => self.ask_again(),
            // KVM has it go on.
            (WaitsFor::Answer, Switch::Kernel(_)) | (WaitsFor::Nothing, _) => Ok(Step::Run),
        }
    }

    /// Has the payload execute the instruction again by which it has asked.
    fn ask_again(&mut self) -> Result<Step, Error> {
        self.blob_mut().vcpu.come_here()?;
        let (mut signalled, mut kicked) = (false, false);
        let vcpu = &self.blob().vcpu;
        let event = loop {
            match self.blob().event(vcpu.run()) {
                // What is for the call waits until that goes on.
                Some(Event::Interrupted) if vcpu.slot().fired().is_none() => {
                    signalled |= vcpu.signal().take();
                    kicked |= vcpu.take_kick();
                }
                event => break event,
            }
        };
        if signalled {
            vcpu.signal().give_back();
        }
        if kicked {
            vcpu.slot().kick(Cause::Kick);
        }
        let step = match event {
            Some(event @ (Event::HostCall | Event::Load { .. } | Event::Store { .. })) => {
                self.serve_event(event)?
            }
            _ => None,
        };
        match step {
            Some(step @ Step::Ask(_)) => Ok(step),
            _ => Err(Error::Snapshot(
                "the payload does not ask again; restore the world and its memory first",
            )),
        }
    }

    /// Has no call in progress, whatever has come of the vCPUs.
    fn start_all_over(&mut self) {
        self.state = State::Idle;
        for n in 0..self.seats.len() {
            self.seats[n].blob.vcpu.slot().lower();
            if self.seats[n].start_over(&self.guest).is_err() {
                // The next call tries again.
                (self.state, self.current) = (State::Stale, n);
            }
        }
    }
}
