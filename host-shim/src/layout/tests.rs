// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lays out pieces for every size of page, and looks where they are.

use proptest::prelude::*;

use super::*;

/// A stage 2 that a host can have.
pub(crate) fn any_stage_2() -> impl Strategy<Value = Stage2> {
    let page = prop::sample::select(vec![0x1000, 0x4000, 0x1_0000]);
    (page, 32..=40u32).prop_map(|(page, bits)| Stage2 { page, bits })
}

#[test]
fn the_guests_addresses_end_below_both_windows() {
    let guest_end = |bits| Stage2 { page: PAGE, bits }.guest_end();
    assert_eq!(guest_end(40), MONITOR_BASE, "508 GiB, by the ABI");
    assert_eq!(guest_end(39), MONITOR_BASE);
    assert_eq!(guest_end(36), 63 << 30, "all but the last GiB");
    assert_eq!(guest_end(32), 3 << 30);
}

proptest! {
    #[test]
    fn no_two_pieces_share_a_page_of_the_hosts(
        stage_2 in any_stage_2(),
        sizes in prop::collection::vec(1..40u64, 1..60),
    ) {
        let mut layout = Layout::new(stage_2);
        let mut address = MONITOR_BASE;
        for pages in sizes {
            layout.add(address, pages * PAGE, Backing::Memory);
            address += (pages + 1) * PAGE;
        }
        let mut free = stage_2.window();
        for piece in layout.pieces() {
            prop_assert!(piece.physical.is_multiple_of(stage_2.page));
            prop_assert!(piece.physical >= free);
            free = piece.physical + layout.room(piece.size);
        }
        prop_assert_eq!(free, layout.end());
        prop_assert!(free <= 1 << stage_2.bits);
    }

    #[test]
    fn an_address_of_a_piece_is_found_both_ways_and_no_other_is(
        stage_2 in any_stage_2(),
        sizes in prop::collection::vec(1..40u64, 1..60),
        offset in 0..1000 * PAGE,
    ) {
        let mut layout = Layout::new(stage_2);
        let (mut address, mut inside) = (MONITOR_BASE, None);
        let probe = MONITOR_BASE + offset;
        for pages in sizes {
            let size = pages * PAGE;
            layout.add(address, size, Backing::Hole);
            if (address..address + size).contains(&probe) {
                inside = Some(layout.pieces()[layout.pieces().len() - 1]);
            }
            address += size + PAGE;
        }
        let physical = inside.map(|piece| piece.physical + (probe - piece.address));
        prop_assert_eq!(layout.physical(probe), physical);
        if let Some(physical) = physical {
            prop_assert_eq!(layout.seen(physical), probe);
        }
        // What the guest has means the same in both stages.
        prop_assert_eq!(layout.physical(offset), None);
        prop_assert_eq!(layout.seen(offset), offset);
    }
}
