// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest: its program, and the page of RAM that it is in.

use std::arch::global_asm;

use kvm_bindings::kvm_userspace_memory_region;
use kvm_ioctls::VmFd;

/// Where RAM begins, and the program in it.
pub(super) const ENTRY: u64 = 0x4000_0000;
/// A page of any host's: the largest have 64 KiB.
const PAGE: usize = 0x1_0000;

// CPU 0 starts CPU 1, waits until it is off, does the same with CPU 2, which is there later, and switches
// the machine off. They store the number that they were given to where there is only the VMM.
global_asm!(
    ".pushsection .rodata",
    ".global guest_begin, guest_end",
    ".balign 4",
    "guest_begin:",
    "mov  x19, #1",
    "1:",
    "mov  w0, #0x0003",
    "movk w0, #0xc400, lsl #16", // CPU_ON
    "mov  x1, x19",
    "adr  x2, 3f",
    "mov  x3, x19",
    "smc  #0",
    "cbnz x0, 1b",
    "2:",
    "mov  w0, #0x0004",
    "movk w0, #0xc400, lsl #16", // AFFINITY_INFO
    "mov  x1, x19",
    "mov  x2, #0",
    "smc  #0",
    "cmp  w0, #1",
    "b.ne 2b",
    "add  x19, x19, #1",
    "cmp  x19, #3",
    "b.ne 1b",
    "mov  w0, #0x0008",
    "movk w0, #0x8400, lsl #16", // SYSTEM_OFF
    "smc  #0",
    "3:",
    "mov  w1, #0x09000000",
    "strb w0, [x1]",
    "mov  w0, #0x0002",
    "movk w0, #0x8400, lsl #16", // CPU_OFF
    "smc  #0",
    "guest_end:",
    ".popsection",
);

#[repr(align(0x1_0000))]
struct Page([u8; PAGE]);

/// The guest's RAM, with the program.
pub(super) struct Ram(Box<Page>);

impl Ram {
    pub(super) fn new() -> Ram {
        unsafe extern "C" {
            static guest_begin: u8;
            static guest_end: u8;
        }
        let (begin, end) = (&raw const guest_begin, &raw const guest_end);
        // SAFETY: the two labels are the ends of one read-only block of this program's.
        let size = unsafe { end.offset_from_unsigned(begin) };
        // SAFETY: these are its bytes, and nothing writes them.
        let program = unsafe { std::slice::from_raw_parts(begin, size) };
        let mut page = Box::new(Page([0; PAGE]));
        page.0[..size].copy_from_slice(program);
        Ram(page)
    }

    /// Makes it the RAM of a VM, which may use it for as long as this process lives.
    pub(super) fn give_to(self, vm: &VmFd) -> Result<(), kvm_ioctls::Error> {
        let page = Box::leak(self.0);
        let region = kvm_userspace_memory_region {
            slot: 0,
            flags: 0,
            guest_phys_addr: ENTRY,
            memory_size: PAGE as u64,
            userspace_addr: (&raw mut *page).expose_provenance() as u64,
        };
        // SAFETY: the page is never freed, and nothing else uses it.
        unsafe { vm.set_user_memory_region(region) }
    }
}
