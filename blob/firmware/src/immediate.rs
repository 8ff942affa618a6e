// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The immediate of the instruction that made a call, which an AArch32 SMC's syndrome leaves out.
//!
//! Firmware for 32-bit boards tells `smc #1` from `smc #0`. The trap does not (Arm ARM, ISS encoding
//! for an exception from SMC instruction execution in AArch32 state), so the instruction itself has
//! to be looked at: the four bytes before where the caller goes on, in ARM and in Thumb code alike, at a virtual
//! address. Two CPUs may see to it that what is read is not what was executed; a board must stand
//! that, as it stands any other immediate.

use fakemon_abi::{Conduit, Width};

use crate::call::Call;
use crate::error::Error;

/// CPSR.T, bit 5: the caller's code is Thumb's.
const THUMB: u64 = 1 << 5;
/// `smc` in ARM code, of any condition (Arm ARM F5.1, SMC, A1): these bits, then four of immediate.
const ARM: (u32, u32) = (0x0ff0_00f0, 0x0160_0070);
/// `smc` in Thumb code (T1): these bits of the first halfword, then four of immediate, and these of
/// the second.
const THUMB_FIRST: (u16, u16) = (0xfff0, 0xf7f0);
const THUMB_SECOND: (u16, u16) = (0xf000, 0x8000);

impl Call<'_> {
    /// Returns the immediate of the SMC or HVC. For an SMC from AArch32 it is read from the guest's
    /// memory, which the note has to ask for.
    ///
    /// # Errors
    /// [`Error::InvalidAddress`] or another code of the platform if the instruction cannot be read,
    /// [`Error::InvalidParameters`] if what is there is no SMC.
    pub fn immediate(&mut self) -> Result<u16, Error> {
        let trap = self.trap();
        if (trap.width, trap.conduit) != (Width::AArch32, Conduit::Smc) {
            return Ok(trap.immediate);
        }
        let resume = *self.resume();
        // A PC has 32 bits here and may have wrapped.
        let pc = (resume.pc as u32).wrapping_sub(4);
        let immediate = if resume.pstate & THUMB == 0 {
            let instruction = self.word(pc)?;
            (instruction & ARM.0 == ARM.1).then_some((instruction & 0xf) as u16)
        } else {
            // The halves may lie in different pages.
            let first = self.halfword(pc)?;
            let second = self.halfword(pc.wrapping_add(2))?;
            let is_smc =
                first & THUMB_FIRST.0 == THUMB_FIRST.1 && second & THUMB_SECOND.0 == THUMB_SECOND.1;
            is_smc.then_some(first & 0xf)
        };
        immediate.ok_or(Error::InvalidParameters)
    }

    fn word(&mut self, va: u32) -> Result<u32, Error> {
        let mut bytes = [0; 4];
        self.fetch(va, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn halfword(&mut self, va: u32) -> Result<u16, Error> {
        let mut bytes = [0; 2];
        self.fetch(va, &mut bytes)?;
        Ok(u16::from_le_bytes(bytes))
    }

    fn fetch(&mut self, va: u32, to: &mut [u8]) -> Result<(), Error> {
        let pa = self.platform().translate(u64::from(va), false)?;
        self.platform().read_memory(pa, to)
    }
}

#[cfg(test)]
mod tests {
    use fakemon_abi::frame::REGS;

    use super::*;
    use crate::call::Trap;
    use crate::context::Resume;
    use crate::fake::{Asked, FakePlatform};

    /// What the guest's tables add to a virtual address.
    const OFFSET: u64 = 0x8000_0000_u64.wrapping_sub(0xc000_0000);

    /// The immediate of a call after these bytes at `va`.
    fn immediate(va: u64, code: &[u8], pstate: u64) -> Result<u16, Error> {
        let pa = |va: u64| va.wrapping_add(OFFSET) & 0xffff_ffff;
        let mut platform = FakePlatform::new(1)
            .with_memory(pa(va), code)
            .answering(move |asked| match asked {
                Asked::Translate(va, false) => Ok([pa(va), 0, 0, 0]),
                _ => Ok([0; 4]),
            });
        let trap = Trap {
            width: Width::AArch32,
            conduit: Conduit::Smc,
            immediate: 0,
        };
        let mut resume = Resume { pc: va + 4, pstate };
        Call::new(&mut [0; REGS], trap, &mut resume, &mut platform).immediate()
    }

    #[test]
    fn arm_code_has_it_in_the_low_bits_under_any_condition() {
        let arm = |code: u32| immediate(0xc000_8000, &code.to_le_bytes(), 0x1d3);
        assert_eq!(arm(0xe160_0070), Ok(0), "smc #0");
        assert_eq!(arm(0xe160_0071), Ok(1), "smc #1");
        assert_eq!(arm(0x0160_007f), Ok(15), "smceq #15");
        assert_eq!(arm(0xe140_0070), Err(Error::InvalidParameters), "hvc #0");
        assert_eq!(arm(0xf7f1_8000), Err(Error::InvalidParameters), "Thumb's");
    }

    #[test]
    fn thumb_code_has_it_in_its_first_half() {
        let thumb = |first: u16, second: u16| {
            let mut code = [0; 4];
            code[..2].copy_from_slice(&first.to_le_bytes());
            code[2..].copy_from_slice(&second.to_le_bytes());
            immediate(0xc000_8002, &code, 0x1f3)
        };
        assert_eq!(thumb(0xf7f0, 0x8000), Ok(0));
        assert_eq!(thumb(0xf7f1, 0x8000), Ok(1));
        assert_eq!(thumb(0xf7e1, 0x8000), Err(Error::InvalidParameters), "hvc");
        assert_eq!(
            thumb(0x0070, 0xe160),
            Err(Error::InvalidParameters),
            "ARM's"
        );
    }

    #[test]
    fn an_instruction_that_is_not_in_memory_is_an_error() {
        assert_eq!(immediate(0xc000_8000, &[], 0), Err(Error::InvalidAddress));
        assert_eq!(
            immediate(0xc000_8000, &[0xf1, 0xf7], 1 << 5),
            Err(Error::InvalidAddress)
        );
    }

    #[test]
    fn others_have_it_in_their_syndrome() {
        let trap = Trap {
            width: Width::AArch64,
            conduit: Conduit::Smc,
            immediate: 7,
        };
        let (mut platform, mut resume) = (FakePlatform::new(1), Resume::default());
        let mut regs = [0; REGS];
        assert_eq!(
            Call::new(&mut regs, trap, &mut resume, &mut platform).immediate(),
            Ok(7)
        );
        assert_eq!(platform.asked, []);
    }
}
