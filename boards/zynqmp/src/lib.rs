// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board zynqmp: PSCI, the SoC's identity, Xilinx' power management (EEMI)
//! and the doorbells of its IPI mailboxes.
//!
//! On silicon two firmwares share this work. TF-A takes the calls; what it does not know itself it
//! asks of the power management unit (PMU), a processor of its own. Here they are one, and what the
//! PMU would read from registers is state of this board.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::arm_arch::{ArmArch, SocId};
use fakemon_firmware::services::psci::{Psci, StateFormat};
use fakemon_firmware::{Board, Call, dispatch};

pub mod api;
pub mod clocks;
pub mod eemi;
mod ioctl;
pub mod ipi;
pub mod nodes;
pub mod pins;
mod query;
pub mod registers;
pub mod resets;

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The board.
#[derive(Debug)]
pub struct Zynqmp {
    eemi: eemi::Eemi,
    ipi: ipi::Ipi,
}

/// Xilinx' identification code, and silicon 0, which is no emulator; the revision is the whole JTAG
/// identity.
const SOC: SocId = SocId::new(0, 0x49, 0, eemi::IDCODE);

impl Board for Zynqmp {
    const NEW: Self = Zynqmp {
        eemi: eemi::Eemi::new(),
        ipi: ipi::Ipi::new(),
    };

    fn call(&self, call: &mut Call<'_>) {
        let arch = ArmArch::new().with_soc(SOC);
        dispatch::smccc(&[&PSCI, &arch, &self.eemi, &self.ipi], call);
    }
}

/// The device tree's idle states are in the extended format.
const PSCI: Psci = Psci::new().with_states(StateFormat::Extended);

#[cfg(test)]
mod tests;
