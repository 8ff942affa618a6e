// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A request becomes the step that says the same, and an answer the library's.

use super::*;

#[test]
fn a_console_step_points_to_the_bytes_of_its_request() {
    let request = Request::Console(b"hello".to_vec());
    let fakemon_step::Console(fakemon_console { text, size }) = fakemon_step::asking(&request)
    else {
        panic!("another step");
    };
    // SAFETY: the request has that many bytes there, and outlives this.
    assert_eq!(unsafe { std::slice::from_raw_parts(text, size) }, b"hello");
}

#[test]
fn every_request_has_a_step_of_its_own() {
    let requests = [
        Request::Console(Vec::new()),
        Request::CpuOn {
            mpidr: 1,
            entry: 2,
            context: 3,
        },
        Request::CpuAffinity { mpidr: 1, level: 2 },
        Request::Read {
            address: 1,
            size: 2,
        },
        Request::Write {
            address: 1,
            size: 2,
            value: 3,
        },
        Request::WaitForInterrupt,
        Request::Time,
        Request::Entropy { words: 4 },
        Request::Event {
            code: 1,
            args: [2, 3, 4],
        },
        Request::Watchdog { ns: 1 },
        Request::Interrupt { cpu: 1, payload: 2 },
        Request::Timer {
            deadline: 1,
            payload: 2,
        },
        Request::StolenTime,
        Request::Power(PowerEvent::CpuOff),
        Request::Power(PowerEvent::CpuResume {
            entry: 1,
            context: 2,
        }),
        Request::Power(PowerEvent::SystemOff),
        Request::Power(PowerEvent::SystemReset { kind: 1, cookie: 2 }),
        Request::Power(PowerEvent::SystemSuspend {
            entry: 1,
            context: 2,
        }),
    ];
    let steps = requests.each_ref().map(fakemon_step::asking);
    let mut kinds: Vec<_> = steps.iter().map(std::mem::discriminant).collect();
    kinds.push(std::mem::discriminant(&fakemon_step::Other));
    for (n, kind) in kinds.iter().enumerate() {
        assert!(!kinds[..n].contains(kind), "{:?}", requests.get(n));
    }
    // Fields of the same type are in their own places.
    assert_eq!(
        steps[1],
        fakemon_step::CpuOn(fakemon_cpu_on {
            mpidr: 1,
            entry: 2,
            context: 3
        })
    );
    assert_eq!(
        steps[16],
        fakemon_step::SystemReset(fakemon_system_reset { kind: 1, cookie: 2 })
    );
}

#[test]
fn values_count_with_success_alone() {
    let reply = |status| {
        Reply::from(&fakemon_reply {
            status,
            values: [1, 2, 3, 4],
        })
    };
    assert_eq!(reply(0), Reply::values([1, 2, 3, 4]));
    assert_eq!(reply(-7), Reply::status(-7));
}
