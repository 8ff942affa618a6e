// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls of Linux' mach-omap2 and its random number driver, and what a hostile kernel would try.

use fakemon_firmware::Board as _;
use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch32;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use proptest::prelude::*;

use super::ppa::{self, BAD_ADDRESS, FAIL, OK, SECURE_RAM, UNKNOWN_SERVICE, rng};
use super::{Omap3, State, function};

include!(concat!(env!("OUT_DIR"), "/note.rs"));

/// Where the kernel's code is: an `smc #1` and then an `smc #0`.
const SMC_1: u64 = 0x8000_8000;
const SMC_0: u64 = SMC_1 + 4;
/// RAM for arguments and results.
const RAM: u64 = 0x8200_0000;
const RAM_SIZE: usize = 0x1_0000;
/// Where the kernel wants results.
const BUFFER: u32 = 0x8200_1000;
/// A part of RAM that is not the firmware's to write.
const OTHER: u8 = 0xa5;
const NOT_SUPPORTED: u64 = 0xffff_ffff;

/// A machine with the kernel's code, and these words at the start of RAM. Its entropy is 0x11 all
/// over.
fn machine(block: &[u32]) -> FakePlatform {
    let code = [0xe160_0071_u32, 0xe160_0070].map(u32::to_le_bytes);
    let mut ram = vec![OTHER; RAM_SIZE];
    for (place, word) in ram.chunks_exact_mut(4).zip(block) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    FakePlatform::new(1)
        .with_memory(SMC_1, &code.concat())
        .with_memory(RAM, &ram)
        .answering(|asked| match asked {
            Asked::Translate(va, _) => Ok([va, 0, 0, 0]),
            Asked::Entropy(_) => Ok([0x1111_1111_1111_1111; 4]),
            _ => Ok([0; 4]),
        })
}

/// Executes the SMC at `pc` and returns r0; no other register may change.
#[track_caller]
fn smc(board: &Omap3, platform: &mut FakePlatform, pc: u64, regs: [u64; 13]) -> u64 {
    platform.resume.pc = pc + 4;
    let after = platform.smc(board, AArch32, &regs);
    assert_eq!(after[1..13], regs[1..]);
    assert_eq!(platform.resume.pc, pc + 4);
    after[0]
}

/// The registers of omap_smc3.
fn registers(service: u64) -> [u64; 13] {
    let mut regs = [0xdead_beef; 13];
    (regs[0], regs[12]) = (service, service);
    (regs[1], regs[2], regs[3], regs[6]) = (0, 4, RAM, 0xff);
    regs
}

/// Calls a service of the PPA with these words as arguments; returns r0 and the machine.
#[track_caller]
fn service(board: &Omap3, service: u64, block: &[u32]) -> (u64, FakePlatform) {
    let mut platform = machine(block);
    let r0 = smc(board, &mut platform, SMC_1, registers(service));
    (r0, platform)
}

/// Calls a service of the general purpose ROM.
#[track_caller]
fn gp_call(board: &Omap3, service: u64, value: u64) -> u64 {
    let mut regs = [0xdead_beef; 13];
    (regs[0], regs[12]) = (value, service);
    smc(board, &mut machine(&[]), SMC_0, regs)
}

#[test]
fn the_kernel_writes_the_auxiliary_control_registers() {
    let board = Omap3::NEW;
    // rx51_secure_update_aux_cr, then the two of omap3_restore.
    let (r0, _) = service(&board, function::PPA_WRITE_ACR, &[2, 0x42, 0, 0, 0]);
    assert_eq!((r0, board.state.get().acr), (OK, 0x42));
    let (r0, _) = service(&board, function::PPA_WRITE_ACR, &[1, 0xe2]);
    assert_eq!((r0, board.state.get().acr), (OK, 0xe2));
    let (r0, _) = service(&board, function::PPA_WRITE_L2_AUX, &[1, 0x82]);
    assert_eq!((r0, board.state.get().l2_aux), (OK, 0x82));
    assert_eq!(service(&board, function::PPA_L2_INVALIDATE, &[1, 0]).0, OK);
}

#[test]
fn the_kernel_saves_the_secure_ram() {
    let board = Omap3::NEW;
    service(&board, function::PPA_WRITE_ACR, &[1, 0xe2]);
    let (r0, platform) = service(&board, function::PPA_SAVE_SECURE_RAM, &[4, BUFFER, 0, 1, 1]);
    assert_eq!(r0, OK);
    let saved = platform.memory(u64::from(BUFFER), SECURE_RAM);
    let words: Vec<u32> = saved[..16]
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().expect("four bytes")))
        .collect();
    assert_eq!(words, [ppa::SAVED, 0xe2, 0x42, 0]);
    assert!(saved[16..].iter().all(|&byte| byte == 0));
    for outside in [BUFFER as usize - 1, BUFFER as usize + SECURE_RAM] {
        assert_eq!(platform.memory(outside as u64, 1), [OTHER]);
    }
}

#[test]
fn a_buffer_that_does_not_hold_the_secure_ram_is_left_alone() {
    let end = (RAM as u32) + RAM_SIZE as u32;
    for address in [0, end - SECURE_RAM as u32 + 1, end - 1, end, u32::MAX] {
        let board = Omap3::NEW;
        let (r0, platform) = service(
            &board,
            function::PPA_SAVE_SECURE_RAM,
            &[4, address, 0, 1, 1],
        );
        assert_eq!(
            (r0, platform.written.len()),
            (BAD_ADDRESS, 0),
            "{address:#x}"
        );
    }
}

#[test]
fn random_numbers_come_when_the_generator_is_on() {
    let board = Omap3::NEW;
    let generate = [4, BUFFER, 4, rng::GENERATE, 0];
    assert_eq!(
        service(&board, function::PPA_HWRNG, &generate).0,
        FAIL,
        "off"
    );
    assert_eq!(
        service(&board, function::PPA_HWRNG, &[4, 0, 0, rng::INITIALISE, 0]).0,
        OK
    );

    let (r0, platform) = service(&board, function::PPA_HWRNG, &generate);
    assert_eq!(
        (r0, platform.written.as_slice()),
        (OK, &[(u64::from(BUFFER), 4)][..])
    );
    assert_eq!(
        platform.memory(u64::from(BUFFER), 5),
        [0x11, 0x11, 0x11, 0x11, OTHER]
    );

    assert_eq!(
        service(&board, function::PPA_HWRNG, &[4, 0, 0, rng::RESET, 0]).0,
        OK
    );
    assert_eq!(
        service(&board, function::PPA_HWRNG, &generate).0,
        FAIL,
        "off again"
    );
}

#[test]
fn random_numbers_have_their_bounds() {
    let board = Omap3::NEW;
    service(&board, function::PPA_HWRNG, &[4, 0, 0, rng::INITIALISE, 0]);
    let ask = |address, count| {
        let (r0, platform) = service(
            &board,
            function::PPA_HWRNG,
            &[4, address, count, rng::GENERATE, 0],
        );
        (
            r0,
            platform.written.iter().map(|(_, size)| size).sum::<usize>(),
        )
    };
    assert_eq!(ask(BUFFER, 0), (OK, 0));
    assert_eq!(ask(BUFFER, 33), (OK, 33));
    assert_eq!(ask(BUFFER, rng::MOST), (OK, rng::MOST as usize));
    assert_eq!(ask(BUFFER, rng::MOST + 1), (FAIL, 0));
    assert_eq!(ask(0, 4), (BAD_ADDRESS, 0));
    assert_eq!(ask(u32::MAX, 4), (BAD_ADDRESS, 0));
    let (r0, _) = service(&board, function::PPA_HWRNG, &[4, BUFFER, 4, 4, 0]);
    assert_eq!(r0, FAIL, "a task that is none");
}

#[test]
fn without_entropy_there_are_no_random_numbers() {
    let board = Omap3::NEW;
    service(&board, function::PPA_HWRNG, &[4, 0, 0, rng::INITIALISE, 0]);
    let mut platform = machine(&[4, BUFFER, 4, rng::GENERATE, 0]).answering(|asked| match asked {
        Asked::Translate(va, _) => Ok([va, 0, 0, 0]),
        _ => Err(Error::InternalFailure),
    });
    assert_eq!(
        smc(&board, &mut platform, SMC_1, registers(function::PPA_HWRNG)),
        FAIL
    );
    assert_eq!(platform.written, []);
}

#[test]
fn arguments_that_are_missing_or_nowhere_are_refused() {
    for (number, count) in [
        (function::PPA_SAVE_SECURE_RAM, 4),
        (function::PPA_HWRNG, 3),
        (function::PPA_L2_INVALIDATE, 1),
        (function::PPA_WRITE_ACR, 1),
        (function::PPA_WRITE_L2_AUX, 1),
    ] {
        let board = Omap3::NEW;
        let before = board.state.get();
        assert_eq!(service(&board, number, &[count - 1, BUFFER, 4, 2]).0, FAIL);
        for block in [0, RAM + RAM_SIZE as u64 - 4, 0xffff_fffc, 0xffff_ffff] {
            let mut platform = machine(&[]);
            let mut regs = registers(number);
            regs[3] = block;
            let r0 = smc(&board, &mut platform, SMC_1, regs);
            assert!(
                [FAIL, BAD_ADDRESS].contains(&r0),
                "{number} {block:#x} {r0:#x}"
            );
            assert_eq!(platform.written, []);
        }
        assert_eq!(board.state.get(), before);
    }
}

#[test]
fn other_services_are_unknown() {
    let board = Omap3::NEW;
    for number in [0, 1, 2, 3, 24, 26, 30, 41, 44, 0x102, 0xffff_ffff] {
        assert_eq!(
            service(&board, number, &[4, 0, 0, 0]).0,
            UNKNOWN_SERVICE,
            "{number}"
        );
    }
    let mut regs = registers(function::PPA_L2_INVALIDATE);
    regs[0] = 1;
    assert_eq!(
        smc(&board, &mut machine(&[1, 0]), SMC_1, regs),
        UNKNOWN_SERVICE
    );
    let mut regs = registers(function::PPA_L2_INVALIDATE);
    regs[6] = 0;
    assert_eq!(
        smc(&board, &mut machine(&[1, 0]), SMC_1, regs),
        FAIL,
        "an old task"
    );
}

#[test]
fn a_general_purpose_chip_has_no_results() {
    let board = Omap3::NEW;
    assert_eq!(
        gp_call(&board, function::GP_L2_INVALIDATE, 0x4800_22f0),
        0x4800_22f0
    );
    assert_eq!(gp_call(&board, function::GP_WRITE_ACR, 0x42), 0x42);
    assert_eq!(gp_call(&board, function::GP_WRITE_L2_AUX, 0x62), 0x62);
    let state = State {
        acr: 0x42,
        l2_aux: 0x62,
        rng: false,
    };
    assert_eq!(board.state.get(), state);
    for number in [0, 4, 25, 40, 42, 0x102] {
        assert_eq!(gp_call(&board, number, 7), NOT_SUPPORTED, "{number}");
    }
    assert_eq!(board.state.get(), state);
}

#[test]
fn an_instruction_that_is_neither_is_not_supported() {
    let board = Omap3::NEW;
    for (code, pstate) in [
        (0xe160_0072_u32, 0),
        (0xe1a0_0000, 0),
        (0x8000_f7f2, 1 << 5),
    ] {
        let mut platform = machine(&[1, 0]).with_memory(0x9000_0000, &code.to_le_bytes());
        platform.resume.pstate = pstate;
        let r0 = smc(
            &board,
            &mut platform,
            0x9000_0000,
            registers(function::PPA_L2_INVALIDATE),
        );
        assert_eq!(r0, NOT_SUPPORTED, "{code:#x}");
    }
    let nowhere = smc(&board, &mut machine(&[]), 0x7000_0000, registers(40));
    assert_eq!(nowhere, NOT_SUPPORTED);
}

#[test]
fn any_calls_do_no_harm() {
    properties::check::<Omap3>(&NOTE, AArch32, &[(RAM, 0x1000)]);
}

proptest! {
    #[test]
    fn no_write_lands_outside_what_the_caller_handed_over(
        number in prop_oneof![Just(function::PPA_SAVE_SECURE_RAM), Just(function::PPA_HWRNG), Just(function::PPA_WRITE_ACR)],
        address in prop_oneof![any::<u32>(), BUFFER - 0x40..BUFFER + RAM_SIZE as u32],
        count in prop_oneof![any::<u32>(), 0..0x800_u32],
        task in 0..16_u32,
        rest in any::<[u32; 2]>(),
        on in any::<bool>(),
    ) {
        let board = Omap3::NEW;
        board.state.with(|state| state.rng = on);
        let (_, platform) = service(&board, number, &[4, address, count, task, rest[0], rest[1]]);
        let room = if number == function::PPA_SAVE_SECURE_RAM { SECURE_RAM as u64 } else { u64::from(count) };
        let end = u64::from(address) + room;
        for (start, size) in platform.written {
            prop_assert!(start >= u64::from(address) && start + size as u64 <= end);
        }
    }
}
