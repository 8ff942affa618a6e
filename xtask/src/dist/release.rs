// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which version a package is of, from when, and who made it.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use crate::workspace;

/// What reproducible builds take for the time.
const EPOCH: &str = "SOURCE_DATE_EPOCH";
/// Who maintains a Debian package, by the variables that Debian's own tools read, unless they are set.
const MAINTAINER: [(&str, &str); 2] = [
    ("DEBFULLNAME", "The Fake Monitor developers"),
    ("DEBEMAIL", "fakemon@users.noreply.invalid"),
];

/// A release.
#[derive(Clone, Debug)]
pub(super) struct Release {
    /// The version of all crates.
    pub(super) version: String,
    /// Seconds since 1970, of everything in it.
    pub(super) time: u64,
    /// Name and address.
    pub(super) maintainer: String,
}

impl Release {
    /// The one of this checkout.
    pub(super) fn of_checkout() -> Result<Release> {
        let time = match std::env::var(EPOCH) {
            Ok(seconds) => seconds,
            Err(_) => commit_time()?,
        };
        let time = time.trim().parse::<u64>();
        let [name, address] = MAINTAINER
            .map(|(variable, value)| std::env::var(variable).unwrap_or_else(|_| value.to_owned()));
        Ok(Release {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time: time.with_context(|| format!("{EPOCH} is no number of seconds"))?,
            maintainer: format!("{name} <{address}>"),
        })
    }

    /// The variables that say all this to another run.
    pub(super) fn variables(&self) -> [(&'static str, String); 1] {
        [(EPOCH, self.time.to_string())]
    }

    /// The time as a Debian changelog has it.
    pub(super) fn mail_date(&self) -> Result<String> {
        Ok(self.date()?.format(&Rfc2822)?)
    }

    /// The time as the internet has it.
    pub(super) fn internet_date(&self) -> Result<String> {
        Ok(self.date()?.format(&Rfc3339)?)
    }

    /// The year.
    pub(super) fn year(&self) -> Result<i32> {
        Ok(self.date()?.year())
    }

    fn date(&self) -> Result<OffsetDateTime> {
        let seconds = i64::try_from(self.time)?;
        Ok(OffsetDateTime::from_unix_timestamp(seconds)?)
    }
}

/// When what is checked out was committed.
fn commit_time() -> Result<String> {
    let mut git = Command::new("git");
    git.args(["log", "-1", "--format=%ct"]);
    let output = git.current_dir(workspace::root()).output();
    let output = output.with_context(|| format!("git cannot be started; set {EPOCH}"))?;
    ensure!(
        output.status.success(),
        "git does not tell the time of the commit; set {EPOCH}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A release for tests.
    pub(in crate::dist) fn release() -> Release {
        Release {
            version: "1.2.3".to_owned(),
            time: 86_400,
            maintainer: "Some One <some@one.example>".to_owned(),
        }
    }

    #[test]
    fn dates_are_those_of_the_time_and_not_of_the_machine() {
        let release = release();
        let mail = release.mail_date().expect("a date");
        assert_eq!(mail, "Fri, 02 Jan 1970 00:00:00 +0000");
        let internet = release.internet_date().expect("a date");
        assert_eq!(internet, "1970-01-02T00:00:00Z");
        assert_eq!(release.year().ok(), Some(1970));
    }
}
