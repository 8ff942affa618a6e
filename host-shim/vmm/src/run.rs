// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `fakemon run`: boots the guest, again after each reset, and says how it ended.

use crate::control::Outcome;

/// How the program ended; its [`code`](Ending::code) is the process's exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The guest powered off, the user ended it, or all was well without a guest.
    Off,
    /// The guest failed: the reason.
    Guest(String),
    /// What the user gave cannot be used: the reason.
    Usage(String),
    /// The host or the blob failed: the reason.
    Host(String),
    /// A signal ended it.
    Signal(i32),
}

impl Ending {
    /// Exit status.
    pub fn code(&self) -> u8 {
        match self {
            Ending::Off => 0,
            Ending::Guest(_) => 1,
            Ending::Usage(_) => 2,
            Ending::Host(_) => 3,
            // As a shell reports a program that a signal ended.
            Ending::Signal(number) => 128_u8.saturating_add(*number as u8),
        }
    }
}

/// What comes after a run that ended so; [`None`] for another boot. `failure` is the line with which
/// the kernel gave up, if it did: such a kernel resets the machine, and would do so for ever.
pub fn after(outcome: Outcome, failure: Option<&str>, reboot: bool) -> Option<Ending> {
    let gave_up =
        failure.map(|words| Ending::Guest(format!("the guest's kernel gave up: {words}")));
    match outcome {
        Outcome::Off => Some(gave_up.unwrap_or(Ending::Off)),
        Outcome::Reset if gave_up.is_none() && reboot => None,
        Outcome::Reset => Some(gave_up.unwrap_or(Ending::Off)),
        Outcome::Guest(why) => Some(Ending::Guest(why)),
        Outcome::Host(why) => Some(Ending::Host(why)),
        Outcome::Quit => Some(Ending::Off),
        Outcome::Signal(number) => Some(Ending::Signal(number)),
    }
}

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
mod without_kvm {
    use super::Ending;
    use crate::cli::RunArgs;

    /// Says what is needed: KVM is only there for guests of the host's own architecture.
    pub fn run(_: &RunArgs) -> Ending {
        let why = "this needs an arm64 Linux; `cargo xtask run` provides one on any machine";
        Ending::Usage(why.into())
    }
}

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
pub use without_kvm::run;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod with_kvm;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub use with_kvm::run;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_boots_again_unless_the_kernel_gave_up_or_the_user_says_no() {
        assert_eq!(after(Outcome::Reset, None, true), None);
        assert_eq!(after(Outcome::Reset, None, false), Some(Ending::Off));
        let ending = after(Outcome::Reset, Some("Kernel panic"), true).expect("an end");
        assert_eq!(
            ending,
            Ending::Guest("the guest's kernel gave up: Kernel panic".into())
        );
    }

    #[test]
    fn a_guest_that_powers_off_after_a_panic_has_failed() {
        let ending = after(Outcome::Off, Some("Kernel panic"), true).expect("an end");
        assert_eq!(ending.code(), 1);
    }

    #[test]
    fn exit_codes_say_whose_fault_it_was() {
        let code = |outcome| after(outcome, None, true).map(|ending| ending.code());
        assert_eq!(code(Outcome::Off), Some(0));
        assert_eq!(code(Outcome::Quit), Some(0));
        assert_eq!(code(Outcome::Guest(String::new())), Some(1));
        assert_eq!(Ending::Usage(String::new()).code(), 2);
        assert_eq!(code(Outcome::Host(String::new())), Some(3));
        assert_eq!(code(Outcome::Signal(libc::SIGTERM)), Some(143));
    }
}
