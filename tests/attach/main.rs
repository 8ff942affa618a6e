// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Guests of a VMM that knows nothing of blobs: Debian's QEMU, as it is, with `fakemon attach` and, as the
//! counter-proof, by the same command without.

use libtest_mimic::{Arguments, Completion, Trial};

mod boards;
mod documented;
mod moved;
mod probe;
mod qemu;
mod qmp;
mod refused;
mod scenarios;
mod served;

use qemu::Qemu;

fn main() {
    let mut arguments = Arguments::from_args();
    // Guests have two CPUs each, as the host has. More at once only wait for each other.
    arguments.test_threads.get_or_insert(2);
    let qemu = Qemu::find();
    let lacks_c = qemu.as_ref().ok().and_then(Qemu::lacks_c);
    let trials = |tests: Vec<(&'static str, Test)>, lacks: Option<&String>| {
        let trial = |(name, test): (_, Test)| {
            let ready = qemu.clone().and_then(|qemu| match lacks {
                Some(reason) => Err(reason.clone()),
                None => Ok(qemu),
            });
            Trial::ignorable_test(name, move || match ready.map(|qemu| test(&qemu)) {
                Ok(Ok(())) => Ok(Completion::Completed),
                Ok(Err(why)) => match why.strip_prefix(SKIPPED) {
                    Some(reason) => Ok(Completion::ignored_with(reason)),
                    None => Err(why.into()),
                },
                Err(reason) => Ok(Completion::ignored_with(reason)),
            })
        };
        tests.into_iter().map(trial).collect::<Vec<_>>()
    };
    let trials = [
        trials(served::tests(), None),
        trials(boards::tests(), None),
        trials(moved::tests(), None),
        trials(refused::tests(), None),
        trials(scenarios::tests(), lacks_c.as_ref()),
    ];
    let mut trials: Vec<Trial> = trials.into_iter().flatten().collect();
    let names: Vec<String> = (trials.iter())
        .map(|trial| trial.name().to_owned())
        .collect();
    trials.push(Trial::test(
        "the_table_of_the_docs_is_of_these_tests",
        move || Ok(documented::names(&names)?),
    ));
    libtest_mimic::run(&arguments, trials).exit();
}

/// What a test says before the reason why it cannot be made here.
const SKIPPED: &str = "skipped: ";

/// What a test does; the text says why it failed, or was skipped.
type Test = fn(&Qemu) -> Result<(), String>;
