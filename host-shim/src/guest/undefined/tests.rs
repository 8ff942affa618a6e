// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the exception against the rules of the Arm ARM, bit by bit.

use proptest::prelude::*;

use super::{After32, After64, Before, aarch32, aarch64};

/// EL1h with interrupts on, as Linux calls its firmware; SCTLR_EL1 as Linux sets it with PAN.
const LINUX64: Before = Before {
    pc_after: 0xffff_8000_1001_2344,
    pstate: 0x6040_0005,
    vbar: 0xffff_8000_1001_0800,
    sctlr: 0x3474_d91d,
};

/// SVC mode with I masked; SCTLR as Linux sets it, with high vectors and with SPAN and DSSBS clear.
const LINUX32: Before = Before {
    pc_after: 0xc010_1238,
    pstate: 0x6000_0093,
    vbar: 0xdead_0000,
    sctlr: 0x10c5_387d,
};

#[test]
fn a_64_bit_kernel() {
    let after = aarch64(&LINUX64);
    assert_eq!(
        after,
        After64 {
            pc: 0xffff_8000_1001_0a00,
            // ZC and PAN kept, TCO set; DAIF masked, EL1h.
            pstate: 0x6240_03c5,
            elr_el1: 0xffff_8000_1001_2340,
            spsr_el1: 0x6040_0005,
            esr_el1: 0x0200_0000,
        }
    );
}

#[test]
fn a_32_bit_kernel() {
    let after = aarch32(&LINUX32);
    assert_eq!(
        after,
        After32 {
            pc: 0xffff_0004,
            cpsr: 0x6000_009b,
            spsr_und: 0x6000_0093,
            lr_und: 0xc010_1238
        }
    );
}

#[test]
fn vectors_of_a_64_bit_guest() {
    for (mode, offset) in [
        (0b0_0100, 0x0),
        (0b0_0101, 0x200),
        (0b0_0000, 0x400),
        (0b1_0000, 0x600),
    ] {
        // The low bits of VBAR_EL1 are RES0.
        let after = aarch64(&Before {
            pstate: mode,
            vbar: 0x8fff,
            ..LINUX64
        });
        assert_eq!(after.pc, 0x8800 + offset, "mode {mode:#b}");
        assert_eq!(after.pstate & 0x1f, 0b0_0101, "mode {mode:#b}");
    }
}

#[test]
fn vectors_of_a_32_bit_guest() {
    const V: u64 = 1 << 13;
    let low = Before {
        sctlr: LINUX32.sctlr & !V,
        vbar: 0x8000_10ff,
        ..LINUX32
    };
    assert_eq!(aarch32(&low).pc, 0x8000_10e4);
    assert_eq!(
        aarch32(&Before {
            sctlr: low.sctlr | V,
            ..low
        })
        .pc,
        0xffff_0004
    );
}

#[test]
fn return_addresses_of_a_32_bit_guest() {
    const T: u64 = 1 << 5;
    let arm = aarch32(&LINUX32);
    let thumb = aarch32(&Before {
        pstate: LINUX32.pstate | T,
        ..LINUX32
    });
    // The instruction is at pc_after - 4: plus 4 in A32, plus 2 in T32.
    assert_eq!(arm.lr_und, 0xc010_1238);
    assert_eq!(thumb.lr_und, 0xc010_1236);
    assert_eq!(thumb.spsr_und, 0x6000_00b3);
    // The handler's instruction set is SCTLR's choice, not the caller's.
    assert_eq!(thumb.cpsr, arm.cpsr);
}

/// Asserts that exactly `result` changes when `bit` of SCTLR goes from 0 to 1.
fn sctlr_bit(bit: u32, pstate: u64, width64: bool, clear: u64, set: u64) {
    let run = |sctlr| {
        let before = Before {
            sctlr,
            pstate,
            vbar: 0,
            pc_after: 0,
        };
        if width64 {
            aarch64(&before).pstate
        } else {
            u64::from(aarch32(&before).cpsr)
        }
    };
    let others = !(1 << bit);
    assert_eq!(run(0) ^ run(1 << bit), clear ^ set, "bit {bit} alone");
    assert_eq!(
        run(others) ^ run(u64::MAX),
        clear ^ set,
        "bit {bit} with the others"
    );
}

#[test]
fn sctlr_decides_over_pan_ssbs_endianness_and_instruction_set() {
    const PAN: u64 = 1 << 22;
    // SPAN clear sets PAN; SPAN set leaves it.
    sctlr_bit(23, 0b0_0101, true, PAN, 0);
    sctlr_bit(23, 0b0_0101 | PAN, true, PAN, PAN);
    sctlr_bit(23, 0b1_0011, false, PAN, 0);
    sctlr_bit(23, 0b1_0011 | PAN, false, PAN, PAN);
    // DSSBS.
    sctlr_bit(44, 0b0_0101, true, 0, 1 << 12);
    sctlr_bit(31, 0b1_0011, false, 0, 1 << 23);
    // EE and TE of AArch32.
    sctlr_bit(25, 0b1_0011, false, 0, 1 << 9);
    sctlr_bit(30, 0b1_0011, false, 0, 1 << 5);
    // None of these in AArch64.
    sctlr_bit(25, 0b0_0101, true, 0, 0);
    sctlr_bit(30, 0b0_0101, true, 0, 0);
    sctlr_bit(31, 0b0_0101, true, 0, 0);
}

#[test]
fn dit_moves_in_a_32_bit_spsr() {
    const SS: u64 = 1 << 21;
    const DIT: u64 = 1 << 24;
    let run = |bits| {
        aarch32(&Before {
            pstate: LINUX32.pstate | bits,
            ..LINUX32
        })
    };
    assert_eq!(run(DIT).spsr_und, 0x6000_0093 | 1 << 21);
    assert_eq!(run(SS).spsr_und, 0x6000_0093);
    // KVM takes CPSR in the layout of SPSR_EL2.
    assert_eq!(run(DIT | SS).cpsr & (1 << 24 | 1 << 21), 1 << 24);
}

#[test]
fn addresses_wrap() {
    let before = Before {
        pc_after: 2,
        pstate: 1 << 5,
        vbar: u64::MAX,
        sctlr: 0,
    };
    assert_eq!(aarch64(&before).elr_el1, u64::MAX - 1);
    assert_eq!(
        aarch32(&Before {
            pc_after: 0,
            ..before
        })
        .lr_und,
        0xffff_fffe
    );
    assert_eq!(aarch32(&before).pc, 0xffff_ffe4);
}

prop_compose! {
    fn any_before()(
        pc_after in any::<u64>(), pstate in any::<u64>(),
        vbar in any::<u64>(), sctlr in any::<u64>(),
    ) -> Before {
        Before { pc_after, pstate, vbar, sctlr }
    }
}

proptest! {
    /// For every state: masks and mode are set, flags are kept, and the rest is cleared.
    #[test]
    fn every_state_of_a_64_bit_guest(before in any_before()) {
        let after = aarch64(&before);
        // N Z C V and DIT are inherited.
        prop_assert_eq!((after.pstate ^ before.pstate) & 0xf100_0000, 0);
        // TCO, D, A, I, F, EL1h.
        prop_assert_eq!(after.pstate & 0x0200_03df, 0x0200_03c5);
        // Apart from SSBS (12) and PAN (22), nothing else is set.
        prop_assert_eq!(after.pstate & !(0xf300_03df | 1 << 12 | 1 << 22), 0);
        prop_assert_eq!(after.spsr_el1, before.pstate);
        prop_assert_eq!(after.elr_el1.wrapping_add(4), before.pc_after);
        prop_assert_eq!(after.pc & 0x19ff, before.vbar & 0x1800);
        prop_assert_eq!(after.esr_el1, 1 << 25);
    }

    #[test]
    fn every_state_of_a_32_bit_guest(before in any_before()) {
        let after = aarch32(&before);
        let cpsr = u64::from(after.cpsr);
        // N Z C V Q, DIT, GE, A and F are inherited.
        prop_assert_eq!((cpsr ^ before.pstate) & 0xf90f_0140, 0);
        // I and Undefined mode.
        prop_assert_eq!(cpsr & 0x9f, 0x9b);
        // IT, J, SS and IL are clear.
        prop_assert_eq!(cpsr & 0x0630_fc00, 0);
        prop_assert_eq!(after.pc & 0x1f, 4);
        // The SPSR returns to where the caller was, DIT and SS aside.
        prop_assert_eq!((u64::from(after.spsr_und) ^ before.pstate) & 0xfedf_ffff, 0);
    }
}
