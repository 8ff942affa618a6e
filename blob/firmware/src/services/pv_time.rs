// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Paravirtualised time (Arm DEN 0057): how long each CPU wanted to run and could not.
//!
//! The time itself is the platform's to know. It keeps a structure for each CPU in guest memory; this
//! service tells where.

use crate::call::Call;
use crate::error::Error;
use crate::function_id::{FunctionId, functions};
use crate::service::Service;

/// The owner of standard hypervisor services (DEN 0028, table 6-1).
const STANDARD_HYPERVISOR: u8 = 5;
functions! {
    "PV_TIME_", fast64, STANDARD_HYPERVISOR;
    /// Whether a function is there.
    FEATURES = 0x20, Query;
    /// Where the stolen time of the calling CPU is.
    ST = 0x21, Action;
}

/// The PV time service.
#[derive(Clone, Copy, Debug)]
pub struct PvTime;

impl Service for PvTime {
    fn owns(&self, id: FunctionId) -> bool {
        // DEN 0057 reserves 32 numbers.
        id == FunctionId::fast64(STANDARD_HYPERVISOR, id.number())
            && (0x20..=0x3f).contains(&id.number())
    }

    fn handle(&self, call: &mut Call<'_>) {
        match call.id() {
            FEATURES => {
                let asked = FunctionId(call.arg(1) as u32);
                let there =
                    asked == FEATURES || asked == ST && call.platform().stolen_time().is_ok();
                call.answer(if there {
                    Ok(())
                } else {
                    Err(Error::NotSupported)
                });
            }
            ST => match call.platform().stolen_time() {
                Ok(address) => call.set(0, address),
                Err(_) => call.answer(Error::NotSupported),
            },
            _ => call.answer(Error::NotSupported),
        }
    }
}

#[cfg(test)]
mod tests {
    use fakemon_abi::frame::REGS;

    use super::*;
    use crate::call::Trap;
    use crate::context::Resume;
    use crate::fake::{Asked, FakePlatform};
    use fakemon_abi::{Conduit, Width};

    fn ask(platform: &mut FakePlatform, id: FunctionId, arg: u64) -> u64 {
        let mut regs = [0; REGS];
        (regs[0], regs[1]) = (u64::from(id.0), arg);
        let trap = Trap {
            width: Width::AArch64,
            conduit: Conduit::Smc,
            immediate: 0,
        };
        PvTime.handle(&mut Call::new(
            &mut regs,
            trap,
            &mut Resume::default(),
            platform,
        ));
        assert_eq!(regs[1], arg);
        regs[0]
    }

    #[test]
    fn the_hosts_structure_is_told() {
        let place = |asked| match asked {
            Asked::StolenTime => Ok([0x1_0900_0040, 0, 0, 0]),
            _ => Err(Error::NotSupported),
        };
        let mut platform = FakePlatform::new(2).answering(place);
        assert_eq!(ask(&mut platform, FEATURES, FEATURES.0.into()), 0);
        assert_eq!(ask(&mut platform, FEATURES, ST.0.into()), 0);
        assert_eq!(ask(&mut platform, FEATURES, 0xc500_0022), u64::MAX);
        assert_eq!(ask(&mut platform, ST, 0), 0x1_0900_0040);
    }

    #[test]
    fn a_host_that_keeps_none_is_not_supported() {
        let mut platform = FakePlatform::new(2).answering(|_| Err(Error::NotSupported));
        assert_eq!(ask(&mut platform, FEATURES, ST.0.into()), u64::MAX);
        assert_eq!(ask(&mut platform, ST, 0), u64::MAX);
        assert_eq!(ask(&mut platform, FunctionId(0xc500_003f), 0), u64::MAX);
        assert!(PvTime.owns(FunctionId(0xc500_003f)));
        assert!(!PvTime.owns(FunctionId(0xc500_0040)));
        assert!(!PvTime.owns(FunctionId(0x8500_0020)));
    }
}
