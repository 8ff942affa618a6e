// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What every board promises, whatever its caller does: tried with arbitrary calls.

use fakemon_abi::Width;
use fakemon_abi::frame::REGS;
use fakemon_abi::note::{Note, Range};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::board::Board;
use crate::error::Error;
use crate::fake::{Answer, FakePlatform};

/// Calls in a row, so that they meet the state that earlier ones have left.
const CALLS: usize = 12;

/// What one arbitrary call is made of.
#[derive(Clone, Debug)]
struct Attempt {
    range: usize,
    id: u32,
    regs: [u64; REGS],
}

/// Makes arbitrary calls of board `B`, in the ranges that `note` claims and in rows of a few, and checks that
///
/// * none of them panics, whatever registers, guest memory and the platform's answers hold;
/// * nothing changes in the caller's registers but the outputs of the claimed range;
/// * registers past a range's inputs do not matter;
/// * an AArch32 caller gets 32 bits.
///
/// `memory` are stretches of guest memory that the board's calls may name, as address and size;
/// their content is arbitrary, and many of the calls' registers point into them.
///
/// # Panics
/// When one of that does not hold, with the smallest such row of calls.
pub fn check<B: Board>(note: &Note, width: Width, memory: &[(u64, usize)]) {
    let ranges = &note.ranges[..note.range_count as usize];
    let contents: Vec<_> = memory
        .iter()
        .map(|&(_, size)| vec(any::<u8>(), size))
        .collect();
    let strategy = (
        vec(attempt(ranges.len(), memory), 1..CALLS),
        contents,
        answer(),
    );
    let tried = TestRunner::default().run(&strategy, |(attempts, contents, answer)| {
        let platform = || {
            let platform = FakePlatform::new(4).answering(move |_| answer);
            let filled = memory.iter().zip(&contents);
            filled.fold(platform, |platform, (&(base, _), content)| {
                platform.with_memory(base, content)
            })
        };
        let (board, twin) = (B::NEW, B::NEW);
        let (mut all, mut cut) = (platform(), platform());
        for attempt in &attempts {
            let range = ranges[attempt.range];
            let regs = registers(attempt, range, width);
            let inputs = usize::from(range.inputs);
            let outputs = usize::from(range.outputs);
            let after = all.smc(&board, width, &regs);
            let short = cut.smc(&twin, width, &regs[..inputs]);
            prop_assert_eq!(&after[outputs..], &regs[outputs..], "only outputs change");
            prop_assert_eq!(&after[..outputs], &short[..outputs], "only inputs matter");
            if width == Width::AArch32 {
                prop_assert!(after.iter().all(|&value| value <= u64::from(u32::MAX)));
            }
        }
        prop_assert_eq!(all.asked, cut.asked);
        prop_assert_eq!(all.written, cut.written);
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
}

/// Any answer that a platform may give.
pub fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        any::<[u64; 4]>().prop_map(Ok),
        prop::sample::select(&Error::ALL[..]).prop_map(Err),
    ]
}

fn attempt(ranges: usize, memory: &[(u64, usize)]) -> impl Strategy<Value = Attempt> + use<> {
    let memory = memory.to_vec();
    let inside = (any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let pointer = inside.prop_map(move |(which, where_)| match memory.as_slice() {
        [] => 0,
        all => {
            let (base, size) = all[which.index(all.len())];
            base + (where_.index(size) as u64 & !7)
        }
    });
    let value = prop_oneof![
        2 => 0..0x20_u64,
        2 => pointer,
        1 => any::<u32>().prop_map(u64::from),
        1 => any::<u64>(),
    ];
    let regs = prop::array::uniform18(value);
    // Most of a range's functions lie at its start.
    let id = prop_oneof![0..0x40_u32, any::<u32>()];
    (0..ranges, id, regs).prop_map(|(range, id, regs)| Attempt { range, id, regs })
}

/// The registers of a call in `range`, as a caller of `width` can have them.
fn registers(attempt: &Attempt, range: Range, width: Width) -> [u64; REGS] {
    let mut regs = attempt.regs;
    let functions = u64::from(range.last - range.first) + 1;
    regs[0] = u64::from(range.first) + u64::from(attempt.id) % functions;
    if width == Width::AArch32 {
        // The window of such boards ends with r12.
        for (n, value) in regs.iter_mut().enumerate() {
            *value = if n < 13 { *value & 0xffff_ffff } else { 0 };
        }
    }
    regs
}
