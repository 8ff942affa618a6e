// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which engine carries calls between guest and blob: the library in user space, or KVM with the
//! patches of host-shim/kernel.

use anyhow::Result;
use clap::ValueEnum;
use fakemon_launch::env;

/// One engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Engine {
    /// The library, with KVM as it is.
    Userspace,
    /// KVM itself.
    Kernel,
}

/// The engine of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// KVM itself if the host's kernel has the patches for it, else the library.
    Auto,
    /// The library, with KVM as it is.
    Userspace,
    /// KVM itself, with the patches of host-shim/kernel.
    Kernel,
}

/// The engines of tests and measurements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engines {
    /// The library, with KVM as it is.
    Userspace,
    /// KVM itself, with the patches of host-shim/kernel.
    Kernel,
    /// One after the other.
    All,
}

impl Engine {
    /// The name that the user gives it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Engine::Userspace => "userspace",
            Engine::Kernel => "kernel",
        }
    }
}

impl Choice {
    /// The engine that the environment asks for, as test programs understand it.
    pub(crate) fn of_environment() -> Result<Choice> {
        match std::env::var(env::ENGINE) {
            Ok(name) => parse(&name),
            Err(_) => Ok(Choice::Auto),
        }
    }

    /// The engine, unless the kernel is to decide.
    pub(crate) fn engine(self) -> Option<Engine> {
        match self {
            Choice::Auto => None,
            Choice::Userspace => Some(Engine::Userspace),
            Choice::Kernel => Some(Engine::Kernel),
        }
    }
}

impl From<Engine> for Choice {
    fn from(engine: Engine) -> Choice {
        match engine {
            Engine::Userspace => Choice::Userspace,
            Engine::Kernel => Choice::Kernel,
        }
    }
}

fn parse(name: &str) -> Result<Choice> {
    let choice = Choice::from_str(name, false);
    choice.map_err(|_| {
        anyhow::anyhow!(
            "{} is {name}, and it must be userspace, kernel or auto",
            env::ENGINE
        )
    })
}

impl Engines {
    /// The engines in the order in which they run.
    pub(crate) fn list(self) -> Vec<Engine> {
        match self {
            Engines::Userspace => vec![Engine::Userspace],
            Engines::Kernel => vec![Engine::Kernel],
            Engines::All => vec![Engine::Userspace, Engine::Kernel],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_engine_is_named_as_the_user_names_it() {
        for engine in Engines::All.list() {
            assert_eq!(parse(engine.name()).expect("known").engine(), Some(engine));
        }
        assert_eq!(parse("auto").expect("known").engine(), None);
    }

    #[test]
    fn an_unknown_engine_is_refused_with_the_names_of_those_that_are() {
        let error = parse("steam").expect_err("unknown").to_string();
        assert!(
            error.contains("steam") && error.contains("userspace, kernel"),
            "{error}"
        );
    }
}
