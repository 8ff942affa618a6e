// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Kernels that are right, wrong and damaged.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

const MIB: u64 = 1 << 20;

fn image() -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[16..24].copy_from_slice(&(40 * MIB).to_le_bytes());
    bytes[24..32].copy_from_slice(&0xau64.to_le_bytes());
    bytes[56..60].copy_from_slice(b"ARM\x64");
    bytes
}

fn zimage() -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[0x24..0x28].copy_from_slice(&0x016f_2818u32.to_le_bytes());
    bytes[0x2c..0x30].copy_from_slice(&4096u32.to_le_bytes());
    bytes[0x30..0x34].copy_from_slice(&0x0403_0201u32.to_le_bytes());
    bytes
}

fn load(bytes: Vec<u8>, wanted: Width) -> Result<Kernel, String> {
    kernel(Path::new("F"), bytes, wanted, "virt").map_err(|error| error.to_string())
}

#[test]
fn an_image_says_how_much_memory_it_needs() {
    let kernel = load(image(), Width::AArch64).expect("bootable");
    assert_eq!((kernel.offset, kernel.footprint), (0, 40 * MIB));
}

#[test]
fn a_compressed_image_is_unpacked_and_a_cut_one_refused() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&image()).expect("memory");
    let packed = gzip.finish().expect("memory");
    assert_eq!(
        load(packed.clone(), Width::AArch64),
        load(image(), Width::AArch64)
    );
    let error = load(packed[..packed.len() / 2].to_vec(), Width::AArch64).expect_err("cut");
    assert!(error.starts_with("kernel F is damaged: gzip: "), "{error}");
}

#[test]
fn the_wrong_kernel_is_named_with_what_the_board_needs() {
    let mut bzimage = vec![0; 0x300];
    bzimage[0x202..0x206].copy_from_slice(b"HdrS");
    let mut zboot = image();
    zboot[4..8].copy_from_slice(b"zimg");
    zboot[56..60].fill(0);
    for (bytes, wanted, message) in [
        (
            bzimage,
            Width::AArch64,
            "kernel F is an x86 bzImage; board virt needs an arm64 Image",
        ),
        (
            zimage(),
            Width::AArch64,
            "kernel F is a 32-bit Arm zImage; board virt needs an arm64 Image",
        ),
        (
            image(),
            Width::AArch32,
            "kernel F is an arm64 Image; board virt needs a 32-bit Arm zImage",
        ),
        (
            vec![],
            Width::AArch64,
            "kernel F is empty; board virt needs an arm64 Image",
        ),
        (
            b"\x7fELF".to_vec(),
            Width::AArch64,
            "kernel F is an ELF file (a vmlinux is not bootable here); board virt needs an arm64 Image",
        ),
        (
            zboot,
            Width::AArch64,
            "kernel F is an EFI zboot image (unpack the Image from it first); board virt needs an \
             arm64 Image",
        ),
    ] {
        assert_eq!(load(bytes, wanted).expect_err("not bootable"), message);
    }
}

#[test]
fn damaged_headers_are_refused() {
    let mut huge = image();
    huge[16..24].fill(0xff);
    let mut far = image();
    far[8..16].fill(0xff);
    let mut odd = image();
    odd[8..16].copy_from_slice(&0x1234_u64.to_le_bytes());
    let mut big_endian = image();
    big_endian[24] = 1;
    for bytes in [huge, far, odd, big_endian] {
        assert!(
            load(bytes, Width::AArch64)
                .expect_err("damaged")
                .contains("damaged")
        );
    }
    let mut cut = zimage();
    cut.truncate(100);
    assert!(
        load(cut, Width::AArch32)
            .expect_err("damaged")
            .contains("4096 bytes and has 100")
    );
}

#[test]
fn every_piece_lies_in_ram_and_none_overlaps() {
    for (width, bytes) in [(Width::AArch64, image()), (Width::AArch32, zimage())] {
        let kernel = load(bytes, width).expect("bootable");
        for ram in [128 * MIB, 512 * MIB, 4096 * MIB] {
            let at = plan(width, 0x4000_0000, ram, &kernel, 3 * MIB + 7).expect("fits");
            assert_eq!(at.kernel, 0x4000_0000 + kernel.offset);
            assert!(at.kernel + kernel.footprint <= at.dtb);
            assert_eq!(at.dtb % layout::DTB_SPACE, 0);
            assert!(at.dtb + layout::DTB_SPACE <= at.initrd);
            assert!(at.initrd + 3 * MIB + 7 <= 0x4000_0000 + ram);
        }
    }
}

#[test]
fn too_little_memory_says_how_much_would_do() {
    let kernel = load(image(), Width::AArch64).expect("bootable");
    let error = plan(Width::AArch64, 0, 64 * MIB, &kernel, 10 * MIB).expect_err("too small");
    assert_eq!(
        error.to_string(),
        "64 MiB of memory is too small for this kernel and initrd; use --mem 84M or more"
    );
    assert!(
        plan(Width::AArch64, 0, 84 * MIB, &kernel, 10 * MIB).is_ok(),
        "the promise holds"
    );
}

#[test]
fn a_32_bit_kernel_gets_no_initrd_beyond_its_reach() {
    let kernel = load(zimage(), Width::AArch32).expect("bootable");
    let error = plan(Width::AArch32, 0, 2048 * MIB, &kernel, 600 * MIB).expect_err("too big");
    assert!(error.to_string().contains("does not fit"), "{error}");
}
