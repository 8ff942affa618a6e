// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the lanes of a guest share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fakemon_abi::mpidr::AFFINITY;

use crate::guest::ram::Ram;
use crate::monitor::watchdog::Watchdog;
use crate::payload::Payload;
use crate::policy::Config;

/// No affinity.
const NOBODY: u64 = u64::MAX;

/// What all lanes of a guest see.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) payloads: Vec<Arc<Payload>>,
    pub(crate) ram: Ram,
    pub(crate) config: Config,
    pub(crate) cpus: u32,
    /// How often the payloads have been reset.
    resets: AtomicU64,
    /// Affinity of each CPU that has a lane, else [`NOBODY`].
    mpidr: Box<[AtomicU64]>,
    _watchdog: Watchdog,
}

impl Shared {
    pub(crate) fn new(
        payloads: Vec<Arc<Payload>>,
        ram: Ram,
        config: Config,
        cpus: u32,
        watchdog: Watchdog,
    ) -> Self {
        Shared {
            payloads,
            ram,
            config,
            cpus,
            resets: AtomicU64::new(0),
            mpidr: (0..cpus).map(|_| AtomicU64::new(NOBODY)).collect(),
            _watchdog: watchdog,
        }
    }

    /// How often the payloads have been reset: a lane that has seen fewer has to start over.
    #[inline(always)]
    pub(crate) fn resets(&self) -> u64 {
        self.resets.load(Ordering::Relaxed)
    }

    /// Notes that they have been reset.
    pub(crate) fn count_reset(&self) {
        self.resets.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes what CPU number `cpu` is called.
    pub(crate) fn set_mpidr(&self, cpu: u32, mpidr: u64) {
        self.mpidr[cpu as usize].store(mpidr & AFFINITY, Ordering::Relaxed);
    }

    /// The number of the CPU with this MPIDR.
    pub(crate) fn cpu_of(&self, mpidr: u64) -> Option<u32> {
        let is_it = |own: &AtomicU64| own.load(Ordering::Relaxed) == mpidr & AFFINITY;
        let found = self.mpidr.iter().position(is_it)?;
        u32::try_from(found).ok()
    }
}
