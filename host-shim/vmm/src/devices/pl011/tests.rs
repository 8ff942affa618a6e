// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The UART as Linux's amba-pl011 driver uses it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::*;

#[derive(Clone, Default)]
struct World(Arc<Mutex<(Vec<u8>, Vec<bool>)>>, Arc<AtomicBool>);

impl Sink for World {
    fn put(&mut self, byte: u8) {
        self.0.lock().expect("not poisoned").0.push(byte);
    }
    fn has_room(&self) -> bool {
        !self.1.load(Ordering::Relaxed)
    }
}

impl IrqLine for World {
    fn set(&self, high: bool) {
        self.0.lock().expect("not poisoned").1.push(high);
    }
}

impl World {
    fn uart(&self) -> Pl011 {
        Pl011::new(Box::new(self.clone()), Box::new(self.clone()))
    }
    fn sent(&self) -> Vec<u8> {
        self.0.lock().expect("not poisoned").0.clone()
    }
    fn irq(&self) -> Vec<bool> {
        self.0.lock().expect("not poisoned").1.clone()
    }
}

fn at(offset: u64) -> Access {
    Access {
        offset,
        size: 4,
        secure: false,
    }
}

#[test]
fn it_identifies_itself_as_a_pl011() {
    let mut uart = World::default().uart();
    let id = (0..4).fold(0, |id, n| id | uart.read(at(0xfe0 + 4 * n)) << (8 * n));
    assert_eq!(
        id & 0xf_ffff,
        0x4_1011,
        "the AMBA bus matches on part and designer"
    );
    let cell = (0..4).fold(0, |id, n| id | uart.read(at(0xff0 + 4 * n)) << (8 * n));
    assert_eq!(cell, 0xb105_f00d);
}

#[test]
fn what_is_sent_leaves_in_order_and_interrupts_when_unmasked() {
    let world = World::default();
    let mut uart = world.uart();
    for byte in b"hi" {
        assert_eq!(uart.write(at(DR), (*byte).into()), Effect::None);
    }
    assert_eq!(world.sent(), b"hi");
    assert!(world.irq().is_empty(), "masked");
    let _ = uart.write(at(IMSC), INT_TX.into());
    let _ = uart.write(at(IMSC), 0);
    assert_eq!(world.irq(), [true, false]);
}

#[test]
fn received_bytes_raise_the_interrupt_until_all_are_read() {
    let world = World::default();
    let mut uart = world.uart();
    let _ = uart.write(at(IMSC), INT_RX.into());
    uart.receive(b"ab");
    assert_eq!(uart.read(at(FR)) & u64::from(FR_RXFE), 0);
    assert_eq!(uart.read(at(MIS)), u64::from(INT_RX));
    let _ = uart.write(at(ICR), INT_RX.into());
    assert_eq!(uart.read(at(DR)), u64::from(b'a'));
    assert_eq!(
        world.irq(),
        [true],
        "there is one more byte, so clearing does nothing"
    );
    assert_eq!(uart.read(at(DR)), u64::from(b'b'));
    assert_eq!(world.irq(), [true, false]);
    assert_ne!(uart.read(at(FR)) & u64::from(FR_RXFE), 0);
    assert_eq!(uart.read(at(DR)), 0, "an empty FIFO reads as zero");
}

#[test]
fn a_flood_of_input_is_cut_off_and_the_first_bytes_stay() {
    let mut uart = World::default().uart();
    uart.receive(&[b'x'; BACKLOG + 10]);
    uart.receive(b"late");
    let mut count = 0;
    while uart.read(at(FR)) & u64::from(FR_RXFE) == 0 {
        assert_eq!(uart.read(at(DR)), u64::from(b'x'));
        count += 1;
    }
    assert_eq!(count, BACKLOG);
}

#[test]
fn the_line_settings_read_back_and_a_byte_of_a_register_can_be_read() {
    let mut uart = World::default().uart();
    let _ = uart.write(at(CR), 0x301);
    assert_eq!(uart.read(at(CR)), 0x301);
    assert_eq!(
        uart.read(Access {
            offset: CR + 1,
            size: 1,
            secure: false
        }),
        0x3
    );
    assert_eq!(uart.read(at(0x800)), 0, "no register there");
}

#[test]
fn a_reader_that_does_not_read_holds_the_guest_up_and_nobody_else() {
    let world = World::default();
    let mut uart = world.uart();
    let _ = uart.write(at(IMSC), INT_TX.into());
    world.1.store(true, Ordering::Relaxed);
    assert_eq!(uart.read(at(FR)) as u32 & (FR_TXFF | FR_TXFE), FR_TXFF);
    let _ = uart.write(at(DR), b'x'.into());
    uart.resume();
    assert!(world.irq().is_empty(), "there is no room yet");
    world.1.store(false, Ordering::Relaxed);
    assert_eq!(uart.read(at(FR)) as u32 & (FR_TXFF | FR_TXFE), FR_TXFE);
    uart.resume();
    assert_eq!(world.irq(), [true], "the guest may go on");
    let _ = uart.write(at(ICR), INT_TX.into());
    uart.resume();
    assert_eq!(world.irq(), [true, false], "it is told once");
}

/// What a guest sees without an exit.
#[derive(Debug, Default)]
struct View {
    registers: Option<Vec<(u64, u32)>>,
    /// How often it came or went.
    changes: usize,
}

#[derive(Clone, Default)]
struct Pane(Arc<Mutex<View>>);

impl Window for Pane {
    fn open(&mut self, registers: &[(u64, u32)]) {
        let mut view = self.0.lock().expect("not poisoned");
        view.changes += usize::from(view.registers.is_none());
        view.registers = Some(registers.to_vec());
    }
    fn close(&mut self) {
        let mut view = self.0.lock().expect("not poisoned");
        view.changes += usize::from(view.registers.is_some());
        view.registers = None;
    }
}

impl Pane {
    fn register(&self, register: u64) -> Option<u32> {
        let view = self.0.lock().expect("not poisoned");
        let mut all = view.registers.as_ref()?.iter();
        let found = all.find(|(offset, _)| *offset == register);
        Some(found.map_or(0, |(_, value)| *value))
    }
}

#[test]
fn registers_are_in_the_window_while_reading_them_changes_nothing() {
    let (world, pane) = (World::default(), Pane::default());
    let mut uart = world.uart();
    uart.show_in(Box::new(pane.clone()));
    let _ = uart.write(at(CR), 0x301);
    for register in [
        FR, ILPR, IBRD, FBRD, LCR_H, CR, IFLS, IMSC, RIS, MIS, ICR, DMACR, ID, 0xffc,
    ] {
        let shown = u64::from(pane.register(register).expect("open"));
        assert_eq!(uart.read(at(register)), shown, "{register:#x}");
    }
    let _ = uart.write(at(DR), b'x'.into());
    assert_eq!(pane.register(RIS), Some(INT_TX));
    assert_eq!(
        pane.0.lock().expect("not poisoned").changes,
        1,
        "a letter changes no memory slot"
    );
    uart.receive(b"ab");
    assert_eq!(pane.register(FR), None, "what was typed is to be fetched");
    assert_eq!(uart.read(at(DR)), u64::from(b'a'));
    assert_eq!(pane.register(FR), None);
    assert_eq!(uart.read(at(DR)), u64::from(b'b'));
    assert_eq!(pane.register(FR), Some(uart.read(at(FR)) as u32));
    let _ = uart.write(at(IMSC), INT_TX.into());
    assert_eq!(
        pane.register(FR),
        None,
        "the guest waits for an interrupt after each letter"
    );
    let _ = uart.write(at(IMSC), INT_RX.into());
    assert_eq!(pane.register(IMSC), Some(INT_RX));
}
