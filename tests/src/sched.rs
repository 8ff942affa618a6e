// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The calling thread and the host's scheduler: where it may run, and what it got.

use std::fs;
use std::io;
use std::time::Duration;

/// Keeps the calling thread on the first CPU of those that this process may use when all do so: what
/// pins itself shares that CPU.
///
/// # Panics
/// When the kernel refuses.
pub fn pin() {
    // SAFETY: a set of CPUs is an array of bits, for which zero is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid for its size.
    let known = unsafe { libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) };
    assert_eq!(known, 0, "{}", io::Error::last_os_error());
    let all = 0..libc::CPU_SETSIZE as usize;
    // SAFETY: the number is one of a bit of the set.
    let mut allowed = all.filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) });
    let first = allowed.next().expect("a CPU");
    // SAFETY: as above.
    unsafe { libc::CPU_ZERO(&mut set) };
    // SAFETY: as above.
    unsafe { libc::CPU_SET(first, &mut set) };
    // SAFETY: as above.
    let pinned = unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) };
    assert_eq!(pinned, 0, "{}", io::Error::last_os_error());
}

/// Lets the calling thread have only what others leave of its CPU.
///
/// # Panics
/// When the kernel refuses.
pub fn stand_back() {
    // `struct sched_param` of the kernel. The C library may not have this call.
    let priority: libc::c_int = 0;
    let (call, idle) = (libc::SYS_sched_setscheduler, libc::SCHED_IDLE);
    // SAFETY: the kernel only reads `priority`.
    let done = unsafe { libc::syscall(call, 0, idle, &raw const priority) };
    assert_eq!(done, 0, "{}", io::Error::last_os_error());
}

/// CPU time that the calling thread has used.
///
/// # Panics
/// When the kernel does not know its own clock.
pub fn used() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writing.
    let known = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(known, 0, "{}", io::Error::last_os_error());
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Uses so much CPU time, whatever the wall says.
pub fn work(time: Duration) {
    if time.is_zero() {
        return;
    }
    let end = used() + time;
    while used() < end {}
}

/// Nanoseconds that the calling thread was ready to run and did not (proc(5), schedstat).
///
/// # Panics
/// When the kernel does not keep them.
pub fn waited() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("schedstat");
    let second = text.split_whitespace().nth(1);
    second.and_then(|text| text.parse().ok()).expect("a number")
}
