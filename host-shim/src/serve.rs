// SPDX-License-Identifier: Apache-2.0 OR MIT
//! For a VMM that serves a payload's requests on the spot: a trait with a function for each, and the
//! loop that calls them.
//!
//! This is built on [`Lane`]'s values, like any VMM is that answers them by itself.

mod sources;

use fakemon_abi::status::{INTERNAL_FAILURE, NOT_SUPPORTED, SUCCESS};

use crate::entropy::entropy;
use crate::error::Error;
use crate::fault::BlobFault;
use crate::lane::Lane;
use crate::request::{PowerEvent, Reply, Request};
use crate::step::{Step, Trap};

/// The VMM, as the payload sees it from one vCPU's thread.
pub trait Host {
    /// Shows bytes that the payload writes to its console, 256 at most.
    fn console(&mut self, text: &[u8]);

    /// Starts the CPU with this MPIDR at guest physical address `entry`, with `context` in x0 or
    /// r0. Returns a `fakemon_abi::status` code, as PSCI CPU_ON does.
    fn cpu_on(&mut self, mpidr: u64, entry: u64, context: u64) -> i32;

    /// Returns 0 (on), 1 (off) or 2 (start pending) for the CPUs that `mpidr` names at this
    /// affinity level, or a negative status code, as PSCI AFFINITY_INFO does.
    fn cpu_affinity(&mut self, mpidr: u64, level: u64) -> i32;

    /// Reads 1, 2, 4 or 8 bytes of a device, as a secure access.
    fn mmio_read(&mut self, address: u64, data: &mut [u8]);

    /// Writes 1, 2, 4 or 8 bytes of a device, as a secure access.
    fn mmio_write(&mut self, address: u64, data: &[u8]);

    /// Takes an event for the VMM's trace.
    fn event(&mut self, code: u64, args: [u64; 3]);

    /// Hears of a blob fault after which the guest goes on
    /// ([`OnFault::NotSupported`](crate::OnFault::NotSupported)).
    fn fault(&mut self, fault: &BlobFault);

    /// Resets the guest unless this is called again within `ns` nanoseconds; 0 stops the timer.
    /// Returns a `fakemon_abi::status` code: NOT_SUPPORTED from a VMM that has no such timer.
    fn watchdog(&mut self, ns: u64) -> i32 {
        let _ = ns;
        NOT_SUPPORTED
    }

    /// Has the payload entered without a call on another CPU, as [`Request::Interrupt`] says. Returns a
    /// `fakemon_abi::status` code: NOT_SUPPORTED from a VMM that does not [deliver](Lane::serve_due)
    /// such entries.
    fn interrupt(&mut self, cpu: u32, payload: usize) -> i32 {
        let _ = (cpu, payload);
        NOT_SUPPORTED
    }

    /// Has the payload entered without a call on this CPU at this time, as [`Request::Timer`] says.
    /// Returns a status code as [`interrupt`](Self::interrupt) does.
    fn timer(&mut self, deadline: u64, payload: usize) -> i32 {
        let _ = (deadline, payload);
        NOT_SUPPORTED
    }

    /// Returns the guest physical address of this CPU's stolen time structure (Arm DEN 0057), if
    /// the VMM has told KVM to keep one (KVM_ARM_VCPU_PVTIME_IPA).
    fn stolen_time(&mut self) -> Option<u64> {
        None
    }

    /// Nanoseconds of monotonic time, and since 1970.
    fn time(&mut self) -> (u64, u64) {
        sources::time()
    }

    /// Fills `words` with random bits; false if there are none.
    fn entropy(&mut self, words: &mut [u64]) -> bool {
        entropy(words)
    }
}

/// What the VMM does next with the guest's vCPU, when all requests have been served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the guest's vCPU is to go on in this way"]
#[non_exhaustive]
pub enum Served {
    /// Run the guest's vCPU.
    Run,
    /// A signal or a kick came: do what it was for, then [`Lane::serve_on`].
    Interrupted,
    /// Wait until an interrupt is pending for the guest's vCPU, then [`Lane::serve_on`].
    WaitForInterrupt,
    /// The call is over without a return, and this is how the vCPU goes on.
    Power(PowerEvent),
}

impl Lane {
    /// Serves a call of the guest's vCPU, which has just exited with KVM_EXIT_HYPERCALL, with `host`
    /// to answer what the payload asks.
    ///
    /// ```no_run
    /// use fakemon_host::{Host, Lane, Served, Trap};
    /// use kvm_ioctls::{VcpuExit, VcpuFd};
    ///
    /// # fn example(vcpu: &mut VcpuFd, lane: &mut Lane, host: &mut dyn Host)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// while let VcpuExit::Hypercall(call) = vcpu.run()? {
    ///     // `longmode` is where this crate shows the low half of the arm64 exit's flags.
    ///     let trap = Trap::from_exit(call.nr, call.longmode.into());
    ///     assert_eq!(lane.serve(trap, host)?, Served::Run);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`Lane::trap`].
    pub fn serve(&mut self, trap: Trap, host: &mut dyn Host) -> Result<Served, Error> {
        match self.trap(trap)? {
            // As most calls end: nothing is asked.
            Step::Run => Ok(Served::Run),
            step => self.serve_from(step, host),
        }
    }

    /// Goes on with a call that ended in [`Served::Interrupted`] or [`Served::WaitForInterrupt`].
    ///
    /// # Errors
    /// As for [`Lane::resume`].
    pub fn serve_on(&mut self, host: &mut dyn Host) -> Result<Served, Error> {
        let step = match self.request() {
            Some(Request::WaitForInterrupt) => self.answer(Reply::ok())?,
            _ => self.resume()?,
        };
        self.serve_from(step, host)
    }

    /// Enters a payload that [is due](Self::is_due).
    ///
    /// # Errors
    /// As for [`Lane::deliver`].
    pub fn serve_due(&mut self, host: &mut dyn Host) -> Result<Served, Error> {
        let step = self.deliver()?;
        self.serve_from(step, host)
    }

    /// Answers what the payload asks until there is something else to do.
    pub(crate) fn serve_from(
        &mut self,
        mut step: Step,
        host: &mut dyn Host,
    ) -> Result<Served, Error> {
        loop {
            let request = match step {
                Step::Run | Step::Left => return Ok(Served::Run),
                Step::Interrupted => return Ok(Served::Interrupted),
                Step::Fault(fault) => {
                    host.fault(&fault);
                    return Ok(Served::Run);
                }
                Step::Ask(Request::WaitForInterrupt) => return Ok(Served::WaitForInterrupt),
                Step::Ask(request) => request,
            };
            step = self.answer(reply(&request, host))?;
            if let (Request::Power(event), Step::Left) = (&request, &step) {
                return Ok(Served::Power(*event));
            }
        }
    }
}

/// Has `host` do what is asked for.
fn reply(request: &Request, host: &mut dyn Host) -> Reply {
    match *request {
        Request::Console(ref text) => {
            host.console(text);
            Reply::ok()
        }
        Request::CpuOn {
            mpidr,
            entry,
            context,
        } => Reply::status(host.cpu_on(mpidr, entry, context)),
        Request::CpuAffinity { mpidr, level } => {
            let answer = host.cpu_affinity(mpidr, level);
            u64::try_from(answer).map_or(Reply::status(answer), Reply::value)
        }
        Request::Read { address, size } => {
            let mut bytes = [0; 8];
            host.mmio_read(address, &mut bytes[..size]);
            Reply::value(u64::from_le_bytes(bytes))
        }
        Request::Write {
            address,
            size,
            value,
        } => {
            host.mmio_write(address, &value.to_le_bytes()[..size]);
            Reply::ok()
        }
        Request::Time => {
            let (monotonic, real) = host.time();
            Reply::values([monotonic, real, 0, 0])
        }
        Request::Entropy { words } => {
            let mut values = [0; 4];
            match host.entropy(&mut values[..words]) {
                true => Reply::values(values),
                false => Reply::status(INTERNAL_FAILURE),
            }
        }
        Request::Event { code, args } => {
            host.event(code, args);
            Reply::ok()
        }
        Request::Watchdog { ns } => Reply::status(host.watchdog(ns)),
        Request::Interrupt { cpu, payload } => Reply::status(host.interrupt(cpu, payload)),
        Request::Timer { deadline, payload } => Reply::status(host.timer(deadline, payload)),
        Request::StolenTime => host
            .stolen_time()
            .map_or(Reply::not_supported(), Reply::value),
        Request::Power(_) | Request::WaitForInterrupt => Reply::status(SUCCESS),
    }
}
