// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Shows on standard error what takes long: a moving line on a terminal, one plain line elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// One long step, from its start to its end.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    title: String,
    start: Instant,
    /// How many bytes the step is about, if it is about bytes.
    bytes: Option<u64>,
}

impl Progress {
    /// Announces a step.
    pub(crate) fn start(title: &str) -> Progress {
        Progress::new(title.to_owned(), None)
    }

    /// Announces a step that is about so many bytes.
    pub(crate) fn bytes(title: &str, bytes: u64) -> Progress {
        Progress::new(format!("{title} ({})", megabytes(bytes)), Some(bytes))
    }

    fn new(title: String, bytes: Option<u64>) -> Progress {
        let bar = if std::io::stderr().is_terminal() {
            // indicatif itself leaves colours out where NO_COLOR is set.
            let style = ProgressStyle::with_template("{spinner:.green} {msg}");
            let bar = ProgressBar::new_spinner()
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        } else {
            eprintln!("{title}");
            ProgressBar::hidden()
        };
        bar.set_message(title.clone());
        Progress {
            bar,
            title,
            start: Instant::now(),
            bytes,
        }
    }

    /// Shows how many percent of the step are done.
    pub(crate) fn set_percent(&self, percent: &str) {
        self.bar.set_message(format!("{}: {percent} %", self.title));
    }

    /// Shows how many bytes are done.
    pub(crate) fn set_bytes(&self, done: u64) {
        let done = megabytes(done.min(self.bytes.unwrap_or(done)));
        self.bar.set_message(format!("{}: {done}", self.title));
    }

    /// The step is done: leaves one line with its duration on a terminal, if it took long.
    pub(crate) fn finish(self) {
        let elapsed = self.start.elapsed();
        let shown = !self.bar.is_hidden() && elapsed >= Duration::from_secs(1);
        self.bar.finish_and_clear();
        if shown {
            eprintln!("{} ({:.0} s)", self.title, elapsed.as_secs_f64());
        }
    }

    /// The step failed: leaves nothing, the error speaks.
    pub(crate) fn abandon(self) {
        self.bar.finish_and_clear();
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}
