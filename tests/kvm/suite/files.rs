// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The files of a lane: for tests that look at what the lane keeps to itself, or have the host fail.

use std::fs::File;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use fakemon_host::Lane;
use fakemon_tests::machine::Cpu;

/// The lane's file of the guest's vCPU.
pub(super) fn guest(cpu: &Cpu) -> RawFd {
    lane(cpu).guest_vcpu().as_raw_fd()
}

/// The file of the vCPU on which the first payload runs.
pub(super) fn monitor(cpu: &Cpu) -> RawFd {
    let file = lane(cpu).payload_vcpu(0);
    file.expect("a payload").as_raw_fd()
}

fn lane(cpu: &Cpu) -> &Lane {
    cpu.firmware.as_ref().expect("a blob")
}

/// A file that is another one, with which KVM has nothing to do, as long as this lives.
pub(super) struct Broken {
    number: RawFd,
    file: OwnedFd,
}

impl Broken {
    pub(super) fn new(number: RawFd) -> Broken {
        // SAFETY: the lane has the file open, and outlives this.
        let file = unsafe { BorrowedFd::borrow_raw(number) };
        let file = file.try_clone_to_owned().expect("a file of the same");
        let broken = Broken { number, file };
        let nothing = File::open("/dev/null").expect("/dev/null");
        broken.put(nothing.as_raw_fd());
        broken
    }

    fn put(&self, file: RawFd) {
        // SAFETY: the lane keeps its descriptor open, and finds another file there, on which none of
        // KVM's requests does anything.
        let number = unsafe { libc::dup3(file, self.number, libc::O_CLOEXEC) };
        assert_eq!(number, self.number);
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        self.put(self.file.as_raw_fd());
    }
}
