// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One test at a time for 32-bit guests, which disturb each other in an emulated host
//! (docs/decisions/0005-emulated-32-bit.md).

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// The thread whose test has a 32-bit guest, and how many machines it has.
static HOLDER: Mutex<Option<(ThreadId, u32)>> = Mutex::new(None);
static FREE: Condvar = Condvar::new();

/// Held by a machine with a 32-bit guest.
#[derive(Debug)]
pub(crate) struct OnlyOne32Bit(());

impl OnlyOne32Bit {
    /// Waits until no other thread's test has a 32-bit guest.
    pub(crate) fn wait() -> OnlyOne32Bit {
        let own = thread::current().id();
        let mut holder = lock();
        loop {
            match *holder {
                Some((id, count)) if id == own => *holder = Some((id, count + 1)),
                Some(_) => {
                    holder = FREE.wait(holder).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                None => *holder = Some((own, 1)),
            }
            return OnlyOne32Bit(());
        }
    }
}

impl Drop for OnlyOne32Bit {
    fn drop(&mut self) {
        let mut holder = lock();
        *holder = holder
            .filter(|&(_, count)| count > 1)
            .map(|(id, count)| (id, count - 1));
        FREE.notify_all();
    }
}

fn lock() -> MutexGuard<'static, Option<(ThreadId, u32)>> {
    HOLDER.lock().unwrap_or_else(PoisonError::into_inner)
}
