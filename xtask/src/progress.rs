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
}

impl Progress {
    /// Announces a step.
    pub(crate) fn start(title: &str) -> Progress {
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
        bar.set_message(title.to_owned());
        Progress {
            bar,
            title: title.to_owned(),
            start: Instant::now(),
        }
    }

    /// A step that nobody needs to see.
    pub(crate) fn hidden() -> Progress {
        Progress {
            bar: ProgressBar::hidden(),
            title: String::new(),
            start: Instant::now(),
        }
    }

    /// Shows how many percent of the step are done.
    pub(crate) fn set_percent(&self, percent: &str) {
        self.bar.set_message(format!("{}: {percent} %", self.title));
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
