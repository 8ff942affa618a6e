// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The trusted OS as Linux calls it, and as nobody should.

use fakemon_abi::frame::REGS;

use super::apps::{Devices, Random};
use super::*;
use crate::call::Trap;
use crate::context::Resume;
use crate::fake::{Asked, FakePlatform};
use crate::platform::Platform;
use fakemon_abi::{Conduit, Width};

mod commands;
mod fast;
mod hostile;

const POOL: u64 = 0x8000_0000;
const POOL_SIZE: usize = 0x4000;
/// Where tests put their messages, and a buffer.
const MESSAGE: u64 = POOL + 0x200;
const BUFFER: u64 = POOL + 0x1000;

/// Types of parameters.
const VALUE_IN: u64 = 1;
const VALUE_OUT: u64 = 2;
const MEMORY_IN: u64 = 9;
const MEMORY_OUT: u64 = 10;
const MEMORY_BOTH: u64 = 11;
const META: u64 = 1 << 8;

const RANDOM: Random = Random {
    rate: 3,
    quality: 900,
};

/// A caller of a trusted OS, whose platform gives 0x01 to 0x20 for random bytes.
struct Caller {
    os: OpTee,
    platform: FakePlatform,
}

/// A message: command, function, session, parameters.
#[derive(Clone, Debug)]
struct Sent {
    words: [u32; 8],
    params: Vec<[u64; 4]>,
}

impl Sent {
    fn new(command: u32, function: u32, session: u32, params: &[[u64; 4]]) -> Self {
        let count = params.len() as u32;
        Sent {
            words: [command, function, session, 7, 7, 7, 7, count],
            params: params.to_vec(),
        }
    }

    fn open(uuid: Uuid) -> Self {
        let [a, b] = [&uuid[..8], &uuid[8..]]
            .map(|half| u64::from_le_bytes(half.try_into().expect("8 bytes")));
        let params = [[META | VALUE_IN, a, b, 0], [META | VALUE_IN, 0, 0, 0]];
        Sent::new(0, 0, 7, &params)
    }

    fn bytes(&self) -> Vec<u8> {
        let words = self.words.iter().flat_map(|word| word.to_le_bytes());
        let params = self.params.iter().flatten();
        words
            .chain(params.flat_map(|word| word.to_le_bytes()))
            .collect()
    }
}

impl Caller {
    fn new() -> Self {
        let random = |first: u8| u64::from_le_bytes(core::array::from_fn(|n| first + n as u8));
        let platform = FakePlatform::new(2)
            .with_memory(POOL, &[0; POOL_SIZE])
            .with_memory(0x9000_0000, &[0; 0x1000])
            .answering(move |asked| {
                assert!(matches!(asked, Asked::Entropy(_)));
                Ok([1, 9, 17, 25].map(random))
            });
        let os = OpTee::new(Config {
            pool: POOL as u32,
            pool_size: POOL_SIZE as u32,
            revision: (4, 2),
            threads: 2,
            apps: &[&Devices(&[Random::UUID]), &RANDOM],
        });
        Caller { os, platform }
    }

    /// Makes a call, of which only w0 to w3 may change.
    fn smc(&mut self, id: u32, args: [u64; 3]) -> [u64; 4] {
        let mut regs = [7; REGS];
        regs[0] = u64::from(id);
        regs[1..4].copy_from_slice(&args);
        let trap = Trap {
            width: Width::AArch64,
            conduit: Conduit::Smc,
            immediate: 0,
        };
        let mut resume = Resume::default();
        self.os.handle(&mut Call::new(
            &mut regs,
            trap,
            &mut resume,
            &mut self.platform,
        ));
        assert_eq!(regs[4..], [7; REGS - 4]);
        core::array::from_fn(|n| regs[n])
    }

    /// Names a message at `address`.
    fn call_at(&mut self, address: u64) -> u64 {
        let args = [address >> 32, address & 0xffff_ffff, 7];
        let [code, rest @ ..] = self.smc(0x3200_0004, args);
        assert_eq!(rest, args);
        code
    }

    /// Puts a message into the pool and names it; returns w0 and the message as it is then.
    fn try_send(&mut self, sent: &Sent) -> (u64, Sent) {
        let bytes = sent.bytes();
        self.platform
            .write_memory(MESSAGE, &bytes)
            .expect("room in the pool");
        self.platform.written.clear();
        let code = self.call_at(MESSAGE);
        let now = self.platform.memory(MESSAGE, bytes.len());
        let word = |at: usize| u32::from_le_bytes(now[at..at + 4].try_into().expect("4 bytes"));
        let wide = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let params = (0..sent.params.len())
            .map(|param| core::array::from_fn(|n| wide(32 + 32 * param + 8 * n)))
            .collect();
        let words = core::array::from_fn(|n| word(4 * n));
        (code, Sent { words, params })
    }

    /// Sends a message that is answered; returns the answer.
    #[track_caller]
    fn send(&mut self, sent: &Sent) -> Sent {
        let (code, answer) = self.try_send(sent);
        assert_eq!(code, 0, "the message is answered");
        answer
    }

    /// Sends a message and expects a result and who has made it.
    #[track_caller]
    fn expect(&mut self, sent: &Sent, result: u32, origin: u32) -> Sent {
        let answer = self.send(sent);
        assert_eq!(answer.words[5..7], [result, origin]);
        answer
    }

    /// Opens a session with an application.
    #[track_caller]
    fn open(&mut self, uuid: Uuid) -> u32 {
        let answer = self.expect(&Sent::open(uuid), result::SUCCESS, 3);
        assert_ne!(answer.words[2], 0);
        answer.words[2]
    }
}
