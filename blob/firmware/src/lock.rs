// SPDX-License-Identifier: Apache-2.0 OR MIT
//! State that calls share: behind a spin lock, one for all CPUs or one value for each.
//!
//! Calls of different CPUs run at the same time, so what a board remembers needs a lock. A holder
//! that never lets go would stop every other CPU until the watchdog notices: under a lock, make no
//! host call that does not return.

use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, Ordering};

/// A value that one CPU at a time can touch.
#[derive(Debug)]
pub struct Lock<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: `with` alone reaches the value, and only while it has turned `taken` from false to true.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    /// Puts `value` behind a lock.
    pub const fn new(value: T) -> Self {
        Lock {
            taken: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits for the lock and does something with the value.
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        struct Release<'a>(&'a AtomicBool);
        impl Drop for Release<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
            }
        }
        while self.taken.swap(true, Ordering::Acquire) {
            spin_loop();
        }
        let _release = Release(&self.taken);
        // SAFETY: this CPU has just turned `taken` to true, and nobody else passes the loop above
        // until `_release` is dropped, which is after `work`.
        work(unsafe { &mut *self.value.get() })
    }
}

impl<T: Copy> Lock<T> {
    /// Returns a copy of the value.
    pub fn get(&self) -> T {
        self.with(|value| *value)
    }

    /// Replaces the value.
    pub fn set(&self, new: T) {
        self.with(|value| *value = new);
    }
}

/// One value for each of the first `N` CPUs.
#[derive(Debug)]
pub struct PerCpu<T, const N: usize>(Lock<[T; N]>);

impl<T: Copy, const N: usize> PerCpu<T, N> {
    /// Gives each CPU a copy of `value`.
    pub const fn new(value: T) -> Self {
        PerCpu(Lock::new([value; N]))
    }

    /// Does something with the value of CPU number `cpu`; [`None`] for one beyond the last.
    pub fn with<R>(&self, cpu: u32, work: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.0.with(|values| values.get_mut(cpu as usize).map(work))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_many_threads_add_up() {
        let (all, each) = (Lock::new(0), PerCpu::<u32, 4>::new(0));
        std::thread::scope(|scope| {
            for cpu in 0..4 {
                let (all, each) = (&all, &each);
                scope.spawn(move || {
                    for _ in 0..10_000 {
                        all.with(|count| *count += 1);
                        each.with(cpu, |count| *count += 1);
                    }
                });
            }
        });
        assert_eq!(all.get(), 40_000);
        for cpu in 0..4 {
            assert_eq!(each.with(cpu, |count| *count), Some(10_000));
        }
        assert_eq!(each.with(4, |count| *count), None, "there is no such CPU");
    }

    #[test]
    fn a_panic_under_the_lock_releases_it() {
        let lock = Lock::new(1);
        let work = || lock.with(|_| panic!("on purpose"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).is_err());
        lock.set(2);
        assert_eq!(lock.get(), 2);
    }
}
