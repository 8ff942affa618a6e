// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The clock as Linux's rtc-pl031 driver uses it, and as nobody should.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::*;

/// A second of the host's, in which all tests begin.
const NOW: u64 = 1_800_000_000;

/// The host's clock, and what the interrupt line was set to.
#[derive(Clone, Default)]
struct World(Arc<AtomicU64>, Arc<Mutex<Vec<bool>>>);

impl IrqLine for World {
    fn set(&self, high: bool) {
        self.1.lock().expect("not poisoned").push(high);
    }
}

impl World {
    fn rtc(&self) -> Pl031 {
        self.at(NOW);
        let clock = self.0.clone();
        let seconds = move || clock.load(Ordering::Relaxed);
        Pl031::new(Box::new(seconds), Box::new(self.clone()))
    }
    fn at(&self, second: u64) {
        self.0.store(second, Ordering::Relaxed);
    }
    fn irq(&self) -> Vec<bool> {
        self.1.lock().expect("not poisoned").clone()
    }
}

fn access(offset: u64, size: usize) -> Access {
    Access {
        offset,
        size,
        secure: false,
    }
}

fn read(rtc: &mut Pl031, register: u64) -> u64 {
    rtc.read(access(register, 4))
}

fn write(rtc: &mut Pl031, register: u64, value: u64) {
    assert_eq!(rtc.write(access(register, 4), value), Effect::None);
}

#[test]
fn it_identifies_itself_as_a_pl031() {
    let mut rtc = World::default().rtc();
    let id = (0..4).fold(0, |id, n| id | read(&mut rtc, ID + 4 * n) << (8 * n));
    assert_eq!(
        id & 0xf_ffff,
        0x4_1031,
        "the AMBA bus matches on part and designer"
    );
    let cell = (4..8).fold(0, |id, n| id | read(&mut rtc, ID + 4 * n) << (8 * (n - 4)));
    assert_eq!(cell, 0xb105_f00d);
}

#[test]
fn it_runs_from_the_start_and_shows_the_hosts_time() {
    let world = World::default();
    let mut rtc = world.rtc();
    assert_eq!(read(&mut rtc, CR), 1);
    assert_eq!(read(&mut rtc, DR), NOW);
    world.at(NOW + 3);
    assert_eq!(read(&mut rtc, DR), NOW + 3);
    for register in [MR, LR, IMSC, RIS, MIS, ICR] {
        assert_eq!(read(&mut rtc, register), 0, "{register:#x}");
    }
    assert!(!rtc.has_alarm() && world.irq().is_empty());
}

#[test]
fn the_guest_sets_it_and_it_goes_on_from_there() {
    let world = World::default();
    let mut rtc = world.rtc();
    write(&mut rtc, LR, 100);
    world.at(NOW + 7);
    assert_eq!(read(&mut rtc, DR), 107);
    assert_eq!(read(&mut rtc, LR), 100, "what was loaded last");
    // The count has 32 bits.
    write(&mut rtc, LR, 0xffff_ffff);
    world.at(NOW + 9);
    assert_eq!(read(&mut rtc, DR), 1);
}

#[test]
fn an_alarm_interrupts_when_the_count_is_there_and_not_before() {
    let world = World::default();
    let mut rtc = world.rtc();
    write(&mut rtc, MR, NOW + 10);
    assert!(!rtc.has_alarm(), "its interrupt is masked");
    write(&mut rtc, IMSC, 1);
    assert!(rtc.has_alarm());
    world.at(NOW + 9);
    rtc.tick();
    assert!(world.irq().is_empty());
    world.at(NOW + 10);
    rtc.tick();
    assert_eq!(world.irq(), [true]);
    assert!(!rtc.has_alarm(), "it has come");
    assert_eq!((read(&mut rtc, RIS), read(&mut rtc, MIS)), (1, 1));
    // The line is a level: it stays until somebody clears it, and only a one does.
    world.at(NOW + 11);
    rtc.tick();
    write(&mut rtc, ICR, 0);
    assert_eq!(world.irq(), [true]);
    write(&mut rtc, ICR, 1);
    assert_eq!(world.irq(), [true, false]);
    assert_eq!((read(&mut rtc, RIS), read(&mut rtc, MIS)), (0, 0));
    assert_eq!(read(&mut rtc, MR), NOW + 10);
}

#[test]
fn a_masked_alarm_is_raw_and_interrupts_when_it_is_unmasked() {
    let world = World::default();
    let mut rtc = world.rtc();
    write(&mut rtc, MR, NOW + 1);
    world.at(NOW + 5);
    // Nobody has ticked: the registers agree nevertheless.
    assert_eq!(read(&mut rtc, DR), NOW + 5);
    assert_eq!((read(&mut rtc, RIS), read(&mut rtc, MIS)), (1, 0));
    assert!(world.irq().is_empty());
    write(&mut rtc, IMSC, 0xffff_ffff);
    assert_eq!((read(&mut rtc, IMSC), read(&mut rtc, MIS)), (1, 1));
    write(&mut rtc, IMSC, 0xffff_fffe);
    assert_eq!(world.irq(), [true, false]);
    assert_eq!(read(&mut rtc, RIS), 1, "masking clears nothing");
}

#[test]
fn an_alarm_for_this_second_has_come_and_one_for_the_past_comes_after_the_wrap() {
    let world = World::default();
    let mut rtc = world.rtc();
    write(&mut rtc, IMSC, 1);
    write(&mut rtc, MR, NOW);
    assert_eq!(world.irq(), [true]);
    write(&mut rtc, ICR, 1);
    assert_eq!(world.irq(), [true, false], "once for each match");
    write(&mut rtc, MR, NOW - 1);
    world.at(NOW + u64::from(u32::MAX) - 1);
    rtc.tick();
    assert!(rtc.has_alarm());
    world.at(NOW + u64::from(u32::MAX));
    rtc.tick();
    assert_eq!(world.irq(), [true, false, true]);
}

#[test]
fn the_last_alarm_counts_and_moves_with_the_count() {
    let world = World::default();
    let mut rtc = world.rtc();
    write(&mut rtc, IMSC, 1);
    write(&mut rtc, MR, NOW + 10);
    write(&mut rtc, MR, NOW + 100);
    world.at(NOW + 50);
    rtc.tick();
    assert!(world.irq().is_empty());
    // Eight seconds before the alarm.
    write(&mut rtc, LR, NOW + 92);
    world.at(NOW + 57);
    rtc.tick();
    assert!(world.irq().is_empty());
    world.at(NOW + 58);
    rtc.tick();
    assert_eq!(world.irq(), [true]);
}

#[test]
fn the_host_may_set_its_clock() {
    let world = World::default();
    let mut rtc = world.rtc();
    write(&mut rtc, IMSC, 1);
    write(&mut rtc, MR, NOW + 10);
    world.at(NOW - 1000);
    rtc.tick();
    assert_eq!(read(&mut rtc, DR), NOW - 1000);
    assert!(rtc.has_alarm() && world.irq().is_empty());
    world.at(NOW + 5000);
    rtc.tick();
    assert_eq!(world.irq(), [true]);
}

#[test]
fn what_is_not_to_be_written_keeps_its_value() {
    let world = World::default();
    let mut rtc = world.rtc();
    let unwritable = [DR, CR, RIS, MIS, 0x020, 0x080, 0xfdc];
    for register in unwritable.into_iter().chain((ID..0x1000).step_by(4)) {
        let before = read(&mut rtc, register);
        write(&mut rtc, register, !before);
        assert_eq!(read(&mut rtc, register), before, "{register:#x}");
    }
    assert!(!rtc.has_alarm() && world.irq().is_empty());
}

#[test]
fn registers_are_written_whole_and_can_be_read_in_parts() {
    let world = World::default();
    let mut rtc = world.rtc();
    write(&mut rtc, MR, 0x8765_4321);
    for (offset, size) in [(MR, 1), (MR, 2), (MR, 8), (MR + 1, 4), (MR + 2, 2)] {
        let _none = rtc.write(access(offset, size), 0);
        assert_eq!(read(&mut rtc, MR), 0x8765_4321, "{size} at {offset:#x}");
    }
    assert_eq!(rtc.read(access(MR + 2, 2)), 0x8765);
    assert_eq!(rtc.read(access(MR + 3, 1)), 0x87);
    assert_eq!(rtc.read(access(MR, 8)), 0x8765_4321);
}

proptest! {
    /// Whatever a guest does, and whatever the host's clock is: no panic, one bit of interrupt, and a
    /// line that says what the registers say.
    #[test]
    fn it_stands_anything(
        accesses in prop::collection::vec(
            (0..Pl031::SIZE, prop::sample::select(vec![1, 2, 4, 8]), any::<u64>(), any::<bool>()),
            1..100,
        ),
        registers in prop::collection::vec((0..8_u64, any::<u64>(), any::<u64>()), 1..100),
    ) {
        let world = World::default();
        let mut rtc = world.rtc();
        for (offset, size, value, is_write) in accesses {
            if is_write {
                let _none = rtc.write(access(offset, size), value);
            } else {
                rtc.read(access(offset, size));
            }
        }
        for (register, value, second) in registers {
            world.at(second);
            write(&mut rtc, 4 * register, value);
            let (mask, raw) = (read(&mut rtc, IMSC), read(&mut rtc, RIS));
            prop_assert!(mask <= 1 && raw <= 1);
            prop_assert_eq!(read(&mut rtc, MIS), mask & raw);
            prop_assert_eq!(world.irq().last() == Some(&true), mask & raw == 1);
        }
    }
}
