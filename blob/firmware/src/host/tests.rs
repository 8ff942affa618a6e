// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each wish becomes the host call that the ABI defines, and its answer what the service sees.

use fakemon_abi::hostcall as nr;
use fakemon_abi::status::{DENIED, NOT_SUPPORTED};

use super::*;
use crate::fake::{Asked, FakeHost};

/// Makes one wish to a host that answers 1, 2, 3, 4, and returns what was asked and the answer.
fn wish<T>(make: impl FnOnce(&mut dyn Host) -> T) -> (Asked, T) {
    let mut host = FakeHost::new(1).answering(|_, _| Ok([1, 2, 3, 4]));
    let answer = make(&mut host);
    assert_eq!(host.asked.len(), 1);
    (host.asked[0], answer)
}

#[test]
fn wishes_become_host_calls() {
    assert_eq!(
        wish(|h| h.cpu_on(7, 8, 9)),
        ((nr::CPU_ON, [7, 8, 9, 0, 0, 0]), Ok(()))
    );
    assert_eq!(
        wish(|h| h.cpu_affinity(7, 1)),
        ((nr::CPU_AFFINITY, [7, 1, 0, 0, 0, 0]), Ok(1))
    );
    assert_eq!(
        wish(|h| h.wait_for_interrupt()),
        ((nr::WAIT_FOR_INTERRUPT, [0; 6]), Ok(()))
    );
    assert_eq!(wish(|h| h.time()), ((nr::TIME, [0; 6]), Ok((1, 2))));
    assert_eq!(
        wish(|h| h.entropy(3)),
        ((nr::ENTROPY, [3, 0, 0, 0, 0, 0]), Ok([1, 2, 3, 4]))
    );
    assert_eq!(
        wish(|h| h.translate(9, false)),
        ((nr::TRANSLATE, [9, 0, 0, 0, 0, 0]), Ok(1))
    );
    assert_eq!(
        wish(|h| h.translate(9, true)),
        ((nr::TRANSLATE, [9, 1, 0, 0, 0, 0]), Ok(1))
    );
    assert_eq!(
        wish(|h| h.mmio_read(9, 4)),
        ((nr::MMIO, [9, 4, 0, 0, 0, 0]), Ok(1))
    );
    assert_eq!(
        wish(|h| h.mmio_write(9, 4, 5)),
        ((nr::MMIO, [9, 4, 5, 1, 0, 0]), Ok(()))
    );
    assert_eq!(
        wish(|h| h.log_event(5, [6, 7, 8])),
        ((nr::LOG_EVENT, [5, 6, 7, 8, 0, 0]), ())
    );
    assert_eq!(
        wish(|h| h.workaround(FunctionId(0x8000_8000))),
        ((nr::WORKAROUND, [0x8000_8000, 0, 0, 0, 0, 0]), Ok(1))
    );
}

#[test]
fn a_call_that_comes_back_tells_why() {
    let failure = INTERNAL_FAILURE;
    assert_eq!(wish(|h| h.cpu_off()), ((nr::CPU_OFF, [0; 6]), failure));
    assert_eq!(
        wish(|h| h.cpu_resume(5, 6)),
        ((nr::CPU_RESUME, [5, 6, 0, 0, 0, 0]), failure)
    );
    assert_eq!(
        wish(|h| h.system_off()),
        ((nr::SYSTEM_OFF, [0; 6]), failure)
    );
    assert_eq!(
        wish(|h| h.system_reset(5, 6)),
        ((nr::SYSTEM_RESET, [5, 6, 0, 0, 0, 0]), failure)
    );
    let suspend = (nr::SYSTEM_SUSPEND, [5, 6, 0, 0, 0, 0]);
    assert_eq!(wish(|h| h.system_suspend(5, 6)), (suspend, failure));
    let mut host = FakeHost::new(1).answering(|_, _| Err(DENIED));
    assert_eq!(<dyn Host>::system_off(&mut host), DENIED);
    let mut host = FakeHost::new(1).answering(|_, _| Err(NOT_SUPPORTED));
    assert_eq!(<dyn Host>::mmio_read(&mut host, 0, 4), Err(NOT_SUPPORTED));
}

#[test]
fn text_goes_to_the_log_in_bounds() {
    let text = "x".repeat(300);
    let address = text.as_ptr().addr() as u64;
    let (asked, ()) = wish(|h| h.console(&text));
    assert_eq!(asked, (nr::CONSOLE_WRITE, [address, 256, 0, 0, 0, 0]));
    let (asked, ()) = wish(|h| h.console(&text[..3]));
    assert_eq!(asked, (nr::CONSOLE_WRITE, [address, 3, 0, 0, 0, 0]));
}
