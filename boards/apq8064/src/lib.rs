// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board apq8064: SCM in its oldest form, commands in guest memory and
//! atomic calls.

#![cfg_attr(not(test), no_std)]

use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::services::qcom_scm::boot::{self, Boot};
use fakemon_firmware::services::qcom_scm::legacy::Legacy;
use fakemon_firmware::services::qcom_scm::{Entry, qseecom};
use fakemon_firmware::{Board, Call, dispatch};

/// The board.
#[derive(Debug)]
pub struct Apq8064 {
    boot: Boot,
}

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// QSEECOM's version, which Linux only shows.
const QSEECOM: u32 = 0x0040_0000;

const CALLS: &[Entry<Apq8064>] = &[
    boot::SDI_CONFIG.by(|board, _, args| board.boot.sdi_config(args)),
    boot::SET_DLOAD_MODE.by(|board, _, args| board.boot.set_dload_mode(args)),
    qseecom::VERSION.by(|_, _, args| qseecom::version(QSEECOM, args)),
];

impl Board for Apq8064 {
    const NEW: Self = Apq8064 { boot: Boot::new() };

    fn call(&self, call: &mut Call<'_>) {
        dispatch::smccc(&[&Psci::new(), &Legacy::new(self, CALLS)], call);
    }
}

#[cfg(test)]
mod tests;
