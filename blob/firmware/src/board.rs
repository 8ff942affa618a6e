// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a board is to its firmware's runtime.

use crate::call::Call;
use crate::context::Context;
use crate::error::Error;

/// The entry points of a board's secure firmware.
///
/// A board is a value, made anew by each reset of the machine: what its firmware remembers from call
/// to call lies in it, behind a [`Lock`](crate::Lock) or in atomics.
///
/// ```
/// use fakemon_firmware::services::{psci::Psci, trng::Trng};
/// use fakemon_firmware::{Board, Call, dispatch};
///
/// /// PSCI and random numbers, and nothing of the board's own.
/// struct Small;
///
/// impl Board for Small {
///     const NEW: Self = Small;
///
///     fn call(&self, call: &mut Call<'_>) {
///         dispatch::smccc(&[&Psci::new(), &Trng], call);
///     }
/// }
/// ```
pub trait Board: Sync {
    /// The board as it comes out of reset.
    const NEW: Self;

    /// Serves an SMC or HVC with immediate 0; most boards leave it to
    /// [`dispatch::smccc`](crate::dispatch::smccc).
    fn call(&self, call: &mut Call<'_>);

    /// Serves an SMC or HVC with another immediate, which SMCCC reserves.
    fn call_with_immediate(&self, call: &mut Call<'_>) {
        call.answer(Error::NotSupported);
    }

    /// Looks what is due for a CPU that has entered the firmware without a call: because of
    /// [`Platform::interrupt`](crate::Platform::interrupt), of
    /// [`Platform::timer`](crate::Platform::timer), or for no reason. What the CPU was doing goes on
    /// unless this changes `context`.
    fn interrupt(&self, context: &mut Context<'_>) {
        let _ = context;
    }
}
