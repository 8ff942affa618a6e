// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A call, from the guest's exit to the moment when the guest can go on.
//!
//! A lane belongs to one vCPU of the guest. A call comes in as a [`Trap`]; the lane finds the payload
//! that claims it, enters it, and says as a [`Step`] what is next. It never calls back: what the
//! payload wants of the VMM comes out as a value, and the payload stands still until its answer.
//!
//! This is the hot path. With the userspace engine it makes two world switches and touches no register
//! that the call does not use: the caller's PC, PSTATE and the inputs of its function are read, the
//! outputs that changed are written back. Nothing is allocated, and no lock is shared with another
//! vCPU.
//!
//! With the kernel engine most calls never come here. KVM enters the blob when the guest executes its
//! SMC, finds the blob's return by the first instruction of the gate's vectors, and goes on with the
//! guest. When the monitor's vCPU leaves for user space on the way, KVM_RUN of the *guest's* vCPU ends
//! with KVM_EXIT_HYPERCALL, which the VMM brings here as it brings any call; why is in the monitor's
//! `kvm_run`.

use std::sync::Arc;

use fakemon_abi::note::Range;
use fakemon_abi::status;

use self::seat::{Seat, Switch};
use crate::error::Error;
use crate::fd::AsKvmFd;
use crate::guest::vcpu::Guest;
use crate::monitor::kick::KickHandle;
use crate::payload::blob::cpu::BlobCpu;
use crate::record::CallRecord;
use crate::regs;
use crate::request::{Reply, Request};
use crate::step::{Step, Trap};
use crate::width::Width;

mod end;
mod entry;
mod exits;
mod files;
mod host_call;
mod log;
pub(crate) mod saved;
mod seat;
mod shared;

pub(crate) use self::shared::Shared;

/// Where the call is that user space knows of.
#[derive(Debug)]
enum State {
    /// There is none.
    Idle,
    /// It was left by a signal or a kick.
    Left,
    /// The payload waits for an answer, to a host call or to an access of its own.
    Asking(Request, Place),
    /// It was given up after an error of the host's, and its payload has not started over yet.
    Stale,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    HostCall,
    Access,
}

/// The secure half of one of the guest's vCPUs: carries its calls to the payloads and back.
#[derive(Debug)]
pub struct Lane {
    guest: Guest,
    seats: Vec<Seat>,
    /// The seat that has the call, or had the last one.
    current: usize,
    state: State,
    record: CallRecord,
    /// The call on record is over and has not been handed out by `drain_log`.
    unread: bool,
    /// The return of the call that KVM carries comes to this library.
    catching: bool,
    /// What this library has had KVM begin last, which KVM does not count: the number that its calls had, and
    /// what is on record.
    begun: Option<(u64, CallRecord)>,
    /// How many resets of the payloads have reached their vCPUs here.
    resets: u64,
    cpu: u32,
    // Last, so that the monitor VMs outlive their vCPUs.
    world: Arc<Shared>,
}

impl Lane {
    pub(crate) fn new(
        world: &Arc<Shared>,
        cpu: u32,
        vcpu: &impl AsKvmFd,
        width: Width,
    ) -> Result<Self, Error> {
        let guest = Guest::new(vcpu, width)?;
        let mut seats = Vec::with_capacity(world.payloads.len());
        for payload in &world.payloads {
            if !payload.blob().serves(width) {
                return Err(Error::WrongCaller {
                    board: payload.blob().board().to_owned(),
                    width,
                });
            }
            let blob = BlobCpu::new(payload, cpu, &guest, &world.config)?;
            let switch = match payload.is_bound() {
                false => Switch::Userspace,
                true => Switch::Kernel(blob.bind(&guest, &world.config)?),
            };
            seats.push(Seat { switch, blob });
        }
        world.set_mpidr(cpu, guest.registers().get(regs::MPIDR_EL1)?);
        Ok(Lane {
            guest,
            seats,
            current: 0,
            state: State::Idle,
            record: CallRecord::NONE,
            unread: false,
            catching: false,
            begun: None,
            resets: world.resets(),
            cpu,
            world: world.clone(),
        })
    }

    /// Begins to serve a call of the guest's vCPU, which has just exited with KVM_EXIT_HYPERCALL.
    ///
    /// A call that no payload claims is answered NOT_SUPPORTED, which is what KVM does with it by
    /// itself.
    ///
    /// # Errors
    /// The payload failed and the policy is to stop, or the host could not carry the call out. Either
    /// way the call is over, as by [`abandon`](Self::abandon), and the lane takes the next one. After
    /// an error of the host's the guest's vCPU may have some of the outputs and not the others, so it
    /// cannot go on from there; and if the payload could not start over, the next call tries that
    /// first, and has the error again.
    pub fn trap(&mut self, trap: Trap) -> Result<Step, Error> {
        self.free()?;
        let step = self.enter(trap);
        self.settle(&step);
        step
    }

    fn enter(&mut self, trap: Trap) -> Result<Step, Error> {
        let trap = Trap {
            conduit: self.world.config.hvc.served_as(trap.conduit),
            ..trap
        };
        if let Some(seat) = self.bound_in_call() {
            return self.exit_of_monitor(seat, trap);
        }
        if trap.of_monitor {
            // Only the log was full.
            return Ok(Step::Run);
        }
        let Some((seat, range)) = self.route(trap) else {
            self.guest.answer_not_supported()?;
            return Ok(Step::Run);
        };
        self.current = seat;
        self.read_caller(trap, range)?;
        let blob = &self.seats[seat].blob;
        blob.load(&self.record, self.guest.width());
        self.begin()
    }

    /// Enters the current payload with what has been loaded.
    #[inline(always)]
    fn begin(&mut self) -> Result<Step, Error> {
        let Seat { switch, blob } = &self.seats[self.current];
        match switch {
            Switch::Userspace => {
                blob.vcpu.slot().begin();
                blob.payload.make_fit(self.cpu);
                self.run()
            }
            // An entry, or a call of a VMM whose own filter forwards what KVM would send to the monitor.
            Switch::Kernel(binding) => {
                blob.begin_in_kvm(binding, &self.record)?;
                self.begun = binding.call().map(|number| (number, self.record));
                if !self.record.is_entry {
                    // KVM's log would tell of its end and of nothing else, so that comes here.
                    self.catching = true;
                    blob.catch_return()?;
                }
                Ok(Step::Run)
            }
        }
    }

    /// Answers what the payload has [asked](Step::Ask), and goes on with its call.
    ///
    /// # Errors
    /// As for [`trap`](Self::trap); [`Error::OutOfTurn`] if it has not asked.
    pub fn answer(&mut self, reply: Reply) -> Result<Step, Error> {
        let step = self.take_answer(reply);
        self.settle(&step);
        step
    }

    fn take_answer(&mut self, reply: Reply) -> Result<Step, Error> {
        let (request, place) = match std::mem::replace(&mut self.state, State::Idle) {
            State::Asking(request, place) => (request, place),
            other => {
                self.state = other;
                return Err(Error::OutOfTurn);
            }
        };
        if matches!(request, Request::Power(_)) && reply.status == status::SUCCESS {
            self.start_over()?;
            self.end(false)?;
            // Entries that this CPU has not had are not made up for.
            for seat in &self.seats {
                seat.blob.vcpu.slot().lower();
            }
            return Ok(Step::Left);
        }
        match place {
            Place::HostCall => self.finish_host_call(reply),
            Place::Access if matches!(request, Request::Read { .. }) => {
                self.blob().vcpu.finish_load(reply.values[0]);
            }
            Place::Access => {}
        }
        self.go_on()
    }

    /// Goes on with a call that was left by a signal or a kick ([`Step::Interrupted`]).
    ///
    /// # Errors
    /// As for [`trap`](Self::trap); [`Error::OutOfTurn`] if no call was left so.
    pub fn resume(&mut self) -> Result<Step, Error> {
        match self.state {
            State::Left => {
                self.state = State::Idle;
                let step = self.go_on();
                self.settle(&step);
                step
            }
            // KVM has been left by a signal before it looked at the monitor.
            State::Idle if self.bound_in_call().is_some() => Ok(Step::Run),
            _ => Err(Error::OutOfTurn),
        }
    }

    /// What the payload has asked and not been answered yet, as [`Step::Ask`] has said it.
    pub fn request(&self) -> Option<&Request> {
        match &self.state {
            State::Asking(request, _) => Some(request),
            _ => None,
        }
    }

    /// Tells whether a call is in progress: one that was left, one that waits for an answer, or, with
    /// the kernel engine, one that goes on by nothing more than KVM_RUN of the guest's vCPU.
    pub fn in_call(&self) -> bool {
        !matches!(self.state, State::Idle | State::Stale) || self.bound_in_call().is_some()
    }

    /// Ends a call in progress, of which the guest has seen nothing yet, as if it had never been
    /// begun: for a VMM that resets the guest's vCPU. After [`World::reset`](crate::World::reset) it makes
    /// the payloads' vCPUs anew, too. Otherwise, without a call, this does nothing.
    ///
    /// # Errors
    /// The host could not make the monitor's vCPU anew. The call is over even so, and the next one
    /// tries that again.
    pub fn abandon(&mut self) -> Result<(), Error> {
        if let Some(seat) = self.bound_in_call() {
            self.current = seat;
        } else if matches!(self.state, State::Idle) {
            return self.follow_reset();
        }
        self.start_over()?;
        self.follow_reset()
    }

    /// A handle with which any thread can make a call end in [`Step::Interrupted`].
    pub fn kick_handle(&self) -> KickHandle {
        let slots = self.seats.iter().map(|seat| seat.blob.vcpu.slot());
        KickHandle::new(slots.cloned().collect())
    }

    fn blob(&self) -> &BlobCpu {
        &self.seats[self.current].blob
    }

    fn blob_mut(&mut self) -> &mut BlobCpu {
        &mut self.seats[self.current].blob
    }

    /// The seat of which KVM has a call in progress.
    fn bound_in_call(&self) -> Option<usize> {
        self.seats.iter().position(Seat::is_in_kvm)
    }

    /// Who serves a call, and the range in which he claims it.
    fn route(&self, trap: Trap) -> Option<(usize, Range)> {
        self.seats.iter().enumerate().find_map(|(n, seat)| {
            let range = seat.claim(trap)?;
            Some((n, range))
        })
    }

    /// Goes on with the current call.
    fn go_on(&mut self) -> Result<Step, Error> {
        let seat = &self.seats[self.current];
        seat.blob.vcpu.slot().set_paused(false);
        match seat.switch {
            Switch::Userspace => self.run(),
            Switch::Kernel(_) => Ok(Step::Run),
        }
    }
}
