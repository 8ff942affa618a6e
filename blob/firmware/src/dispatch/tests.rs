// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The dispatcher finds the owner of a function, and nobody else answers.

use fakemon_abi::frame::REGS;
use proptest::prelude::*;

use super::*;
use crate::call::Trap;
use crate::context::Resume;
use crate::fake::FakePlatform;
use crate::function_id::{FunctionId, owner};
use crate::services::owner::OwnerQueries;
use fakemon_abi::Conduit;

/// Answers one function with a number of its own.
struct Fixed(FunctionId, u64);

impl Service for Fixed {
    fn owns(&self, id: FunctionId) -> bool {
        id == self.0
    }

    fn handle(&self, call: &mut Call<'_>) {
        call.set(0, self.1);
    }
}

struct Example;

const SIP32: FunctionId = FunctionId::fast32(owner::SIP, 7);
const SIP64: FunctionId = FunctionId::fast64(owner::SIP, 7);

impl Board for Example {
    const NEW: Self = Example;

    fn call(&self, call: &mut Call<'_>) {
        let queries = OwnerQueries {
            owner: owner::SIP,
            count: 2,
            uid: [1, 2, 3, 4],
            revision: (5, 6),
        };
        let (first, wide) = (Fixed(SIP32, 32), Fixed(SIP64, 64));
        smccc(&[&first, &wide, &Fixed(SIP32, 99), &queries], call);
    }
}

/// A board whose firmware has a meaning for `smc #1`.
struct Immediate;

impl Board for Immediate {
    const NEW: Self = Immediate;

    fn call(&self, call: &mut Call<'_>) {
        Example.call(call);
    }

    fn call_with_immediate(&self, call: &mut Call<'_>) {
        call.set(0, 1000 + u64::from(call.trap().immediate));
    }
}

fn smc(width: Width, id: u32) -> [u64; REGS] {
    FakePlatform::new(1).smc(&Example, width, &[u64::from(id), 11, 12, 13])
}

fn smc_with_immediate<B: Board>(immediate: u16) -> u64 {
    let trap = Trap {
        width: Width::AArch64,
        conduit: Conduit::Smc,
        immediate,
    };
    let mut regs = [0; REGS];
    regs[0] = u64::from(SIP32.0);
    let (mut resume, mut platform) = (Resume::default(), FakePlatform::new(1));
    dispatch(
        &B::NEW,
        &mut Call::new(&mut regs, trap, &mut resume, &mut platform),
    );
    regs[0]
}

#[test]
fn the_first_service_that_owns_a_function_answers() {
    assert_eq!(smc(Width::AArch64, SIP32.0)[..4], [32, 11, 12, 13]);
    assert_eq!(smc(Width::AArch64, SIP64.0)[0], 64);
    assert_eq!(smc(Width::AArch32, SIP32.0)[0], 32);
}

#[test]
fn the_sve_hint_changes_nothing() {
    assert_eq!(smc(Width::AArch64, SIP32.0 | 1 << 16)[0], 32);
}

#[test]
fn a_function_without_owner_is_not_supported() {
    assert_eq!(
        smc(Width::AArch64, 0x8200_0008)[..4],
        [u64::MAX, 11, 12, 13]
    );
    assert_eq!(
        smc(Width::AArch64, 0x0200_0007)[0],
        u64::MAX,
        "a yielding call is another one"
    );
    assert_eq!(smc(Width::AArch32, 0x8200_0008)[0], 0xffff_ffff);
}

#[test]
fn a_64_bit_function_is_out_of_an_aarch32_callers_reach() {
    assert_eq!(smc(Width::AArch32, SIP64.0)[0], 0xffff_ffff);
}

#[test]
fn an_owner_tells_of_itself() {
    assert_eq!(smc(Width::AArch64, 0x8200_ff00)[..4], [2, 11, 12, 13]);
    assert_eq!(smc(Width::AArch64, 0x8200_ff01)[..4], [1, 2, 3, 4]);
    assert_eq!(smc(Width::AArch64, 0x8200_ff03)[..4], [5, 6, 12, 13]);
    assert_eq!(smc(Width::AArch64, 0x8200_ff02)[0], u64::MAX, "reserved");
    assert_eq!(
        smc(Width::AArch64, 0xc200_ff01)[0],
        u64::MAX,
        "queries are 32-bit"
    );
    assert_eq!(
        smc(Width::AArch64, 0x8300_ff01)[0],
        u64::MAX,
        "another owner"
    );
}

#[test]
fn an_immediate_is_for_the_boards_hook() {
    assert_eq!(smc_with_immediate::<Example>(1), u64::MAX);
    assert_eq!(smc_with_immediate::<Immediate>(1), 1001);
    assert_eq!(smc_with_immediate::<Immediate>(0), 32);
}

proptest! {
    #[test]
    fn only_the_windows_results_change(regs in any::<[u64; REGS]>(), wide in any::<bool>()) {
        let width = if wide { Width::AArch64 } else { Width::AArch32 };
        let after = FakePlatform::new(4).smc(&Example, width, &regs);
        prop_assert_eq!(&after[4..], &regs[4..]);
    }
}
