// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Boots that are tests by themselves, without a test program that runs them: how they are told and counted.

use crate::machine::Printed;
use crate::summary::{Place, Summary};

/// As the user of a test wants it: the console is for what went wrong.
pub(super) const CONSOLE: Printed = Printed {
    shown: false,
    kept: true,
};

/// Tells how the test `name` went whose guest printed `console`, and what the objection to that is.
pub(super) fn tell(
    place: &Place,
    name: &str,
    console: &str,
    objection: Option<String>,
    summary: &mut Summary,
) {
    match objection {
        None => {
            println!("test {name} ... ok");
            summary.pass();
        }
        Some(why) => {
            println!("{console}\ntest {name} ... FAILED: {why}");
            summary.fail(format!("{place}: {name}: {why}"));
        }
    }
}
