// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The commands of Linux' mach-exynos, with what it leaves in on-chip RAM.

use std::path::Path;

use fakemon_firmware::Error;
use fakemon_firmware::Width::AArch32;
use fakemon_firmware::fake::{Asked, FakePlatform, properties};
use fakemon_manifest::{Board as Manifest, PageKind};

use super::sysram::{AFTR_MAGIC, SLEEP_MAGIC, SYSRAM, SYSRAM_NS};
use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

/// exynos4_secondary_startup and exynos_cpu_resume_ns, somewhere in RAM.
const ENTRY: u32 = 0x4032_8938;
const OK: u64 = 0;
const NO: u64 = 0xffff_ffff;

/// A guest of four CPUs whose on-chip RAM has these words, by offset.
fn guest(words: &[(usize, u32)]) -> FakePlatform {
    let mut content = vec![0; 0x1000];
    for &(offset, word) in words {
        content[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
    }
    FakePlatform::new(4)
        .with_memory(SYSRAM_NS, &content)
        .with_memory(SYSRAM, &[0; 0x1000])
}

/// Gives a command and expects nothing but r0 to change.
#[track_caller]
fn smc(platform: &mut FakePlatform, command: FunctionId, args: [u64; 3]) -> u64 {
    let [a, b, c] = args;
    let regs = [u64::from(command.0), a, b, c, 4, 5, 6, 7];
    let after = platform.smc(&Exynos4412::NEW, AArch32, &regs);
    assert_eq!(after[1..8], regs[1..]);
    after[0]
}

fn l2_writes(platform: &FakePlatform) -> Vec<(u64, u64)> {
    platform
        .asked
        .iter()
        .map(|&asked| match asked {
            Asked::MmioWrite(address, 4, value) => (address - l2::PL310, value),
            other => panic!("no write of a register: {other:?}"),
        })
        .collect()
}

#[test]
fn each_cpu_begins_where_its_own_word_says() {
    for cpu in 1..4 {
        let entry = ENTRY + 0x1000 * cpu;
        let mut platform = guest(&[(0x1c + 4 * cpu as usize, entry)]);
        let answer = smc(
            &mut platform,
            function::SMC_CMD_CPU1BOOT,
            [cpu.into(), 0, 0],
        );
        assert_eq!(answer, OK);
        let mpidr = 0xa00 | u64::from(cpu);
        let on = Asked::CpuOn(mpidr, entry.into(), 0);
        assert_eq!(platform.asked, [on]);
    }
}

#[test]
fn a_cpu_that_is_on_already_may_be_asked_for_again() {
    for code in [Error::AlreadyOn, Error::OnPending] {
        let mut platform = guest(&[(0x20, ENTRY)]).answering(move |_| Err(code));
        assert_eq!(
            smc(&mut platform, function::SMC_CMD_CPU1BOOT, [1, 0, 0]),
            OK
        );
    }
    let mut platform = guest(&[(0x20, ENTRY)]).answering(|_| Err(Error::InvalidParameters));
    assert_eq!(
        smc(&mut platform, function::SMC_CMD_CPU1BOOT, [1, 0, 0]),
        NO
    );
}

#[test]
fn no_cpu_starts_without_an_entry_or_beyond_the_last() {
    let entries = [0x1c, 0x20, 0x24, 0x28, 0x2c].map(|offset| (offset, ENTRY));
    for cpu in [0, 4, 5, 0x100, 0xffff_ffff] {
        let mut platform = guest(&entries);
        assert_eq!(
            smc(&mut platform, function::SMC_CMD_CPU1BOOT, [cpu, 0, 0]),
            NO
        );
        assert_eq!(platform.asked, []);
    }
    for entry in [0, 0x4032_893a] {
        let mut platform = guest(&[(0x20, entry)]);
        assert_eq!(
            smc(&mut platform, function::SMC_CMD_CPU1BOOT, [1, 0, 0]),
            NO
        );
        assert_eq!(platform.asked, []);
    }
    let mut bare = FakePlatform::new(4);
    assert_eq!(smc(&mut bare, function::SMC_CMD_CPU1BOOT, [1, 0, 0]), NO);
}

#[test]
fn the_system_sleeps_if_the_kernel_has_said_where_it_wakes() {
    let mut platform = guest(&[(0x8, ENTRY), (0xc, SLEEP_MAGIC)]);
    assert_eq!(
        smc(&mut platform, function::SMC_CMD_SLEEP, [0; 3]),
        NO,
        "it came back"
    );
    let sleep = Asked::SystemSuspend(ENTRY.into(), 0);
    assert_eq!(platform.asked, [sleep]);

    for words in [[(0x8, ENTRY), (0xc, 0)], [(0x8, 0), (0xc, SLEEP_MAGIC)]] {
        let mut platform = guest(&words);
        assert_eq!(smc(&mut platform, function::SMC_CMD_SLEEP, [0; 3]), NO);
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn cpu_0_idles_and_resumes_where_the_kernel_has_said() {
    let words = [(0x20, AFTR_MAGIC), (0x24, ENTRY)];
    let mut platform = guest(&words);
    assert_eq!(
        smc(&mut platform, function::SMC_CMD_CPU0AFTR, [0; 3]),
        NO,
        "it came back"
    );
    let wait = Asked::WaitForInterrupt;
    let resume = Asked::CpuResume(ENTRY.into(), 0);
    assert_eq!(platform.asked, [wait, resume]);

    let mut other = guest(&words);
    other.cpu = 1;
    assert_eq!(smc(&mut other, function::SMC_CMD_CPU0AFTR, [0; 3]), NO);
    let mut unprepared = guest(&[(0x20, ENTRY), (0x24, ENTRY)]);
    assert_eq!(smc(&mut unprepared, function::SMC_CMD_CPU0AFTR, [0; 3]), NO);
    assert_eq!((other.asked, unprepared.asked), (vec![], vec![]));
}

#[test]
fn the_l2_commands_reach_the_controllers_registers() {
    let mut platform = guest(&[]);
    let mut command = |command, args| assert_eq!(smc(&mut platform, command, args), OK);
    command(function::SMC_CMD_L2X0INVALL, [0; 3]);
    command(function::SMC_CMD_L2X0SETUP1, [0x110, 0x120, 0x7100_0007]);
    command(function::SMC_CMD_L2X0SETUP2, [3, 0x7e47_0001, 0]);
    command(function::SMC_CMD_L2X0CTRL, [1, 0, 0]);
    command(function::SMC_CMD_L2X0DEBUG, [2, 0, 0]);
    let writes = [
        (0x77c, 0xffff),
        (0x108, 0x110),
        (0x10c, 0x120),
        (0xf60, 0x7100_0007),
        (0xf80, 3),
        (0x104, 0x7e47_0001),
        (0x100, 1),
        (0xf40, 2),
    ];
    assert_eq!(l2_writes(&platform), writes);
}

#[test]
fn a_machine_without_the_controller_refuses_its_commands() {
    let mut platform = guest(&[]).answering(|_| Err(Error::InvalidParameters));
    for n in 21..=25_u32 {
        assert_eq!(
            smc(&mut platform, FunctionId(n.wrapping_neg()), [1, 2, 3]),
            NO
        );
    }
}

#[test]
fn the_board_has_the_controller_and_on_chip_ram_where_the_firmware_looks() {
    let board = Manifest::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a good board.toml");
    let base = |name: &str, kind| {
        let mut pages = board.machine.pages.iter();
        let page = pages.find(|page| page.name == name && page.kind == kind);
        page.expect("a page of this name").base
    };
    assert_eq!(base("l2", PageKind::Pl310), l2::PL310);
    assert_eq!(base("sysram", PageKind::Ram), SYSRAM);
    assert_eq!(base("sysram-ns", PageKind::Ram), SYSRAM_NS);
}

#[test]
fn the_kernel_writes_on_chip_ram_through_the_firmware() {
    let mut platform = guest(&[]);
    let name = 0x4000_0000 | (SYSRAM + 0x28) >> 2;
    let magic = u64::from(AFTR_MAGIC);
    assert_eq!(
        smc(&mut platform, function::SMC_CMD_REG, [name, magic, 0]),
        OK
    );
    assert_eq!(platform.memory(SYSRAM + 0x28, 4), AFTR_MAGIC.to_le_bytes());
    assert_eq!(platform.written, [(SYSRAM + 0x28, 4)]);
}

#[test]
fn no_other_register_is_written() {
    let word = |address: u64| 0x4000_0000 | address >> 2;
    let mut platform = guest(&[]).with_memory(0x4000_0000, &[0; 0x1000]);
    for name in [
        word(0x4000_0000),
        word(SYSRAM - 4),
        word(SYSRAM + 0x4_0000),
        word(0x1002_0400),
        (SYSRAM + 0x28) >> 2,
        0x8000_0000 | (SYSRAM + 0x28) >> 2,
        word(SYSRAM + 0x2000),
    ] {
        assert_eq!(
            smc(&mut platform, function::SMC_CMD_REG, [name, 1, 0]),
            NO,
            "{name:#x}"
        );
    }
    assert!(platform.written.is_empty() && platform.asked.is_empty());
}

#[test]
fn a_cortex_a9s_registers_are_left_in_the_trace() {
    let mut platform = guest(&[]);
    assert_eq!(
        smc(
            &mut platform,
            function::SMC_CMD_C15RESUME,
            [0x6001, 0x40, 0]
        ),
        OK
    );
    let event = Asked::LogEvent(EVENT_C15RESUME, [0x6001, 0x40, 0]);
    assert_eq!(platform.asked, [event]);
}

#[test]
fn other_commands_are_refused() {
    // Among them INIT, INFO, and SAVE and SHUTDOWN of the Exynos 3.
    for n in [1, 2, 6, 7, 8, 10, 12, 20, 26, 100, 102, 128_u32] {
        let mut platform = guest(&[]);
        assert_eq!(
            smc(&mut platform, FunctionId(n.wrapping_neg()), [1, 1, 1]),
            NO,
            "-{n}"
        );
        assert_eq!(platform.asked, []);
    }
}

#[test]
fn any_calls_do_no_harm() {
    let sysram = [(SYSRAM, 0x1000), (SYSRAM_NS, 0x1000)];
    properties::check::<Exynos4412>(&NOTE, AArch32, &sysram);
}
