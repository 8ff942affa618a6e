// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board msm8916: SCM in SMCCC's 32-bit registers.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::psci::{Psci, StateFormat};
use fakemon_firmware::services::qcom_scm::boot::{self, Boot};
use fakemon_firmware::services::qcom_scm::smc::{Convention, Smc};
use fakemon_firmware::services::qcom_scm::{Entry, io, qseecom};
use fakemon_firmware::{Board, Call, dispatch};

/// The board.
#[derive(Debug)]
pub struct Msm8916 {
    boot: Boot,
}

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// The register of download mode, which `board.toml` names as `qcom,dload-mode`.
const DOWNLOAD_MODE: u64 = 0x0193_d100;

/// QSEECOM's version, which Linux only shows.
const QSEECOM: u32 = 0x0080_3000;

const CALLS: &[Entry<Msm8916>] = &[
    boot::SDI_CONFIG.by(|board, _, args| board.boot.sdi_config(args)),
    io::READ.by(|_, platform, args| io::read(&[DOWNLOAD_MODE], platform, args)),
    io::WRITE.by(|_, platform, args| io::write(&[DOWNLOAD_MODE], platform, args)),
    qseecom::VERSION.by(|_, _, args| qseecom::version(QSEECOM, args)),
];

impl Board for Msm8916 {
    const NEW: Self = Msm8916 { boot: Boot::new() };

    fn call(&self, call: &mut Call<'_>) {
        let scm = Smc::new(self, CALLS, Convention::Smc32);
        dispatch::smccc(&[&PSCI, &scm], call);
    }
}

/// The device tree's idle states are in the extended format.
const PSCI: Psci = Psci::new().with_states(StateFormat::Extended);

#[cfg(test)]
mod tests;
