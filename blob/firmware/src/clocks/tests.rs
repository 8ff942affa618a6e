// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which rates come of which wishes, and what clocks remember.

use proptest::prelude::*;

use super::*;

const LIST: Rates = Rates::List(&[10, 20, 50]);
const RANGE: Rates = Rates::Range {
    min: 100,
    max: 190,
    step: 30,
};
const DIVIDED: Rates = Rates::Divided {
    source: 400,
    most: 4,
};

/// Rounds one wish down, up and to the nearest.
fn all_ways(rates: Rates, wanted: u64) -> [Option<u64>; 3] {
    [Round::Down, Round::Up, Round::Nearest].map(|how| rates.round(wanted, how))
}

#[test]
fn a_list_has_its_rates_alone() {
    assert_eq!(all_ways(LIST, 20), [Some(20); 3]);
    assert_eq!(all_ways(LIST, 30), [Some(20), Some(50), Some(20)]);
    assert_eq!(all_ways(LIST, 5), [None, Some(10), Some(10)]);
    assert_eq!(all_ways(LIST, 51), [Some(50), None, Some(50)]);
    assert_eq!(LIST.bounds(), (10, 50));
}

#[test]
fn a_range_has_steps() {
    assert_eq!(all_ways(RANGE, 130), [Some(130); 3]);
    assert_eq!(all_ways(RANGE, 151), [Some(130), Some(160), Some(160)]);
    assert_eq!(all_ways(RANGE, 99), [None, Some(100), Some(100)]);
    assert_eq!(all_ways(RANGE, u64::MAX), [Some(190), None, Some(190)]);
    assert_eq!(RANGE.bounds(), (100, 190));
}

#[test]
fn a_divided_clock_has_whole_fractions_of_its_source() {
    assert_eq!(
        all_ways(DIVIDED, 133),
        [Some(133); 3],
        "a third, rounded down"
    );
    assert_eq!(all_ways(DIVIDED, 150), [Some(133), Some(200), Some(133)]);
    assert_eq!(all_ways(DIVIDED, 99), [None, Some(100), Some(100)]);
    assert_eq!(all_ways(DIVIDED, 0), [None, Some(100), Some(100)]);
    assert_eq!(all_ways(DIVIDED, 401), [Some(400), None, Some(400)]);
    assert_eq!(DIVIDED.bounds(), (100, 400));
}

#[test]
fn a_table_that_makes_no_sense_does_no_harm() {
    for rates in [
        Rates::List(&[]),
        Rates::Range {
            min: 1,
            max: 9,
            step: 0,
        },
        Rates::Divided { source: 9, most: 0 },
    ] {
        assert_eq!(all_ways(rates, 5), [None; 3], "{rates:?}");
        assert_eq!(rates.bounds(), (0, 0), "{rates:?}");
    }
}

proptest! {
    #[test]
    fn rounding_is_on_the_right_side_and_stays_put(
        wanted in prop_oneof![0..500_u64, any::<u64>()],
        rates in prop_oneof![Just(LIST), Just(RANGE), Just(DIVIDED)],
    ) {
        let [down, up, nearest] = all_ways(rates, wanted);
        prop_assert!(down.is_none_or(|rate| rate <= wanted));
        prop_assert!(up.is_none_or(|rate| rate >= wanted));
        prop_assert!(nearest.is_some() && (nearest == down || nearest == up));
        for rate in [down, up].into_iter().flatten() {
            prop_assert_eq!(all_ways(rates, rate), [Some(rate); 3]);
        }
    }
}

#[test]
fn each_clock_remembers_its_own_rate_and_state() {
    static TABLE: [Clock; 2] = [
        Clock {
            name: "bus",
            rates: LIST,
            rate: 50,
            on: true,
            kept: true,
        },
        Clock {
            name: "card",
            rates: DIVIDED,
            rate: 400,
            on: false,
            kept: false,
        },
    ];
    let clocks = Clocks::new(&TABLE);
    assert_eq!((clocks.count(), clocks.rate(0)), (2, Some(50)));
    assert_eq!(
        (clocks.is_on(0), clocks.is_on(1)),
        (Some(true), Some(false))
    );
    assert_eq!(clocks.set_rate(1, 150, Round::Down), Some(133));
    assert_eq!(
        clocks.set_rate(1, 1, Round::Down),
        None,
        "no rate is that low"
    );
    assert_eq!(clocks.switch(1, true), Some(true));
    assert_eq!((clocks.rate(1), clocks.is_on(1)), (Some(133), Some(true)));
    assert_eq!((clocks.rate(0), clocks.is_on(0)), (Some(50), Some(true)));
    assert_eq!(clocks.switch(1, false), Some(false));
    assert_eq!(clocks.is_on(1), Some(false));
    assert_eq!(clocks.switch(0, false), Some(true), "it must run");
    assert_eq!(clocks.is_on(0), Some(true));
    assert!(clocks.clock(2).is_none() && clocks.rate(2).is_none());
    assert!(clocks.is_on(2).is_none() && clocks.switch(2, true).is_none());
    assert!(clocks.set_rate(2, 50, Round::Down).is_none());
}
