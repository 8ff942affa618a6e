// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program on the processor: its console, its memory, its calls, and its end.

use core::arch::{asm, global_asm};
use core::panic::PanicInfo;

use fakemon_replay::check::{self, Machine};
use fakemon_replay::table::Table;
use fakemon_replay::{IMAGE, IMAGE_SIZE, REGISTERS};

global_asm!(include_str!("start.S"), options(raw));

unsafe extern "C" {
    /// Where the table of calls begins.
    static replay_image_end: u32;
    /// Makes a call, see start.S.
    fn replay_smc(registers: *mut u32, which: u32);
}

/// The machine, whose physical addresses are mapped to themselves.
struct Board {
    uart: u32,
    power: u32,
    off: u32,
}

impl Board {
    fn of(table: &Table<'_>) -> Board {
        Board {
            uart: table.uart,
            power: table.power,
            off: table.off,
        }
    }

    /// Says that something failed: the line that the VMM takes for a kernel's last words.
    fn fail(&mut self) {
        check::text(self, "replay: FAILED\n");
    }

    fn power_off(mut self) -> ! {
        self.write(self.power, self.off);
        loop {
            // SAFETY: waits, and changes nothing.
            unsafe { asm!("wfi", options(nomem, nostack, preserves_flags)) };
        }
    }
}

impl Machine for Board {
    fn smc(&mut self, immediate: u8, thumb: bool, registers: &mut [u32; REGISTERS]) {
        let which = u32::from(immediate & 1) | u32::from(thumb) << 1;
        // SAFETY: it gets room for the registers. What firmware does to memory meanwhile is what
        // the table says, and none of that is the program's own.
        unsafe { replay_smc(registers.as_mut_ptr(), which) };
    }

    // Loads and stores with registers of our choice: the syndrome of a trapped access with r14, as
    // QEMU's TCG makes it, names the wrong register (docs/decisions/0005-emulated-32-bit.md).
    fn read(&mut self, address: u32) -> u32 {
        let value;
        // SAFETY: every address is mapped. The table's are of memory and registers outside the
        // program.
        unsafe {
            asm!("ldr r0, [r1]", "dsb sy", out("r0") value, in("r1") address,
                options(nostack, preserves_flags));
        }
        value
    }

    fn write(&mut self, address: u32, value: u32) {
        // SAFETY: as above.
        unsafe {
            asm!("str r0, [r1]", "dsb sy", in("r0") value, in("r1") address,
                options(nostack, preserves_flags));
        }
    }

    fn print(&mut self, character: u8) {
        // The VMM's UART always has room. A line ends as on a terminal.
        if character == b'\n' {
            self.write(self.uart, u32::from(b'\r'));
        }
        self.write(self.uart, u32::from(character));
    }
}

/// The words after the image.
fn table() -> Option<Table<'static>> {
    let start = &raw const replay_image_end;
    let bytes = (IMAGE + IMAGE_SIZE).saturating_sub(start.addr() as u32);
    // SAFETY: what is between the image and the end of its room is RAM, mapped, aligned and written
    // by nobody: the table, then zeros.
    let words = unsafe { core::slice::from_raw_parts(start, bytes as usize / 4) };
    Table::parse(words)
}

/// Where start.S goes when there is a stack.
#[unsafe(no_mangle)]
extern "C" fn replay_main() {
    // Without a table nothing is known of the machine, not even where to complain.
    let Some(table) = table() else { return };
    let mut board = Board::of(&table);
    if !check::run(&table, &mut board) {
        board.fail();
    }
    board.power_off();
}

/// Where start.S goes for an exception: number of the vector, and its LR.
#[unsafe(no_mangle)]
extern "C" fn replay_exception(vector: u32, lr: u32) {
    let Some(table) = table() else { return };
    let mut board = Board::of(&table);
    let name = match vector {
        1 => "an undefined instruction",
        3 => "a prefetch abort",
        4 => "a data abort",
        _ => "an exception",
    };
    check::text(&mut board, "replay: ");
    check::text(&mut board, name);
    check::text(&mut board, ", LR ");
    check::hexadecimal(&mut board, lr);
    check::text(&mut board, "\n");
    board.fail();
    board.power_off();
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    if let Some(table) = table() {
        let mut board = Board::of(&table);
        board.fail();
        board.power_off();
    }
    loop {}
}
