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
