// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Has the VMM's device tree say `smc`, in the guest's RAM, before the guest runs.

use fakemon_host::regs::x;

use crate::device_tree::{self, HEAD, SMC};
use crate::say;
use crate::slots::{Slot, Slots};
use crate::vm::vcpu::Vcpu;

/// Where VMMs put a tree: Linux wants it at a multiple of 8 bytes, and within one block of 2 MiB, which
/// the VMMs make easy by beginning at one.
const STEP: u64 = 2 << 20;

/// Changes the tree that the first register names, or else the first that is found in RAM.
pub(crate) fn device_tree(vcpu: &Vcpu) {
    let named = vcpu.registers().get(x(0)).unwrap_or(0);
    let changed = vcpu.vm.with_ram(|slots| {
        let steps = slots.ram().flat_map(|slot| {
            let begin = slot.guest.next_multiple_of(STEP);
            (begin..slot.guest + slot.size).step_by(STEP as usize)
        });
        std::iter::once(named)
            .chain(steps)
            .find_map(|address| change(slots, address))
    });
    match changed {
        Some(0) => say!("the device tree says nowhere that firmware is called by HVC"),
        Some(_) => {}
        None => say!("no device tree is found in the guest's RAM: it cannot be changed"),
    }
}

/// Changes the tree at this address, and tells in how many places; [`None`] if there is none.
fn change(slots: &Slots, address: u64) -> Option<usize> {
    let slot = slots.find(address)?;
    let offset = address - slot.guest;
    let size = device_tree::size(&read(slot, offset, HEAD)?)?;
    let methods = device_tree::methods(&read(slot, offset, size)?)?;
    for &method in &methods {
        write(slot, offset + method as u64, SMC)?;
    }
    Some(methods.len())
}

fn read(slot: &Slot, offset: u64, size: usize) -> Option<Vec<u8>> {
    let from = place(slot, offset, size)?.cast_const();
    let mut bytes = vec![0; size];
    // SAFETY: `place` found as many bytes of the slot's memory, which is mapped while the slots are
    // locked (`Vm::set_slot`); whoever writes there meanwhile changes bytes, nothing else.
    unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), size) };
    Some(bytes)
}

fn write(slot: &Slot, offset: u64, bytes: &[u8]) -> Option<()> {
    let to = place(slot, offset, bytes.len())?;
    // SAFETY: as for `read`; the slot is one that the guest can write.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
    Some(())
}

/// Where as many bytes of a slot are in this process.
fn place(slot: &Slot, offset: u64, size: usize) -> Option<*mut u8> {
    let end = offset.checked_add(size as u64)?;
    let address = slot.host.checked_add(offset)?;
    (end <= slot.size).then(|| std::ptr::with_exposed_provenance_mut(address as usize))
}
