// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The power domains of the A1, which only firmware can switch.

/// Domains by number, from include/dt-bindings/power/meson-a1-power.h in Linux.
const FIRST: u32 = 8;
const LAST: u32 = 27;
const UART: u32 = 10;
const DMC: u32 = 11;
const DMA: u32 = 17;
const RAMB: u32 = 20;
const SPIFC: u32 = 23;
const NIC: u32 = 25;

/// The memory controller, firmware's own memory and the interconnect: without them nothing would
/// run that could switch them on again.
const VITAL: u32 = 1 << DMC | 1 << RAMB | 1 << NIC;

/// Which domains are on, as a bit for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Domains {
    on: u32,
}

impl Domains {
    /// What booting from flash needs is on, and DMA: kernels such as 6.1, which boot on the chip,
    /// take it as always on without a look.
    pub(crate) const RESET: Domains = Domains {
        on: VITAL | 1 << UART | 1 << DMA | 1 << SPIFC,
    };

    /// Tells whether a domain is off; [`None`] if there is no such domain.
    pub(crate) fn is_off(&self, domain: u32) -> Option<bool> {
        bit(domain).map(|bit| self.on & bit == 0)
    }

    /// Switches a domain on (1) or off (0); false if that is not possible.
    pub(crate) fn set(&mut self, domain: u32, state: u32) -> bool {
        match (bit(domain), state) {
            (Some(bit), 1) => self.on |= bit,
            (Some(bit), 0) if bit & VITAL == 0 => self.on &= !bit,
            _ => return false,
        }
        true
    }
}

fn bit(domain: u32) -> Option<u32> {
    (FIRST..=LAST).contains(&domain).then(|| 1 << domain)
}
