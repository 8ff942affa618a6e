// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What becomes of a guest's firmware calls: the modes that the 2013 thread asked for, chosen for
//! each VM.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Who answers a guest's SMC and HVC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The blob answers the function IDs that it claims, KVM the others.
    #[default]
    Blob,
    /// KVM answers as if there were no Fake Monitor.
    Kvm,
    /// Every call is answered NOT_SUPPORTED, within the kernel.
    Deny,
    /// Every call raises an UNDEFINED exception in the guest, as on a CPU without EL3.
    Undef,
}

const NAMES: [(&str, Policy); 4] = [
    ("blob", Policy::Blob),
    ("kvm", Policy::Kvm),
    ("deny", Policy::Deny),
    ("undef", Policy::Undef),
];

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES
            .iter()
            .find(|(_, policy)| policy == self)
            .map_or("?", |(name, _)| name);
        f.write_str(name)
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|&(_, policy)| policy);
        found.ok_or_else(|| format!("unknown policy {text:?}: choose blob, kvm, deny or undef"))
    }
}

/// What becomes of a call during which the blob fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFault {
    /// The call ends in `Error::Blob` and the VMM stops the guest.
    #[default]
    Fatal,
    /// The guest is answered NOT_SUPPORTED and goes on; the VMM hears of it through
    /// `Host::fault`.
    NotSupported,
}

/// How a monitor VM treats its blob.
#[derive(Clone, Debug)]
pub struct Config {
    /// What becomes of a call during which the blob fails.
    pub on_fault: OnFault,
    /// How long a blob may run within one call. Zero switches the watchdog off.
    pub watchdog: Duration,
    /// The signal that interrupts a vCPU thread in KVM_RUN when the watchdog fires. Its handler
    /// must be installed without SA_RESTART and may do nothing; if the signal has its default
    /// action, the library installs one.
    pub kick_signal: i32,
}

#[cfg(target_os = "linux")]
impl Default for Config {
    fn default() -> Self {
        Config {
            on_fault: OnFault::default(),
            watchdog: Duration::from_secs(1),
            kick_signal: 40,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_what_it_prints() {
        for (name, policy) in NAMES {
            assert_eq!(policy.to_string(), name);
            assert_eq!(name.parse(), Ok(policy));
        }
        assert!("Blob".parse::<Policy>().is_err());
    }
}
