// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calls that Linux makes on an MSM8916, with its registers.

use std::path::Path;

use fakemon_firmware::Width::{AArch32, AArch64};
use fakemon_firmware::abi::note::{CALLER_AARCH32, CALLER_AARCH64};
use fakemon_firmware::fake::{FakePlatform, properties};
use fakemon_firmware::services::qcom_scm::Function;
use fakemon_manifest::{Board as Manifest, PageKind};

use super::*;

include!(concat!(env!("OUT_DIR"), "/note.rs"));

const NOT_SUPPORTED: u64 = u64::MAX;
const TCSR: u64 = 0x0193_7000;

fn platform() -> FakePlatform {
    FakePlatform::new(2).with_memory(TCSR, &vec![0; 0x30000])
}

#[track_caller]
fn smc(board: &Msm8916, platform: &mut FakePlatform, regs: &[u64]) -> [u64; 4] {
    let after = platform.smc(board, AArch64, regs);
    [after[0], after[1], after[2], after[3]]
}

#[test]
fn linux_finds_the_32_bit_convention() {
    let (board, mut platform) = (Msm8916::NEW, platform());
    let asked = 0x0200_0601;
    assert_eq!(
        smc(&board, &mut platform, &[0xc200_0601, 1, asked])[0],
        NOT_SUPPORTED
    );
    assert_eq!(
        smc(&board, &mut platform, &[0x8200_0601, 1, asked]),
        [0, 1, 0, 0]
    );
}

/// Boards with this chip run 32-bit kernels, too: their boot loaders load no others.
#[test]
fn a_32_bit_kernel_gets_the_same_answers() {
    assert_eq!(NOTE.callers, CALLER_AARCH64 | CALLER_AARCH32);
    for call in [
        vec![0x8200_0601, 1, 0x0200_0601],
        vec![0x0200_0601, 1, 0x0200_0404],
        vec![0xc200_0601, 1, 0x0200_0601],
        vec![0x8200_0502, 2, DOWNLOAD_MODE, 0xabcd_0011],
        vec![0x8200_0501, 1, DOWNLOAD_MODE],
        vec![0x0200_0603, 1, 10],
        vec![0x8400_0000],
        vec![0x8400_0003, 1, 0x8020_0000, 7],
    ] {
        let [wide, narrow] = [AArch64, AArch32].map(|width| {
            let firmware = Msm8916::NEW;
            let after = platform().smc(&firmware, width, &call);
            [after[0], after[1], after[2], after[3]].map(|register| register as u32)
        });
        assert_eq!(narrow, wide, "{call:#x?}");
    }
}

#[test]
fn the_calls_of_scm_are_named() {
    let named = [
        (function::SCM_BOOT_SDI_CONFIG, boot::SDI_CONFIG),
        (function::SCM_INFO_VERSION, qseecom::VERSION),
        (function::SCM_IO_READ, io::READ),
        (function::SCM_IO_WRITE, io::WRITE),
    ];
    for (id, call) in named {
        assert_eq!(Function::from_smccc(id), call.function);
    }
}

#[test]
fn is_call_avail_knows_each_call_and_no_other() {
    let (board, mut platform) = (Msm8916::NEW, platform());
    let there: Vec<u64> = (0..=0xffff)
        .filter(|number| {
            let asked = 2 << 24 | number;
            smc(&board, &mut platform, &[0x0200_0601, 1, asked])[1] == 1
        })
        .collect();
    assert_eq!(there, [0x109, 0x501, 0x502, 0x601, 0x603]);
}

#[test]
fn download_mode_is_read_and_written_in_its_register() {
    let (board, mut platform) = (Msm8916::NEW, platform());
    let register = DOWNLOAD_MODE;
    let write = [0x8200_0502, 2, register, 0xffff_ffff_abcd_0011];
    assert_eq!(smc(&board, &mut platform, &write), [0; 4]);
    assert_eq!(
        smc(&board, &mut platform, &[0x8200_0501, 1, register]),
        [0, 0xabcd_0011, 0, 0],
        "32 bits, not sign-extended"
    );
    assert_eq!(platform.written, [(register, 4)]);
    for other in [register - 4, register + 1, 0x8000_0000] {
        let refused = (-3_i64).cast_unsigned();
        assert_eq!(
            smc(&board, &mut platform, &[0x8200_0501, 1, other])[0],
            refused
        );
        assert_eq!(
            smc(&board, &mut platform, &[0x8200_0502, 2, other, 1])[0],
            refused
        );
    }
}

#[test]
fn the_register_is_in_the_page_of_board_toml() {
    let board = Manifest::load(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("a good board.toml");
    let holds = board.machine.pages.iter().any(|page| {
        page.kind == PageKind::Ram && (page.base..page.base + page.size).contains(&DOWNLOAD_MODE)
    });
    assert!(holds);
}

#[test]
fn sdi_goes_off_and_qseecom_has_a_version() {
    let (board, mut platform) = (Msm8916::NEW, platform());
    assert_eq!(smc(&board, &mut platform, &[0x0200_0109, 2, 1, 0]), [0; 4]);
    assert!(!board.boot.sdi());
    let version = [0, u64::from(QSEECOM), 0, 0];
    assert_eq!(smc(&board, &mut platform, &[0x0200_0603, 1, 10]), version);
    let no_feature = smc(&board, &mut platform, &[0x0200_0603, 1, 9]);
    assert_eq!(no_feature[0], (-2_i64).cast_unsigned());
}

#[test]
fn there_are_no_wait_queues() {
    let (board, mut platform) = (Msm8916::NEW, platform());
    // GET_INFO, with no arguments as Linux makes it.
    let answer = smc(&board, &mut platform, &[0x8200_2404, 0]);
    assert_eq!(answer, [NOT_SUPPORTED, 0, 0, 0]);
    assert_eq!(
        smc(&board, &mut platform, &[0x0200_0601, 1, 0x0200_2404])[..2],
        [0, 0]
    );
}

#[test]
fn other_calls_are_not_supported() {
    for id in [
        0x0200_0110,
        0x0200_0207,
        0x8200_0c16,
        0x4200_0603,
        0x4200_0109,
        0x8400_0050,
        0x3200_0103,
        1,
    ] {
        let (board, mut platform) = (Msm8916::NEW, platform());
        assert_eq!(
            smc(&board, &mut platform, &[id])[0],
            NOT_SUPPORTED,
            "{id:#x}"
        );
    }
}

#[test]
fn any_calls_do_no_harm() {
    for width in [AArch64, AArch32] {
        properties::check::<Msm8916>(&NOTE, width, &[(DOWNLOAD_MODE & !0xff, 0x100)]);
    }
}
