// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From the saved registers to the firmware: with a call, and without one.

use core::mem::{offset_of, size_of};

use fakemon_abi::frame::REGS;

/// What the vectors save on the stack and restore before they return to the caller.
///
/// x19 to x28 are not here: compiled code saves those that it uses.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Saved {
    /// x0 to x17: the call's arguments, then its results; or what was interrupted.
    pub x: [u64; REGS],
    /// x18, which compiled code may use and the caller may rely on.
    pub x18: u64,
    /// The frame pointer.
    pub x29: u64,
    /// The link register.
    pub x30: u64,
}

// The vectors' assembly relies on these.
const _: () = {
    assert!(size_of::<Saved>() == 176);
    assert!(offset_of!(Saved, x) == 0 && offset_of!(Saved, x18) == 144);
    assert!(offset_of!(Saved, x29) == 152 && offset_of!(Saved, x30) == 160);
};

/// Serves the call that the vectors have saved. Called by [`blob!`](crate::blob) alone.
#[cfg(target_os = "none")]
pub fn enter<B: fakemon_firmware::Board>(board: &B, saved: &mut Saved) {
    use aarch64_cpu::registers::{ESR_EL1, Readable};
    use fakemon_firmware::{Call, Trap, dispatch};

    let Some(trap) = Trap::from_esr(ESR_EL1.get()) else {
        panic!("entered by an exception that is neither SMC nor HVC");
    };
    let mut host = crate::doorbell::host();
    with_resume(|resume| {
        let mut call = Call::new(&mut saved.x, trap, resume, &mut host);
        dispatch::dispatch(board, &mut call);
    });
}

/// Looks what is due for a guest that was interrupted and whose registers the vectors have saved.
/// Called by [`blob!`](crate::blob) alone.
#[cfg(target_os = "none")]
pub fn interrupt<B: fakemon_firmware::Board>(board: &B, saved: &mut Saved, is_aarch32: bool) {
    use fakemon_abi::Width;
    use fakemon_firmware::{Context, dispatch};

    let width = if is_aarch32 {
        Width::AArch32
    } else {
        Width::AArch64
    };
    let mut host = crate::doorbell::host();
    with_resume(|resume| {
        dispatch::interrupt(
            board,
            &mut Context::new(&mut saved.x, width, resume, &mut host),
        );
    });
}

/// Does something that may change where the guest goes on, which ELR_EL1 and SPSR_EL1 say.
#[cfg(target_os = "none")]
fn with_resume(work: impl FnOnce(&mut fakemon_firmware::Resume)) {
    use aarch64_cpu::registers::{ELR_EL1, Readable, SPSR_EL1, Writeable};
    use fakemon_abi::frame::SPSR_IL;

    let mut resume = fakemon_firmware::Resume {
        pc: ELR_EL1.get(),
        pstate: SPSR_EL1.get() & !SPSR_IL,
    };
    work(&mut resume);
    // The bit that makes the return trap (decisions/0002-il-trap.md) is not a service's to choose.
    ELR_EL1.set(resume.pc);
    SPSR_EL1.set(resume.pstate | SPSR_IL);
}
