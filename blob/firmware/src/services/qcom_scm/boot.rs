// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SCM's service 1, BOOT: what happens after a crash.
//!
//! In download mode, a warm reset leads into the boot loader that hands memory over to a debugger.
//! SDI ("system debug image") does so for a reset by the watchdog.

use core::sync::atomic::{AtomicBool, Ordering};

use super::{Args, Error, Function, Kind, Reply, Signature};

/// Configures SDI.
pub const SDI_CONFIG: Signature =
    Signature::new(Function::sip(1, 0x09), &[Kind::Value, Kind::Value]);
/// Switches download mode.
pub const SET_DLOAD_MODE: Signature =
    Signature::new(Function::sip(1, 0x10), &[Kind::Value, Kind::Value]);

/// The first argument of [`SET_DLOAD_MODE`], and the second for on.
const DLOAD_MODE: u64 = 0x10;

/// What the firmware keeps for its next start.
#[derive(Debug)]
pub struct Boot {
    download: AtomicBool,
    sdi: AtomicBool,
}

impl Default for Boot {
    fn default() -> Self {
        Boot::new()
    }
}

impl Boot {
    /// As out of reset: download mode off, SDI on.
    pub const fn new() -> Self {
        Boot {
            download: AtomicBool::new(false),
            sdi: AtomicBool::new(true),
        }
    }

    /// [`SDI_CONFIG`]: 1 for no debugging by the watchdog or 0, then 1 for SDI or 0.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for other values.
    pub fn sdi_config(&self, args: &Args) -> Reply {
        if args[0] > 1 || args[1] > 1 {
            return Err(Error::InvalidArgument);
        }
        // The two always go together: debugging without SDI has nobody to debug.
        self.sdi
            .store(args[0] == 0 || args[1] == 1, Ordering::Relaxed);
        Ok([0; 3])
    }

    /// [`SET_DLOAD_MODE`]: 0x10, then 0x10 for on or 0 for off.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for other values.
    pub fn set_dload_mode(&self, args: &Args) -> Reply {
        if args[0] != DLOAD_MODE || ![0, DLOAD_MODE].contains(&args[1]) {
            return Err(Error::InvalidArgument);
        }
        self.download.store(args[1] != 0, Ordering::Relaxed);
        Ok([0; 3])
    }

    /// Tells whether download mode is on.
    pub fn download(&self) -> bool {
        self.download.load(Ordering::Relaxed)
    }

    /// Tells whether SDI is on.
    pub fn sdi(&self) -> bool {
        self.sdi.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::args;
    use super::*;

    #[test]
    fn download_mode_is_what_it_was_set_to() {
        let boot = Boot::new();
        assert!(!boot.download());
        for (value, on) in [(0x10, true), (0, false), (0x10, true)] {
            assert_eq!(boot.set_dload_mode(&args([0x10, value])), Ok([0; 3]));
            assert_eq!(boot.download(), on);
        }
        for bad in [[0x10, 1], [0, 0x10], [0x11, 0], [0x10, 0x1_0000_0010]] {
            assert_eq!(boot.set_dload_mode(&args(bad)), Err(Error::InvalidArgument));
        }
        assert!(boot.download(), "refused values change nothing");
    }

    #[test]
    fn sdi_goes_off_as_linux_switches_it_off() {
        let boot = Boot::new();
        assert!(boot.sdi());
        assert_eq!(boot.sdi_config(&args([1, 0])), Ok([0; 3]));
        assert!(!boot.sdi());
        assert_eq!(boot.sdi_config(&args([2, 0])), Err(Error::InvalidArgument));
        assert_eq!(boot.sdi_config(&args([0, 1])), Ok([0; 3]));
        assert!(boot.sdi());
    }
}
