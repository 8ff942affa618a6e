// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One call: what the caller's registers hold, how it came in, and how its answer goes back.

use aarch64_cpu::registers::ESR_EL1;
use fakemon_abi::frame::REGS;
use fakemon_abi::{Conduit, Width};
use tock_registers::LocalRegisterCopy;

use crate::context::{Context, Resume};
use crate::error::Code;
use crate::function_id::FunctionId;
use crate::platform::Platform;
use crate::power::PowerChange;

/// How a call came in, from the syndrome register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// The caller's execution state.
    pub width: Width,
    /// The instruction.
    pub conduit: Conduit,
    /// The instruction's immediate; always 0 for an SMC from AArch32, whose syndrome does not carry
    /// it.
    pub immediate: u16,
}

impl Trap {
    /// Decodes ESR_ELx (Arm ARM D24.2.40); [`None`] if it tells of anything but SMC or HVC.
    pub fn from_esr(esr: u64) -> Option<Trap> {
        let esr: LocalRegisterCopy<u64, ESR_EL1::Register> = LocalRegisterCopy::new(esr);
        let (width, conduit) = match esr.read(ESR_EL1::EC) {
            0x12 => (Width::AArch32, Conduit::Hvc),
            0x13 => (Width::AArch32, Conduit::Smc),
            0x16 => (Width::AArch64, Conduit::Hvc),
            0x17 => (Width::AArch64, Conduit::Smc),
            _ => return None,
        };
        let has_immediate = (width, conduit) != (Width::AArch32, Conduit::Smc);
        let immediate = if has_immediate {
            esr.read(ESR_EL1::ISS) as u16
        } else {
            0
        };
        Some(Trap {
            width,
            conduit,
            immediate,
        })
    }
}

/// A call that is not handled by one service of several.
fn nobody(_: &mut dyn Platform, _: PowerChange) {}

/// Tells all services of a board of a change of the calling CPU's power.
pub(crate) type Tell<'a> = &'a dyn Fn(&mut dyn Platform, PowerChange);

/// A call that a service handles.
pub struct Call<'a> {
    context: Context<'a>,
    trap: Trap,
    tell: Tell<'a>,
}

impl<'a> Call<'a> {
    /// Wraps the caller's registers x0 to x17.
    pub fn new(
        regs: &'a mut [u64; REGS],
        trap: Trap,
        resume: &'a mut Resume,
        platform: &'a mut dyn Platform,
    ) -> Self {
        Call {
            context: Context::new(regs, trap.width, resume, platform),
            trap,
            tell: &nobody,
        }
    }

    /// Returns the same call for one of a board's services, of which `tell` reaches all.
    pub(crate) fn telling<'b>(&'b mut self, tell: Tell<'b>) -> Call<'b> {
        Call {
            context: self.context.reborrow(),
            trap: self.trap,
            tell,
        }
    }

    /// Tells all services of the board that the calling CPU's power is about to change.
    pub fn cpu_power(&mut self, change: PowerChange) {
        let tell = self.tell;
        tell(self.platform(), change);
    }

    /// Returns the caller, as it is without the call.
    pub fn context(&mut self) -> &mut Context<'a> {
        &mut self.context
    }

    /// Returns the function that w0 or r0 names, without the SVE hint.
    pub fn id(&self) -> FunctionId {
        FunctionId(self.register(0) as u32).without_hint()
    }

    /// Returns how the call came in.
    pub fn trap(&self) -> Trap {
        self.trap
    }

    /// Returns the caller's execution state.
    pub fn width(&self) -> Width {
        self.trap.width
    }

    /// Returns where the caller goes on, which a service may change (docs/abi.md, "Return").
    pub fn resume(&mut self) -> &mut Resume {
        self.context.resume()
    }

    /// Returns the platform, for what the machine must do.
    pub fn platform(&mut self) -> &mut (dyn Platform + 'a) {
        self.context.platform()
    }

    /// Returns register `n` as it is; 0 past x17.
    pub fn register(&self, n: usize) -> u64 {
        self.context.register(n)
    }

    /// Returns argument `n`, from x`n`: 64 bits if the function's convention is 64-bit, else 32.
    pub fn arg(&self, n: usize) -> u64 {
        if self.id().is_64() && self.width() == Width::AArch64 {
            self.register(n)
        } else {
            self.register(n) & 0xffff_ffff
        }
    }

    /// Sets register `n` to a result, of which an AArch32 caller gets the low half. Nothing past
    /// x17 is set.
    pub fn set(&mut self, n: usize, value: u64) {
        self.context.set(n, value);
    }

    /// Answers with a code in x0 or r0: the one place where an error becomes a number.
    ///
    /// It is sign-extended to the width of the caller's register even for a 32-bit function:
    /// kernels compare either w0 or x0 with -1, and so both find what they look for.
    pub fn answer(&mut self, code: impl Code) {
        self.set(0, i64::from(code.code()).cast_unsigned());
    }
}

impl core::fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Call")
            .field("context", &self.context)
            .field("trap", &self.trap)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePlatform;

    #[test]
    fn the_syndrome_tells_width_conduit_and_immediate() {
        let trap = |width, conduit, immediate| {
            Some(Trap {
                width,
                conduit,
                immediate,
            })
        };
        assert_eq!(
            Trap::from_esr(0x5e00_0001),
            trap(Width::AArch64, Conduit::Smc, 1)
        );
        assert_eq!(
            Trap::from_esr(0x5a00_ffff),
            trap(Width::AArch64, Conduit::Hvc, 0xffff)
        );
        assert_eq!(
            Trap::from_esr(0x4a00_0002),
            trap(Width::AArch32, Conduit::Hvc, 2)
        );
        assert_eq!(
            Trap::from_esr(0x4e08_0003),
            trap(Width::AArch32, Conduit::Smc, 0)
        );
        assert_eq!(
            Trap::from_esr(0x5600_0000),
            None,
            "an SVC is no call of ours"
        );
        assert_eq!(Trap::from_esr(0), None);
    }

    #[test]
    fn arguments_and_answers_have_the_callers_width() {
        let mut platform = FakePlatform::new(1);
        for (id, width, arg, minus_one) in [
            (0xc400_0003, Width::AArch64, 0x1_0000_0002, u64::MAX),
            (0x8400_0003, Width::AArch64, 2, u64::MAX),
            (0x8400_0003, Width::AArch32, 2, 0xffff_ffff),
        ] {
            let mut regs = [0x1_0000_0002; REGS];
            regs[0] = id;
            let trap = Trap {
                width,
                conduit: Conduit::Smc,
                immediate: 0,
            };
            let mut resume = Resume::default();
            let mut call = Call::new(&mut regs, trap, &mut resume, &mut platform);
            assert_eq!(call.arg(1), arg);
            assert_eq!(call.register(1), 0x1_0000_0002);
            assert_eq!((call.arg(99), call.register(99)), (0, 0));
            call.answer(-1);
            call.set(99, 5);
            assert_eq!(regs[0], minus_one);
            assert_eq!(regs[1..], [0x1_0000_0002; REGS - 1]);
        }
    }
}
