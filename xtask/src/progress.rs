// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Shows on standard error what takes long: a moving line on a terminal, one plain line elsewhere.

use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::thread;
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

    /// Shows the percentages that apt reports on its status stream, until that ends.
    pub(crate) fn follow_apt(&self, status: impl Read + Send + 'static) {
        let (bar, title) = (self.bar.clone(), self.title.clone());
        thread::spawn(move || {
            for line in BufReader::new(status).lines().map_while(Result::ok) {
                // dlstatus:<item>:<percent>:<what apt does>
                if let Some(percent) = line
                    .strip_prefix("dlstatus:")
                    .and_then(|line| line.split(':').nth(1))
                {
                    let percent = percent.split('.').next().unwrap_or(percent);
                    bar.set_message(format!("{title}: {percent} %"));
                }
            }
        });
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
