// SPDX-License-Identifier: Apache-2.0 OR MIT
//! All trials; each module's first lines say which requirement it holds.

use libtest_mimic::Trial;

mod aarch32;
mod architecture;
mod calls;
mod conduit;
mod contract;
mod engine;
mod entry;
mod example;
mod faults;
mod files;
mod host_errors;
mod hostcalls;
mod isolation;
mod kick;
mod live_memory;
mod memory;
mod policy;
mod requests;
mod returns;
mod sdei;
mod smp;
mod stolen_time;
mod undefined;
mod world;

pub(crate) fn tests() -> Vec<Trial> {
    let parts = [
        aarch32::tests(),
        architecture::tests(),
        calls::tests(),
        conduit::tests(),
        contract::tests(),
        engine::tests(),
        entry::tests(),
        example::tests(),
        faults::tests(),
        host_errors::tests(),
        hostcalls::tests(),
        isolation::tests(),
        kick::tests(),
        live_memory::tests(),
        memory::tests(),
        policy::tests(),
        requests::tests(),
        returns::tests(),
        sdei::tests(),
        smp::tests(),
        stolen_time::tests(),
        undefined::tests(),
        world::tests(),
    ];
    parts.into_iter().flatten().collect()
}

/// Blocks all signals in the calling thread.
fn block_signals() {
    // SAFETY: a set of signals is an array of numbers, for which zero is a value.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is valid for its size.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: the set is one, and nobody asks for the one before.
    let done =
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut()) };
    assert_eq!(done, 0);
}
