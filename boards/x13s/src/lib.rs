// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board x13s: SCM in SMCCC's 64-bit registers, and below it QSEECOM with
//! the application that keeps UEFI's variables.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::psci::{Psci, StateFormat};
use fakemon_firmware::services::qcom_scm::assign::{self, Assignments};
use fakemon_firmware::services::qcom_scm::boot::{self, Boot};
use fakemon_firmware::services::qcom_scm::smc::{Convention, Smc};
use fakemon_firmware::services::qcom_scm::uefi::Uefi;
use fakemon_firmware::services::qcom_scm::{Entry, io, qseecom};
use fakemon_firmware::{Board, Call, dispatch};

/// The board.
#[derive(Debug)]
pub struct X13s {
    boot: Boot,
    assignments: Assignments,
    variables: Uefi,
}

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The register of download mode, which `board.toml` names as `qcom,dload-mode`.
const DOWNLOAD_MODE: u64 = 0x01fd_3000;

/// QSEECOM's version, which Linux only shows.
const QSEECOM: u32 = 0x0140_2000;

const CALLS: &[Entry<X13s>] = &[
    boot::SDI_CONFIG.by(|board, _, args| board.boot.sdi_config(args)),
    io::READ.by(|_, platform, args| io::read(&[DOWNLOAD_MODE], platform, args)),
    io::WRITE.by(|_, platform, args| io::write(&[DOWNLOAD_MODE], platform, args)),
    assign::ASSIGN.by(|board, platform, args| board.assignments.assign(platform, args)),
    qseecom::VERSION.by(|_, _, args| qseecom::version(QSEECOM, args)),
    qseecom::APP_LOOKUP.by(|_, platform, args| qseecom::app_lookup::<Uefi>(platform, args)),
    qseecom::APP_SEND
        .by(|board, platform, args| qseecom::app_send(&board.variables, platform, args)),
];

impl Board for X13s {
    const NEW: Self = X13s {
        boot: Boot::new(),
        assignments: Assignments::new(),
        variables: Uefi::new(),
    };

    fn call(&self, call: &mut Call<'_>) {
        let scm = Smc::new(self, CALLS, Convention::Smc64);
        dispatch::smccc(&[&PSCI, &scm], call);
    }
}

/// The device tree's idle states are in the extended format.
const PSCI: Psci = Psci::new().with_states(StateFormat::Extended);

#[cfg(test)]
mod tests;
