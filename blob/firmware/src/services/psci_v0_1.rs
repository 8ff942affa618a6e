// SPDX-License-Identifier: Apache-2.0 OR MIT
//! PSCI 0.1 (Arm DEN 0022 A): the same ideas as later, but each board chooses the function IDs and
//! tells the kernel in its device tree.

use crate::call::Call;
use crate::error::Error;
use crate::function_id::FunctionId;
use crate::service::Service;
use crate::services::psci::{StateFormat, cpu_off, cpu_on, cpu_suspend};

/// The PSCI 0.1 service with a board's own function IDs; a function without one is not there.
#[derive(Clone, Copy, Debug)]
pub struct PsciV0_1 {
    /// `cpu_suspend` in the device tree.
    pub cpu_suspend: Option<FunctionId>,
    /// `cpu_off` in the device tree.
    pub cpu_off: Option<FunctionId>,
    /// `cpu_on` in the device tree.
    pub cpu_on: Option<FunctionId>,
    /// The affinity level whose power-down is the whole machine's, if the board has one.
    ///
    /// PSCI 0.1 has no SYSTEM_SUSPEND; a kernel that wants it asks for CPU_SUSPEND at the highest
    /// level. It cannot ask whether the other CPUs are off either, so one may still be on its way
    /// out then, and that is no reason to refuse.
    pub machine_level: Option<u64>,
}

impl Service for PsciV0_1 {
    fn owns(&self, id: FunctionId) -> bool {
        [self.cpu_suspend, self.cpu_off, self.cpu_on].contains(&Some(id))
    }

    fn handle(&self, call: &mut Call<'_>) {
        let id = Some(call.id());
        let code = if id == self.cpu_suspend {
            cpu_suspend(call, StateFormat::Original, self.machine_level)
        } else if id == self.cpu_off {
            Err(cpu_off(call))
        } else if id == self.cpu_on {
            cpu_on(call)
        } else {
            Err(Error::NotSupported)
        };
        call.answer(code.map_err(code_of_0_1));
    }
}

/// Puts a code of PSCI 1.1 in the terms of 0.1, which has three of them.
fn code_of_0_1(error: Error) -> Error {
    match error {
        Error::NotSupported | Error::Denied => error,
        _ => Error::InvalidParameters,
    }
}

#[cfg(test)]
mod tests;
