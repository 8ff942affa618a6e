// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory that is given to the modem and taken back, as Linux' rmtfs_mem does it.

use super::super::tests::args;
use super::*;
use crate::fake::FakePlatform;

/// Where the lists are: stretches, then at +0x100 the present and at +0x200 the new owners.
const LISTS: u64 = 0x8000_0000;
/// Guest memory to assign.
const MEMORY: u64 = 0x9000_0000;
const MODEM: u32 = 15;

/// Calls with these stretches, present owners, and new owners with read and write permission.
fn assign(
    assignments: &Assignments,
    stretches: &[(u64, u64)],
    present: &[u32],
    new: &[(u32, u32)],
) -> Reply {
    let mut lists = vec![0; 0x300];
    let mut put = |at: usize, bytes: Vec<u8>| lists[at..at + bytes.len()].copy_from_slice(&bytes);
    let both = |&(base, size): &(u64, u64)| [base.to_le_bytes(), size.to_le_bytes()].concat();
    put(0, stretches.iter().flat_map(both).collect());
    put(
        0x100,
        present.iter().flat_map(|vm| vm.to_le_bytes()).collect(),
    );
    let new_owner = |&(vm, permissions): &(u32, u32)| {
        let mut bytes = [vm.to_le_bytes(), permissions.to_le_bytes()].concat();
        bytes.resize(NEW_OWNER, 0);
        bytes
    };
    put(0x200, new.iter().flat_map(new_owner).collect());
    let mut platform = FakePlatform::new(1)
        .with_memory(LISTS, &lists)
        .with_memory(MEMORY, &[0; 0x8000]);
    let sizes = [16 * stretches.len(), 4 * present.len(), 24 * new.len()];
    let [stretches, present, new] = sizes.map(|size| size as u64);
    let reply = assignments.assign(
        &mut platform,
        &args([
            LISTS,
            stretches,
            LISTS + 0x100,
            present,
            LISTS + 0x200,
            new,
            0,
        ]),
    );
    assert_eq!(platform.written, []);
    reply
}

const STRETCH_A: (u64, u64) = (MEMORY, 0x2000);
const BOTH: &[(u32, u32)] = &[(HLOS, 6), (MODEM, 6)];
const BACK: &[(u32, u32)] = &[(HLOS, 6)];

fn owners_of(assignments: &Assignments, (base, size): (u64, u64)) -> u64 {
    assignments.owners(base, size)
}

#[test]
fn the_modem_gets_its_memory_and_gives_it_back() {
    let all = Assignments::new();
    assert_eq!(owners_of(&all, STRETCH_A), 1 << HLOS);
    assert_eq!(assign(&all, &[STRETCH_A], &[HLOS], BOTH), Ok([0; 3]));
    assert_eq!(owners_of(&all, STRETCH_A), 1 << HLOS | 1 << MODEM);
    assert_eq!(
        assign(&all, &[STRETCH_A], &[HLOS], BACK),
        Err(Error::InvalidArgument),
        "not HLOS's alone"
    );
    assert_eq!(assign(&all, &[STRETCH_A], &[HLOS, MODEM], BACK), Ok([0; 3]));
    assert_eq!(owners_of(&all, STRETCH_A), 1 << HLOS);
    assert_eq!(assign(&all, &[STRETCH_A], &[HLOS], BOTH), Ok([0; 3]));
}

#[test]
fn what_is_assigned_is_assigned_as_a_whole() {
    let all = Assignments::new();
    assert_eq!(assign(&all, &[STRETCH_A], &[HLOS], BOTH), Ok([0; 3]));
    for part in [(MEMORY, 0x1000), (MEMORY + 0x1000, 0x2000)] {
        for present in [&[HLOS][..], &[HLOS, MODEM]] {
            assert_eq!(
                assign(&all, &[part], present, BOTH),
                Err(Error::InvalidArgument)
            );
        }
    }
}

#[test]
fn all_stretches_change_hands_or_none() {
    let all = Assignments::new();
    let other = (MEMORY + 0x4000, 0x1000);
    assert_eq!(assign(&all, &[other], &[HLOS], &[(MODEM, 4)]), Ok([0; 3]));
    assert_eq!(
        assign(&all, &[STRETCH_A, other], &[HLOS], BOTH),
        Err(Error::InvalidArgument)
    );
    assert_eq!(owners_of(&all, STRETCH_A), 1 << HLOS);
    assert_eq!(owners_of(&all, other), 1 << MODEM);
}

#[test]
fn there_is_room_for_so_many() {
    let all = Assignments::new();
    let one = Assignments::new();
    let page = |n: u64| (MEMORY + 0x1000 * (n % 8), 0x1000);
    for n in 0..8 {
        assert_eq!(assign(&all, &[page(n)], &[HLOS], BOTH), Ok([0; 3]));
    }
    // The memory of this test is used up before the room; fill that by hand.
    one.0.with(|owned| {
        for (n, owned) in owned.iter_mut().enumerate() {
            *owned = Owned {
                base: 0x1000 * n as u64,
                size: 0x1000,
                owners: 1,
            };
        }
    });
    assert_eq!(
        assign(&one, &[page(0)], &[HLOS], BOTH),
        Err(Error::NoMemory)
    );
}

#[test]
fn malformed_calls_are_refused() {
    let all = Assignments::new();
    for (stretch, code) in [
        ((MEMORY, 0), Error::InvalidArgument),
        ((MEMORY + 1, 0x1000), Error::InvalidArgument),
        ((MEMORY, 0x1001), Error::InvalidArgument),
        ((0x1000, 0x1000), Error::InvalidAddress),
        ((MEMORY, 0x9000), Error::InvalidAddress),
        ((u64::MAX - 0xfff, 0x1000), Error::InvalidAddress),
        ((u64::MAX - 0xfff, 0x2000), Error::InvalidAddress),
    ] {
        assert_eq!(assign(&all, &[stretch], &[HLOS], BOTH), Err(code));
    }
    for new in [&[(64, 6)][..], &[(MODEM, 0)], &[(MODEM, 8)], &[]] {
        assert_eq!(
            assign(&all, &[STRETCH_A], &[HLOS], new),
            Err(Error::InvalidArgument)
        );
    }
    assert_eq!(
        assign(&all, &[STRETCH_A], &[64], BOTH),
        Err(Error::InvalidArgument)
    );
    let mut platform = FakePlatform::new(1).with_memory(LISTS, &[0; 0x300]);
    for sizes in [[15, 4, 24], [16, 3, 24], [16, 4, 25], [16 * 9, 4, 24]] {
        let [a, b, c] = sizes;
        let args = args([LISTS, a, LISTS, b, LISTS, c, 0]);
        assert_eq!(
            all.assign(&mut platform, &args),
            Err(Error::InvalidArgument)
        );
    }
    let args = args([0, 16, 0, 4, 0, 24, 0]);
    assert_eq!(all.assign(&mut platform, &args), Err(Error::InvalidAddress));
}
