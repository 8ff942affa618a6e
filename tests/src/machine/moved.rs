// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A machine whose secure half is saved, dropped and made anew from what was saved, as in another process.

use fakemon_host::{Blob, Error, GuestMemory, SavedLane, SavedWorld, Step, World};
use kvm_ioctls::Kvm;

use super::{Machine, Options, RAM, RAM_SIZE};

/// The secure half of a machine, as it would be in a file.
#[derive(Debug)]
pub struct Saved {
    world: Vec<u8>,
    /// Of each vCPU.
    pub lanes: Vec<Vec<u8>>,
}

impl Machine {
    /// Saves its world and its lanes.
    ///
    /// # Errors
    /// What the library says.
    ///
    /// # Panics
    /// The policy is that no blob answers, or it cannot be written down.
    pub fn save(&mut self) -> Result<Saved, Error> {
        let lanes = self.cpus.iter_mut().map(|cpu| {
            let lane = cpu.firmware.as_mut().expect("a blob").save()?;
            Ok(serde_json::to_vec(&lane).expect("a lane as bytes"))
        });
        let lanes = lanes.collect::<Result<_, Error>>()?;
        let world = self.world.as_ref().expect("a blob").save()?;
        let world = serde_json::to_vec(&world).expect("a world as bytes");
        Ok(Saved { world, lanes })
    }

    /// Drops its world and its lanes, and makes others, with lanes that are in no call.
    ///
    /// # Panics
    /// As [`Machine::new`].
    pub fn forget(&mut self, blob: &Blob, options: &Options) {
        for cpu in &mut self.cpus {
            cpu.firmware = None;
        }
        self.world = None;
        let kvm = Kvm::new().expect("/dev/kvm");
        let cpus = options.cpus + options.spare_cpus;
        let world = World::new(&kvm, &[blob], cpus, options.config.clone()).expect("a world");
        let memory = GuestMemory {
            guest_addr: RAM,
            host_addr: self.ram.address(),
            size: RAM_SIZE,
        };
        // SAFETY: `ram` is dropped with the machine, after its vCPUs, and accessed by copies only.
        unsafe { world.add_memory(memory) }.expect("guest memory");
        for (n, cpu) in (0..).zip(&mut self.cpus) {
            let lane = world.lane(n, &cpu.fd, options.width).expect("a lane");
            cpu.firmware = Some(lane);
        }
        self.world = Some(world);
    }

    /// Makes its world and its lanes what they were: with which step each goes on.
    ///
    /// # Errors
    /// What the library says.
    ///
    /// # Panics
    /// The policy is that no blob answers, or it was saved by something else.
    pub fn restore(&mut self, saved: &Saved) -> Result<Vec<Step>, Error> {
        let world: SavedWorld = serde_json::from_slice(&saved.world).expect("a world");
        self.world.as_ref().expect("a blob").restore(&world)?;
        let lanes = self.cpus.iter_mut().zip(&saved.lanes);
        lanes
            .map(|(cpu, saved)| {
                let saved: SavedLane = serde_json::from_slice(saved).expect("a lane");
                cpu.restore(&saved)
            })
            .collect()
    }
}
