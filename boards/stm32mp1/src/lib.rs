// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The secure firmware of board stm32mp1: the silicon partner's services, the SoC's identity, and
//! PSCI.
//!
//! A service is a function; what it shall do is in r1. Status codes are the same for all of them.

#![cfg_attr(not(test), no_std)]

pub mod bsec;
pub mod rcc;

use fakemon_firmware::services::arm_arch::{ArmArch, SocId};
use fakemon_firmware::services::psci::Psci;
use fakemon_firmware::{Board, Call, Error, FunctionId, Service, dispatch};

use bsec::Bsec;
use function::{STM32_SMC_BSEC, STM32_SMC_RCC};
use rcc::Rcc;

include!(concat!(env!("OUT_DIR"), "/functions.rs"));

/// ST's identification code, and what DBGMCU_IDC says of an STM32MP15 of revision B.
const SOC: SocId = SocId::new(0, 0x20, 0x500, 0x2000);

/// Status codes of the silicon partner's services.
pub mod status {
    /// STM32_SMC_OK.
    pub const OK: i32 = 0;
    /// STM32_SMC_FAILED.
    pub const FAILED: i32 = -2;
    /// STM32_SMC_INVALID_PARAMS.
    pub const INVALID_PARAMS: i32 = -3;
}

/// The board.
#[derive(Debug)]
pub struct Stm32Mp1(SiliconPartner);

#[derive(Debug)]
struct SiliconPartner {
    rcc: Rcc,
    bsec: Bsec,
}

impl Service for SiliconPartner {
    fn owns(&self, id: FunctionId) -> bool {
        [STM32_SMC_RCC, STM32_SMC_BSEC].contains(&id)
    }

    fn handle(&self, call: &mut Call<'_>) {
        let [request, place, value] = [1, 2, 3].map(|n| call.arg(n) as u32);
        match call.id() {
            STM32_SMC_RCC => {
                let code = self.rcc.serve(call.platform(), request, place, value);
                call.answer(code);
            }
            STM32_SMC_BSEC => {
                let (code, read) = self.bsec.serve(request, place, value);
                call.answer(code);
                if let Some(read) = read {
                    call.set(1, read.into());
                }
            }
            _ => call.answer(Error::NotSupported),
        }
    }
}

impl Board for Stm32Mp1 {
    const NEW: Self = Stm32Mp1(SiliconPartner {
        rcc: Rcc::new(),
        bsec: Bsec::new(),
    });

    fn call(&self, call: &mut Call<'_>) {
        let arch = ArmArch::new().with_soc(SOC);
        dispatch::smccc(&[&self.0, &arch, &Psci::new()], call);
    }
}

#[cfg(test)]
mod tests;
