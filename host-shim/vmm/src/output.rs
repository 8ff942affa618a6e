// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Output that never makes its writer wait: a thread of its own writes what is in a queue.
//!
//! Whoever reads this process's output may stop reading. Then a write to it blocks, and neither a
//! vCPU nor the main loop, which has signals to notice, may hang in one. The thread does; when the
//! process ends it ends with it.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::signals;

/// How long a reader may take for the rest when a signal ends this program.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Bytes that wait at most. A writer asks before: what comes when it is full is lost.
const LIMIT: usize = 64 * 1024;

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<u8>,
    /// The thread is writing what it has taken.
    busy: bool,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue's end for writers.
#[derive(Clone)]
pub struct Output(Arc<Shared>);

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output {{ {} bytes wait }}", self.0.lock().waiting.len())
    }
}

impl Output {
    /// Has a thread write to `out` for as long as this process lives.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn new(mut out: Box<dyn Write + Send>) -> std::io::Result<Output> {
        let shared = Arc::new(Shared::default());
        let queue = shared.clone();
        let write = move || {
            loop {
                let bytes = take(&queue);
                // A reader that went away is not the guest's business.
                let _closed = out.write_all(&bytes).and_then(|()| out.flush());
                queue.lock().busy = false;
                queue.changed.notify_all();
            }
        };
        thread::Builder::new().name("output".into()).spawn(write)?;
        Ok(Output(shared))
    }

    /// Tells whether there is room for more; it may be a while until there is again.
    pub fn has_room(&self) -> bool {
        self.0.lock().waiting.len() < LIMIT
    }

    /// Has `bytes` written, without waiting for it.
    pub fn write(&self, bytes: &[u8]) {
        let mut queue = self.0.lock();
        let room = LIMIT.saturating_sub(queue.waiting.len());
        queue
            .waiting
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
        drop(queue);
        self.0.changed.notify_all();
    }

    /// Waits until there is room for more, but no longer than `limit`; tells whether there is.
    pub fn wait_for_room(&self, limit: Duration) -> bool {
        self.wait_until(limit, |queue| queue.waiting.len() < LIMIT)
    }

    /// Waits until everything has been written, but no longer than `limit`; tells whether it has.
    pub fn drain(&self, limit: Duration) -> bool {
        self.wait_until(limit, |queue| !queue.busy && queue.waiting.is_empty())
    }

    /// Waits until everything has been written; a signal that ends this program ends that, too, but
    /// for a reader that is only slow.
    pub fn last_words(&self) {
        while !self.drain(LAST_WORDS) && !signals::is_caught() {}
    }

    fn wait_until(&self, limit: Duration, done: fn(&Queue) -> bool) -> bool {
        let end = Instant::now().checked_add(limit);
        let mut queue = self.0.lock();
        while !done(&queue) {
            let left = end.map_or(limit, |end| end.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            let waited = self.0.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// Waits for bytes, and takes them all.
fn take(shared: &Shared) -> Vec<u8> {
    let mut queue = shared.lock();
    while queue.waiting.is_empty() {
        let waited = shared.changed.wait(queue);
        queue = waited.unwrap_or_else(PoisonError::into_inner);
    }
    queue.busy = true;
    let bytes = std::mem::take(&mut queue.waiting);
    drop(queue);
    // There is room now.
    shared.changed.notify_all();
    bytes
}

/// Prints a text, as far as somebody reads it.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    const FOREVER: Duration = Duration::from_secs(3600);

    /// A reader that reads once it is told to, and keeps what it has read.
    struct Slow(Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _gone = self.0.recv();
            self.1.lock().expect("not poisoned").extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_reader_that_does_not_read() {
        let (go_on, told) = channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let output = Output::new(Box::new(Slow(told, seen.clone()))).expect("a thread");
        assert!(output.drain(Duration::ZERO), "there is nothing to wait for");
        let block = vec![b'x'; 1000];
        let mut sent = 0;
        while output.has_room() {
            output.write(&block);
            sent += block.len();
        }
        assert!(!output.drain(Duration::ZERO), "nothing has been read");
        output.write(&block);
        output.write(&block);
        let room = LIMIT.min(sent);
        // Each write of the thread waits for a word; then none does.
        drop(go_on);
        assert!(output.drain(FOREVER));
        assert!(output.has_room());
        let seen = seen.lock().expect("not poisoned").len();
        assert!(
            seen >= room && seen <= sent + block.len(),
            "{seen} of {sent}"
        );
    }

    #[test]
    fn what_is_written_comes_out_in_order() {
        let (go_on, told) = channel();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let output = Output::new(Box::new(Slow(told, seen.clone()))).expect("a thread");
        drop(go_on);
        for word in ["one ", "two ", "three"] {
            output.write(word.as_bytes());
        }
        assert!(output.drain(FOREVER));
        assert_eq!(*seen.lock().expect("not poisoned"), b"one two three");
    }
}
