// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nodes: devices and memories that the PMU powers while somebody needs them.
//!
//! The boot loader leaves all of them on. Once the caller says that it knows what it needs, those
//! that it has not requested go off. Numbers from Linux'
//! include/dt-bindings/power/xlnx-zynqmp-power.h and TF-A's pm_node.h; rules from PMU firmware's
//! pm_core.c.

use fakemon_firmware::Lock;

use crate::api::{DONE, Reply, Status};

/// Nodes have numbers below this.
const NODES: usize = 62;
/// Memory, which the caller runs from and never gives back.
const DDR: u32 = 55;

/// What can be required: access, context kept, wake-up.
const CAPABILITIES: u32 = 0b111;
const ACCESS: u8 = 0b001;

const NO_ACK: u32 = 1;
const BLOCKING_ACK: u32 = 2;
const CALLBACK_ACK: u32 = 3;

/// GET_NODE_STATUS, usage: the caller has the node.
const USED_BY_CALLER: u32 = 1;

#[derive(Clone, Copy, Debug)]
struct State {
    /// What the caller requires of each node that it has requested.
    required: [Option<u8>; NODES],
    finalized: bool,
}

/// The nodes.
#[derive(Debug)]
pub struct Nodes(Lock<State>);

impl Nodes {
    /// As the boot loader leaves them.
    pub const fn new() -> Self {
        let mut required = [None; NODES];
        required[DDR as usize] = Some(ACCESS);
        Nodes(Lock::new(State {
            required,
            finalized: false,
        }))
    }

    /// GET_NODE_STATUS(node): power, requirement, usage.
    pub fn status(&self, node: u32) -> Reply {
        let at = place(node)?;
        let state = self.0.get();
        Ok(match state.required[at] {
            Some(needs) => [u32::from(needs != 0), u32::from(needs), USED_BY_CALLER],
            None => [u32::from(!state.finalized), 0, 0],
        })
    }

    /// REQUEST_NODE(node, capabilities, acknowledge).
    pub fn request(&self, node: u32, capabilities: u32, ack: u32) -> Reply {
        let work = || {
            let at = place(node)?;
            let needs = valid(capabilities, ack)?;
            self.0.with(|state| match &mut state.required[at] {
                Some(_) => Err(Status::DOUBLE_REQUEST),
                free => {
                    *free = Some(needs);
                    DONE
                }
            })
        };
        acknowledged(ack, work())
    }

    /// RELEASE_NODE(node).
    pub fn release(&self, node: u32) -> Reply {
        let at = place(node)?;
        if node == DDR {
            return Err(Status::NO_ACCESS);
        }
        // The PMU says FAILURE, which has the number of ARGS.
        let held = self.0.with(|state| state.required[at].take());
        held.map_or(Err(Status::ARGS), |_| DONE)
    }

    /// SET_REQUIREMENT(node, capabilities, acknowledge).
    pub fn require(&self, node: u32, capabilities: u32, ack: u32) -> Reply {
        let work = || {
            let at = place(node)?;
            let needs = valid(capabilities, ack)?;
            if node == DDR {
                return Err(Status::NO_ACCESS);
            }
            self.0.with(|state| match &mut state.required[at] {
                Some(held) => {
                    *held = needs;
                    DONE
                }
                None => Err(Status::NO_ACCESS),
            })
        };
        acknowledged(ack, work())
    }

    /// INIT_FINALIZE.
    pub fn finalize(&self) -> Reply {
        self.0.with(|state| state.finalized = true);
        DONE
    }
}

impl Default for Nodes {
    fn default() -> Self {
        Nodes::new()
    }
}

/// Who wants no acknowledgement, or wants it by a callback, hears nothing of an error.
fn acknowledged(ack: u32, reply: Reply) -> Reply {
    match ack {
        NO_ACK | CALLBACK_ACK => DONE,
        _ => reply,
    }
}

fn valid(capabilities: u32, ack: u32) -> Result<u8, Status> {
    match ack {
        NO_ACK | BLOCKING_ACK | CALLBACK_ACK => {}
        _ => return Err(Status::INVALID_PARAM),
    }
    if capabilities & !CAPABILITIES != 0 {
        return Err(Status::NO_FEATURE);
    }
    Ok(capabilities as u8)
}

/// Memories 11 to 19, devices 20 to 48, DDR, and GPU to RTC; PLLs are the clock functions'.
fn place(node: u32) -> Result<usize, Status> {
    match node {
        11..=48 | DDR | 58..=61 => Ok(node as usize),
        _ => Err(Status::INVALID_PARAM),
    }
}
