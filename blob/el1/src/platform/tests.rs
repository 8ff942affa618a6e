// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the firmware asks becomes the host call that the ABI defines, and its answer what a service
//! sees.

use super::*;

/// A host call: its number and arguments.
type Rung = (u64, [u64; 4]);

/// A doorbell that remembers who has rung, and answers one thing.
struct Fake {
    rung: Vec<Rung>,
    answer: Result<[u64; 4], Error>,
}

impl Doorbell for Fake {
    fn ring(&mut self, a: u64, b: u64, c: u64, d: u64, nr: u64) -> Result<(), Error> {
        self.rung.push((nr, [a, b, c, d]));
        self.answer.map(drop)
    }

    fn result(&self, n: usize) -> u64 {
        self.answer.unwrap_or_default()[n]
    }

    fn read_memory(&mut self, address: u64, to: &mut [u8]) -> Result<(), Error> {
        to.fill(address as u8);
        Ok(())
    }

    fn write_memory(&mut self, _: u64, _: &[u8]) -> Result<(), Error> {
        Err(Error::InvalidAddress)
    }

    fn cpus(&self) -> (u32, u32) {
        (3, 4)
    }
}

/// Asks a host that gives one answer, and returns what was rung for and what came of it.
fn ask_of<T>(
    answer: Result<[u64; 4], Error>,
    ask: impl FnOnce(&mut dyn Platform) -> T,
) -> (Rung, T) {
    let mut host = Host(Fake {
        rung: vec![],
        answer,
    });
    let came = ask(&mut host);
    assert_eq!(host.0.rung.len(), 1);
    (host.0.rung[0], came)
}

/// The same with an answer of 1, 2, 3, 4.
fn ask<T>(ask: impl FnOnce(&mut dyn Platform) -> T) -> (Rung, T) {
    ask_of(Ok([1, 2, 3, 4]), ask)
}

#[test]
fn each_has_its_number() {
    assert_eq!(
        ask(|h| h.cpu_on(7, 8, 9)),
        ((nr::CPU_ON, [7, 8, 9, 0]), Ok(()))
    );
    assert_eq!(
        ask(|h| h.cpu_affinity(7, 1)),
        ((nr::CPU_AFFINITY, [7, 1, 0, 0]), Ok(PowerState::Off))
    );
    assert_eq!(
        ask(|h| h.wait_for_interrupt()),
        ((nr::WAIT_FOR_INTERRUPT, [0; 4]), Ok(()))
    );
    assert_eq!(
        ask(|h| h.interrupt(7)),
        ((nr::INTERRUPT, [7, 0, 0, 0]), Ok(()))
    );
    assert_eq!(ask(|h| h.timer(7)), ((nr::TIMER, [7, 0, 0, 0]), Ok(())));
    assert_eq!(ask(|h| h.time()), ((nr::TIME, [0; 4]), Ok((1, 2))));
    assert_eq!(
        ask(|h| h.entropy(3)),
        ((nr::ENTROPY, [3, 0, 0, 0]), Ok([1, 2, 3, 4]))
    );
    for write in [false, true] {
        assert_eq!(
            ask(|h| h.translate(9, write)),
            ((nr::TRANSLATE, [9, u64::from(write), 0, 0]), Ok(1))
        );
    }
    assert_eq!(
        ask(|h| h.mmio_read(9, 4)),
        ((nr::MMIO, [9, 4, 0, 0]), Ok(1))
    );
    assert_eq!(
        ask(|h| h.mmio_write(9, 4, 5)),
        ((nr::MMIO, [9, 4, 5, 1]), Ok(()))
    );
    assert_eq!(
        ask(|h| h.watchdog(9)),
        ((nr::WATCHDOG, [9, 0, 0, 0]), Ok(()))
    );
    assert_eq!(ask(|h| h.stolen_time()), ((nr::STOLEN_TIME, [0; 4]), Ok(1)));
    assert_eq!(
        ask(|h| h.set_exception(8, 9)),
        ((nr::SET_EXCEPTION, [8, 9, 0, 0]), Ok(()))
    );
    assert_eq!(ask(|h| h.vector_base()), ((nr::VECTOR_BASE, [0; 4]), Ok(1)));
    assert_eq!(
        ask(|h| h.log_event(5, [6, 7, 8])),
        ((nr::LOG_EVENT, [5, 6, 7, 8]), ())
    );
    assert_eq!(
        ask(|h| h.workaround(FunctionId(0x8000_8000))),
        ((nr::WORKAROUND, [0x8000_8000, 0, 0, 0]), Ok(1))
    );
}

#[test]
fn a_call_that_comes_back_tells_why() {
    let failure = Error::InternalFailure;
    assert_eq!(ask(|h| h.cpu_off()), ((nr::CPU_OFF, [0; 4]), failure));
    assert_eq!(
        ask(|h| h.cpu_resume(5, 6)),
        ((nr::CPU_RESUME, [5, 6, 0, 0]), failure)
    );
    assert_eq!(ask(|h| h.system_off()), ((nr::SYSTEM_OFF, [0; 4]), failure));
    assert_eq!(
        ask(|h| h.system_reset(5, 6)),
        ((nr::SYSTEM_RESET, [5, 6, 0, 0]), failure)
    );
    assert_eq!(
        ask(|h| h.system_suspend(5, 6)),
        ((nr::SYSTEM_SUSPEND, [5, 6, 0, 0]), failure)
    );
    let (_, refused) = ask_of(Err(Error::Denied), |h| h.system_off());
    assert_eq!(refused, Error::Denied);
    let (_, refused) = ask_of(Err(Error::NotSupported), |h| h.mmio_read(0, 4));
    assert_eq!(refused, Err(Error::NotSupported));
}

#[test]
fn a_state_that_psci_does_not_know_is_the_hosts_failure() {
    let (_, state) = ask_of(Ok([3, 0, 0, 0]), |h| h.cpu_affinity(0, 0));
    assert_eq!(state, Err(Error::InternalFailure));
}

#[test]
fn text_goes_to_the_log_in_bounds() {
    let text = "x".repeat(300);
    let address = text.as_ptr().addr() as u64;
    let (rung, ()) = ask(|h| h.console(&text));
    assert_eq!(rung, (nr::CONSOLE_WRITE, [address, 256, 0, 0]));
    let (rung, ()) = ask(|h| h.console(&text[..3]));
    assert_eq!(rung, (nr::CONSOLE_WRITE, [address, 3, 0, 0]));
}

#[test]
fn memory_and_the_count_of_cpus_need_no_host_call() {
    let mut host = Host(Fake {
        rung: vec![],
        answer: Ok([0; 4]),
    });
    let mut bytes = [0; 2];
    assert_eq!(host.read_memory(7, &mut bytes), Ok(()));
    assert_eq!(bytes, [7, 7]);
    assert_eq!(host.write_memory(7, &bytes), Err(Error::InvalidAddress));
    assert_eq!((host.cpu(), host.cpus()), (3, 4));
    assert_eq!(host.0.rung, []);
}
