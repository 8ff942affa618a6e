// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What becomes of a guest's firmware calls: the modes that the 2013 thread asked for, chosen for
//! each VM, and who carries those that a blob serves.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::width::Conduit;

/// Who answers a guest's SMC and HVC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Policy {
    /// The blob, for the calls that it claims, and KVM for the others.
    #[default]
    Blob,
    /// KVM itself, as without Fake Monitor.
    Kvm,
    /// Nobody: every call returns NOT_SUPPORTED, within the host's kernel.
    Deny,
    /// Nobody: an SMC is an undefined instruction, as on a CPU without EL3.
    Undef,
}

const NAMES: [(&str, Policy); 4] = [
    ("blob", Policy::Blob),
    ("kvm", Policy::Kvm),
    ("deny", Policy::Deny),
    ("undef", Policy::Undef),
];

/// Who carries a call from the guest to the blob and back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Engine {
    /// KVM itself where it can, else the library.
    #[default]
    Auto,
    /// The library, with KVM as it is.
    Userspace,
    /// KVM itself, which needs a host kernel with the patches of `host-shim/kernel`.
    Kernel,
}

impl Engine {
    /// KVM_CAP_ARM_MONITOR, as the patches of `host-shim/kernel` number it: what KVM_CHECK_EXTENSION
    /// tells of a host that has the kernel engine.
    pub const CAPABILITY: u32 = 1000;
}

const ENGINES: [(&str, Engine); 3] = [
    ("auto", Engine::Auto),
    ("userspace", Engine::Userspace),
    ("kernel", Engine::Kernel),
];

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(&NAMES, *self))
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(&NAMES, text)
            .ok_or_else(|| format!("unknown policy {text:?}: choose blob, kvm, deny or undef"))
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(&ENGINES, *self))
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(&ENGINES, text)
            .ok_or_else(|| format!("unknown engine {text:?}: choose auto, userspace or kernel"))
    }
}

fn name<T: PartialEq>(names: &[(&'static str, T)], value: T) -> &'static str {
    let found = names.iter().find(|(_, named)| *named == value);
    found.map_or("?", |&(name, _)| name)
}

fn named<T: Copy>(names: &[(&str, T)], text: &str) -> Option<T> {
    let found = names.iter().find(|(name, _)| *name == text);
    found.map(|&(_, value)| value)
}

/// What becomes of a call during which the blob fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum OnFault {
    /// The guest ends.
    ///
    /// The call is over with `Error::Blob`, and it is the VMM that stops the guest.
    #[default]
    Fatal,
    /// The call is answered NOT_SUPPORTED, and the guest goes on.
    ///
    /// The VMM hears of it by `Step::Fault`, or `Host::fault`.
    NotSupported,
}

/// Which of its entry points a blob's calls by HVC come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[non_exhaustive]
pub enum Hvc {
    /// Those for HVC, if its note says that it serves HVC.
    #[default]
    #[cfg_attr(feature = "clap", value(name = "note"))]
    AsNote,
    /// Those for SMC, as if the guest had made its calls so: for a guest whose device tree or ACPI
    /// tables say HVC, and a blob that was made for SMC.
    #[cfg_attr(feature = "clap", value(name = "smc"))]
    AsSmc,
}

impl Hvc {
    /// The conduit by which a blob has a call that the guest makes by this one.
    #[inline(always)]
    pub(crate) fn served_as(self, conduit: Conduit) -> Conduit {
        match self {
            Hvc::AsNote => conduit,
            Hvc::AsSmc => Conduit::Smc,
        }
    }
}

const HVCS: [(&str, Hvc); 2] = [("note", Hvc::AsNote), ("smc", Hvc::AsSmc)];

impl fmt::Display for Hvc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name(&HVCS, *self))
    }
}

impl FromStr for Hvc {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(&HVCS, text).ok_or_else(|| format!("unknown conduit {text:?}: choose note or smc"))
    }
}

/// How a monitor VM treats its blob.
///
/// ```
/// use std::time::Duration;
///
/// use fakemon_host::{Config, OnFault};
///
/// let config = Config {
///     on_fault: OnFault::NotSupported,
///     watchdog: Duration::from_millis(100),
///     ..Config::default()
/// };
/// assert!(config.watchdog < config.watchdog_wall);
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Who carries the calls.
    pub engine: Engine,
    /// What becomes of a call during which the blob fails.
    pub on_fault: OnFault,
    /// Where the guest's calls by HVC come to.
    pub hvc: Hvc,
    /// How much CPU time a blob may use within one call: its thread's, while it runs the blob. What
    /// the VMM does between a step and its answer does not count, nor does a time in which the thread
    /// has no CPU. Zero switches the watchdog off, with both limits: then it has no thread, and no
    /// signal handler is installed.
    pub watchdog: Duration,
    /// How long a blob may stay within one call that uses no CPU time, as in WFI. The VMM's own time
    /// does not count here either, but one in which the thread has no CPU does, so be generous.
    /// Zero is no limit.
    pub watchdog_wall: Duration,
    /// The signal that interrupts a vCPU thread in KVM_RUN when the watchdog fires. Its handler
    /// must be installed without SA_RESTART and may do nothing; if the signal has its default
    /// action, the library installs one, and if it is ignored, that is an error. A thread that blocks it
    /// is interrupted as well: the monitor's vCPU lets it through. With the kernel engine the guest's vCPU has to, if the VMM has given that
    /// a mask (KVM_SET_SIGNAL_MASK).
    pub kick_signal: i32,
    /// How many calls that are over are kept for `Lane::drain_log` before the kernel engine
    /// makes KVM_RUN end, so that they can be read: 1 makes it end after every call. Zero keeps
    /// none, and takes no times.
    pub log: u32,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            engine: Engine::default(),
            on_fault: OnFault::default(),
            hvc: Hvc::default(),
            watchdog: Duration::from_secs(1),
            watchdog_wall: Duration::from_secs(30),
            kick_signal: 40,
            log: 0,
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

    #[test]
    fn an_engine_reads_what_it_prints() {
        for (name, engine) in ENGINES {
            assert_eq!(engine.to_string(), name);
            assert_eq!(name.parse(), Ok(engine));
        }
        assert!("kvm".parse::<Engine>().is_err());
    }

    #[test]
    fn a_way_for_hvc_reads_what_it_prints() {
        for (name, hvc) in HVCS {
            assert_eq!(hvc.to_string(), name);
            assert_eq!(name.parse(), Ok(hvc));
        }
        assert!("hvc".parse::<Hvc>().is_err());
    }

    #[cfg(feature = "clap")]
    #[test]
    fn a_command_line_has_the_same_names() {
        use clap::ValueEnum;
        fn same<T: ValueEnum + PartialEq + fmt::Debug>(names: &[(&str, T)]) {
            assert_eq!(T::value_variants().len(), names.len());
            for (name, value) in names {
                assert_eq!(T::from_str(name, false).as_ref(), Ok(value));
            }
        }
        same(&NAMES);
        same(&ENGINES);
        same(&HVCS);
    }
}
