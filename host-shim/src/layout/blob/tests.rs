// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Plans blobs of any shape for hosts of any kind, walks all of stage 1, and compares the two stages.

use fakemon_abi::layout::{MAX_STACK, MAX_VCPUS, MONITOR_BASE};
use proptest::prelude::*;

use super::*;
use crate::layout::tests::any_stage_2;
use crate::tables::tests::{Leaf, leaves};

/// Segments as the loader hands them out: ascending, with a page between some.
fn any_segments() -> impl Strategy<Value = Vec<Segment>> {
    let access = prop::sample::select(vec![Access::Execute, Access::Read, Access::Write]);
    let one = (0..3u64, 1..20u64, access);
    prop::collection::vec(one, 1..5).prop_map(|shapes| {
        let mut address = MONITOR_BASE;
        let place = |(gap, pages, access)| {
            let segment = Segment {
                address: address + gap * PAGE,
                data: Vec::new(),
                size: pages * PAGE,
                access,
            };
            address = segment.address + segment.size;
            segment
        };
        shapes.into_iter().map(place).collect()
    })
}

/// Whether what stage 1 says of a place goes with what stage 2 has there.
fn agrees(leaf: &Leaf, backing: Backing) -> bool {
    match leaf.access {
        Access::Read | Access::Execute => backing == Backing::ReadOnly,
        Access::Write => backing == Backing::Memory,
        Access::Device => backing == Backing::Hole,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn the_two_stages_agree(
        segments in any_segments(),
        stack in 1..=u64::from(MAX_STACK) / PAGE,
        cpus in prop::sample::select(vec![1, 2, 3, 8, 64, 123, MAX_VCPUS]),
        stage_2 in any_stage_2(),
    ) {
        let (layout, bytes) = plan(&segments, stack * PAGE, cpus, stage_2);
        prop_assert!(layout.end() <= 1 << stage_2.bits, "inside the window");
        let root = layout.pieces().last().expect("the tables");
        prop_assert_eq!((root.address, root.size), (TABLES_BASE, bytes.len() as u64));

        let all = leaves(&bytes, root.physical);
        let (guests, own): (Vec<_>, Vec<_>) =
            all.iter().partition(|leaf| leaf.address < MONITOR_BASE);
        let mut end = 0;
        for leaf in guests {
            prop_assert_eq!((leaf.address, leaf.physical), (end, end), "the guest's, one to one");
            prop_assert_eq!(leaf.access, Access::Write);
            end += leaf.size;
        }
        prop_assert_eq!(end, stage_2.guest_end());

        let mut mapped = 0;
        for leaf in own {
            let piece = layout.pieces().iter().find(|piece| {
                piece.physical <= leaf.physical
                    && leaf.physical + leaf.size <= piece.physical + piece.size
            });
            let piece = piece.expect("no descriptor reaches beyond a piece");
            prop_assert_eq!(layout.physical(leaf.address), Some(leaf.physical));
            prop_assert!(agrees(leaf, piece.backing), "{:?} in {:?}", leaf, piece);
            mapped += leaf.size;
        }
        let segments: u64 = segments.iter().map(|segment| segment.size).sum();
        // Doorbell, gate and frame.
        let block = 3 * PAGE + stack * PAGE;
        prop_assert_eq!(mapped, segments + u64::from(cpus) * block, "and each is mapped once");
    }
}
