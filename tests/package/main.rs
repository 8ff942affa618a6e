// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Debian package, used by somebody who has installed it: not root, and a member of KVM's group.

use libtest_mimic::{Arguments, Completion, Trial};

mod commands;
mod guests;
mod user;

use user::User;

fn main() {
    let mut arguments = Arguments::from_args();
    // Guests have as many CPUs as the host. More at once only wait for each other.
    arguments.test_threads.get_or_insert(1);
    let user = User::find();
    let trial = |(name, test): (_, Test)| {
        let user = user.clone();
        Trial::ignorable_test(name, move || match user {
            Ok(user) => Ok(test(&user).map(|()| Completion::Completed)?),
            Err(reason) => Ok(Completion::ignored_with(reason)),
        })
    };
    let tests = [commands::tests(), guests::tests()];
    libtest_mimic::run(&arguments, tests.into_iter().flatten().map(trial).collect()).exit();
}

/// What a test does; the text says why it failed.
type Test = fn(&User) -> Result<(), String>;
