// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The power state that CPU_SUSPEND takes, in either of its formats (DEN 0022, 5.4.2).

/// How a firmware has its power states written. The kernel's device tree says the same of each state,
/// so which it is, is a board's to say.
///
/// In both, what a state is called (StateID) is the caller's and the board's affair: this firmware has
/// one kind of standby and one of power-down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateFormat {
    /// ```text
    /// 25:24 power level
    /// 16    power-down (1) or standby (0)
    /// 15:0  StateID
    /// ```
    Original,
    /// ```text
    /// 30    power-down (1) or standby (0)
    /// 27:0  StateID, which has the level in it
    /// ```
    Extended,
}

/// A power state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The CPU loses its registers.
    pub(super) power_down: bool,
    /// CPU, cluster, system; 0 in the extended format, where only the board would know.
    pub(super) level: u64,
}

impl StateFormat {
    /// Bit 1 of PSCI_FEATURES' answer for CPU_SUSPEND. Bit 0, OS-initiated mode, is 0 in both.
    pub(super) fn feature(self) -> i32 {
        match self {
            StateFormat::Original => 0,
            StateFormat::Extended => 1 << 1,
        }
    }

    /// Takes a power state apart; [`None`] if a bit is set that is reserved.
    pub(super) fn decode(self, word: u32) -> Option<State> {
        let (reserved, power_down, level) = match self {
            StateFormat::Original => (0xfcfe_0000, 1 << 16, word >> 24),
            StateFormat::Extended => (0xb000_0000, 1 << 30, 0),
        };
        (word & reserved == 0).then_some(State {
            power_down: word & power_down != 0,
            level: level.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(power_down: bool, level: u64) -> Option<State> {
        Some(State { power_down, level })
    }

    #[test]
    fn the_original_format_has_a_level_of_its_own() {
        let decode = |word| StateFormat::Original.decode(word);
        assert_eq!(decode(0), state(false, 0));
        assert_eq!(decode(0xffff), state(false, 0), "StateID is not looked at");
        assert_eq!(decode(0x0001_0033), state(true, 0), "i.MX 8M's cpu-sleep");
        assert_eq!(
            decode(0x0101_0000),
            state(true, 1),
            "RK3399's cluster-sleep"
        );
        assert_eq!(decode(0x0301_0000), state(true, 3));
        for bit in (17..24).chain(26..32) {
            assert_eq!(decode(1 << bit), None, "{bit}");
        }
    }

    #[test]
    fn the_extended_format_says_the_type_in_bit_30() {
        let decode = |word| StateFormat::Extended.decode(word);
        assert_eq!(decode(0x4000_0000), state(true, 0), "ZynqMP's cpu-sleep-0");
        assert_eq!(
            decode(0x4000_0002),
            state(true, 0),
            "MSM8916's standalone-power-collapse"
        );
        assert_eq!(decode(0x0fff_ffff), state(false, 0));
        for bit in [28, 29, 31] {
            assert_eq!(decode(1 << bit), None, "{bit}");
        }
    }
}
