// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Doorbells between processors: the SMCs of the IPI mailboxes.
//!
//! A message lies in a buffer that both ends reach by themselves; the calls only ring and look. An
//! agent that has rung sees the ring as pending until the other end acknowledges it, which is the
//! same bit seen from two sides. Agents from TF-A's plat/xilinx/zynqmp/zynqmp_ipi.c.

use fakemon_firmware::{Call, Code, Error, FunctionId, Lock, Service, owner};

use crate::function;

const OPEN: u16 = function::IPI_OPEN.number();
const RELEASE: u16 = function::IPI_RELEASE.number();
const STATUS: u16 = function::IPI_STATUS.number();
const NOTIFY: u16 = function::IPI_NOTIFY.number();
const ACKNOWLEDGE: u16 = function::IPI_ACK.number();
const ENABLE_INTERRUPT: u16 = function::IPI_ENABLE_IRQ.number();
const DISABLE_INTERRUPT: u16 = function::IPI_DISABLE_IRQ.number();
const FUNCTIONS: core::ops::RangeInclusive<u16> = 0x1000..=0x100f;

/// APU, RPU0, RPU1, PMU0 to PMU3, PL0 to PL3.
const AGENTS: usize = 11;
/// The PMU's agents: PMU0, PMU2 and PMU3 are for secure callers alone.
const SECURE: [usize; 3] = [3, 5, 6];
/// The PMU's agent for everybody.
const PMU1: usize = 4;

const SEND_PENDING: i32 = 1;
const RECEIVE_PENDING: i32 = 2;

const EPERM: i32 = -1;
const EINVAL: i32 = -22;

/// The doorbells: for each agent, whom it has rung.
#[derive(Debug)]
pub struct Ipi(Lock<[u16; AGENTS]>);

impl Ipi {
    /// Nobody has rung.
    pub const fn new() -> Self {
        Ipi(Lock::new([0; AGENTS]))
    }

    fn serve(&self, function: u16, local: usize, remote: usize) -> i32 {
        let bit = |agent: usize| 1 << agent;
        self.0.with(|rung| {
            match function {
                // What came in before is forgotten.
                OPEN | ACKNOWLEDGE => rung[remote] &= !bit(local),
                STATUS => {
                    let sent = rung[local] & bit(remote) != 0;
                    let received = rung[remote] & bit(local) != 0;
                    return i32::from(sent) * SEND_PENDING + i32::from(received) * RECEIVE_PENDING;
                }
                // The PMU takes note at once. Nobody else is there to do so: the real-time
                // processors are in reset and the programmable logic is empty.
                NOTIFY if remote != PMU1 => rung[local] |= bit(remote),
                NOTIFY => {}
                // The mask decides on interrupts alone, and none comes: the PMU never rings, as
                // the only thing it would report is a request to suspend or shut down.
                RELEASE | ENABLE_INTERRUPT | DISABLE_INTERRUPT => {}
                _ => return Error::NotSupported.code(),
            }
            0
        })
    }
}

impl Default for Ipi {
    fn default() -> Self {
        Ipi::new()
    }
}

impl Service for Ipi {
    fn owns(&self, id: FunctionId) -> bool {
        id == FunctionId::fast32(owner::SIP, id.number()) && FUNCTIONS.contains(&id.number())
    }

    fn handle(&self, call: &mut Call<'_>) {
        let (local, remote) = (call.arg(1) as usize, call.arg(2) as usize);
        let code = if local >= AGENTS || remote >= AGENTS {
            EINVAL
        } else if SECURE.contains(&local) || SECURE.contains(&remote) {
            EPERM
        } else {
            self.serve(call.id().number(), local, remote)
        };
        call.answer(code);
    }
}
