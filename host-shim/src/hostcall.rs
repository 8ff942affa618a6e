// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the numbers of a host call mean: something that the engine answers by itself, or a request
//! to the VMM. Pure, and whatever the blob says is possible here.

use fakemon_abi::hostcall as nr;
use fakemon_abi::status::{INVALID_PARAMETERS, NOT_SUPPORTED};

use crate::request::{PowerEvent, Request};

/// A host call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostCall {
    Version,
    /// Text of the blob's own memory.
    Console {
        address: u64,
        length: usize,
    },
    Translate {
        va: u64,
        write: bool,
    },
    /// The n-th region of the guest's memory.
    GuestMemory(u64),
    SetException {
        elr: u64,
        spsr: u64,
    },
    /// Where the caller's exception vectors are.
    VectorBase,
    Workaround(u64),
    /// The blob is to be entered on the CPU with this MPIDR.
    Interrupt(u64),
    /// The blob is to be entered on this CPU at this time.
    Timer(u64),
    Panic,
    /// The VMM answers.
    Ask(Request),
    /// Nobody has to be asked about this.
    Refused(i32),
}

impl HostCall {
    /// Takes the words of the frame.
    pub(crate) fn decode(number: u64, args: [u64; 6]) -> HostCall {
        let [a, b, c, d, ..] = args;
        let power = |event| HostCall::Ask(Request::Power(event));
        match number {
            nr::VERSION => HostCall::Version,
            nr::CONSOLE_WRITE => match usize::try_from(b) {
                Ok(length) if length <= nr::CONSOLE_MAX => HostCall::Console { address: a, length },
                _ => HostCall::Refused(INVALID_PARAMETERS),
            },
            nr::CPU_ON => HostCall::Ask(Request::CpuOn {
                mpidr: a,
                entry: b,
                context: c,
            }),
            nr::CPU_OFF => power(PowerEvent::CpuOff),
            nr::CPU_AFFINITY => HostCall::Ask(Request::CpuAffinity { mpidr: a, level: b }),
            nr::WAIT_FOR_INTERRUPT => HostCall::Ask(Request::WaitForInterrupt),
            nr::CPU_RESUME => power(PowerEvent::CpuResume {
                entry: a,
                context: b,
            }),
            nr::SYSTEM_OFF => power(PowerEvent::SystemOff),
            nr::SYSTEM_RESET => power(PowerEvent::SystemReset { kind: a, cookie: b }),
            nr::SYSTEM_SUSPEND => power(PowerEvent::SystemSuspend {
                entry: a,
                context: b,
            }),
            nr::TIME => HostCall::Ask(Request::Time),
            nr::ENTROPY if (1..=4).contains(&a) => {
                HostCall::Ask(Request::Entropy { words: a as usize })
            }
            nr::TRANSLATE => HostCall::Translate {
                va: a,
                write: b != 0,
            },
            nr::MMIO if matches!(b, 1 | 2 | 4 | 8) => {
                let (address, size) = (a, b as usize);
                HostCall::Ask(match d {
                    0 => Request::Read { address, size },
                    _ => Request::Write {
                        address,
                        size,
                        value: c & (u64::MAX >> (64 - 8 * size)),
                    },
                })
            }
            nr::ENTROPY | nr::MMIO => HostCall::Refused(INVALID_PARAMETERS),
            nr::LOG_EVENT => HostCall::Ask(Request::Event {
                code: a,
                args: [b, c, d],
            }),
            nr::PANIC => HostCall::Panic,
            nr::GUEST_MEMORY => HostCall::GuestMemory(a),
            nr::WATCHDOG => HostCall::Ask(Request::Watchdog { ns: a }),
            nr::STOLEN_TIME => HostCall::Ask(Request::StolenTime),
            nr::SET_EXCEPTION => HostCall::SetException { elr: a, spsr: b },
            nr::WORKAROUND => HostCall::Workaround(a),
            nr::VECTOR_BASE => HostCall::VectorBase,
            nr::INTERRUPT => HostCall::Interrupt(a),
            nr::TIMER => HostCall::Timer(a),
            _ => HostCall::Refused(NOT_SUPPORTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_counts_out_of_range_are_refused() {
        let refused = HostCall::Refused(INVALID_PARAMETERS);
        for size in [0, 3, 16, u64::MAX] {
            assert_eq!(HostCall::decode(nr::MMIO, [0, size, 0, 0, 0, 0]), refused);
        }
        for words in [0, 5, u64::MAX] {
            assert_eq!(
                HostCall::decode(nr::ENTROPY, [words, 0, 0, 0, 0, 0]),
                refused
            );
        }
        for length in [nr::CONSOLE_MAX as u64 + 1, u64::MAX] {
            let call = HostCall::decode(nr::CONSOLE_WRITE, [0, length, 0, 0, 0, 0]);
            assert_eq!(call, refused);
        }
        for unknown in [nr::VECTOR_BASE + 1, 1 << 32, u64::MAX] {
            let call = HostCall::decode(unknown, [0; 6]);
            assert_eq!(call, HostCall::Refused(NOT_SUPPORTED));
        }
    }

    #[test]
    fn a_store_has_no_more_bytes_than_it_says() {
        for (size, value) in [
            (1, 0xef),
            (2, 0xcdef),
            (4, 0x89ab_cdef),
            (8, 0x0123_4567_89ab_cdef),
        ] {
            let call = HostCall::decode(nr::MMIO, [0x1000, size, 0x0123_4567_89ab_cdef, 1, 0, 0]);
            let expected = Request::Write {
                address: 0x1000,
                size: size as usize,
                value,
            };
            assert_eq!(call, HostCall::Ask(expected));
        }
    }
}
