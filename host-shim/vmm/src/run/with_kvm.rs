// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `fakemon run` where there is KVM.

use std::sync::{Arc, Mutex, PoisonError};

use fakemon_host::{Config, Policy, monotonic_ns};

use super::{Ending, after};
use crate::cli::RunArgs;
use crate::console::Console;
use crate::events::Events;
use crate::input::Input;
use crate::output::Output;
use crate::reports::Kind;
use crate::say;
use crate::signals::Signals;
use crate::summary::Summary;
use crate::terminal::RawMode;
use crate::trace::Tracer;
use crate::vm::{Options, Vm};

/// Runs the guest that `args` describe until it ends.
pub fn run(args: &RunArgs) -> Ending {
    let input = match Input::read(args) {
        Ok(input) => input,
        Err(error) if error.is_blob() => return Ending::Host(error.to_string()),
        Err(error) => return Ending::Usage(error.to_string()),
    };
    let tracer = match &args.trace {
        None => None,
        Some(file) => match Tracer::new(file.as_deref(), monotonic_ns()) {
            Ok(tracer) => Some(Arc::new(tracer)),
            Err(error) => return Ending::Usage(format!("cannot write the trace: {error}")),
        },
    };
    let options = options(args, tracer);
    let signals = match Signals::catch() {
        Ok(signals) => signals,
        Err(error) => return Ending::Host(format!("cannot catch signals: {error}")),
    };
    boots(args, &input, &options, Events::new(signals))
}

fn options(args: &RunArgs, tracer: Option<Arc<Tracer>>) -> Options {
    let config = Config {
        engine: args.engine,
        on_fault: args.on_fault,
        // A trace is to show a call when it is over; counts may wait.
        log: if tracer.is_some() { 1 } else { COUNTED },
        watchdog: args.watchdog(),
        watchdog_wall: args.watchdog_wall(),
        ..Config::default()
    };
    Options {
        policy: args.smc,
        config,
        gic: args.gic,
        tracer,
        reports: Arc::default(),
        pin: args.pin,
    }
}

/// Calls that KVM may carry before they are counted.
const COUNTED: u32 = 128;

/// Boots the guest until it ends otherwise than by a reset.
fn boots(args: &RunArgs, input: &Input, options: &Options, mut events: Events) -> Ending {
    let mut summary = Summary::default();
    let output = match Output::new(Box::new(std::io::stdout())) {
        Ok(output) => output,
        Err(error) => return Ending::Host(format!("cannot start a thread: {error}")),
    };
    let console = Arc::new(Mutex::new(Console::new(output.clone())));
    let mut terminal = None;
    loop {
        let vm = match Vm::new(input, options, &console) {
            Ok(vm) => vm,
            Err(error) if error.is_usage() => return Ending::Usage(error.to_string()),
            Err(error) => return Ending::Host(error.to_string()),
        };
        // Not before the first VM stands: until then Ctrl-C is for this program.
        if terminal.is_none() {
            terminal = match RawMode::enter() {
                Ok(raw) => raw,
                Err(error) => return Ending::Host(format!("cannot set up the terminal: {error}")),
            };
            if terminal.is_some() {
                say!("Ctrl-A x ends the guest");
            }
        }
        let outcome = vm.run(&mut events, &console, &mut summary);
        let mut console = console.lock().unwrap_or_else(PoisonError::into_inner);
        console.flush();
        if let Some(ending) = after(outcome, console.failure(), !args.no_reboot) {
            output.last_words();
            match options.policy {
                Policy::Blob => say!("{}", summary.table(&input.board)),
                policy => say!("no blob served this guest (policy {policy})"),
            }
            return ending;
        }
        options.reports.add(Kind::Reset, || {
            say!("the guest has reset itself and boots again");
        });
    }
}
