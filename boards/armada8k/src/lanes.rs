// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A serial lane: which controller it is connected to, and whether it is on.
//!
//! Two selectors have four bits for each lane. SATA and network are behind the first, PCIe and USB
//! behind the second; a lane that one of them connects is unconnected in the other.

use fakemon_firmware::{Code, Error, Platform};

/// Unlike the codes of SMCCC this is Linux': the mode does not make sense.
pub(crate) const EINVAL: i32 = -22;

/// Why a lane is not switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no such mode, or not on this lane.
    Invalid,
    /// The machine refuses, having no CP110.
    Platform(Error),
}

impl Code for Refused {
    fn code(&self) -> i32 {
        match self {
            Refused::Invalid => EINVAL,
            Refused::Platform(error) => error.code(),
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Platform(error)
    }
}

/// Lanes of a CP110.
const LANES: u64 = 6;
const COMPHY: u64 = 0xf244_1000;
/// From one lane's configuration word to the next.
const LANE_SIZE: u64 = 0x28;
/// The selector of SATA and network.
const SELECTOR: u64 = COMPHY + 0x140;
/// The selector of PCIe and USB.
const PIPE_SELECTOR: u64 = COMPHY + 0x144;
/// In [`SELECTOR`].
const SATA: u32 = 4;
/// In [`PIPE_SELECTOR`].
const PCIE: u32 = 4;
const USB_HOST: u32 = 1;
const USB_DEVICE: u32 = 2;

/// Bits of a lane's configuration word.
const POWER_UP: u32 = 1 << 1;
const PIPE: u32 = 1 << 2;
const OUT_OF_RESET: u32 = 1 << 13 | 1 << 14;

/// Speeds: 1.25, 3.125, 5.15625 and 10.3125 Gbit/s, and whatever the mode has.
const SPEED_1_25: u32 = 0;
const SPEED_3_125: u32 = 2;
const SPEED_5_15625: u32 = 4;
const SPEED_10_3125: u32 = 6;
const SPEED_ANY: u32 = 0x3f;

/// What a lane is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sata,
    /// One of the network modes that share a setting.
    Network,
    /// Half of a network port with two lanes.
    Rxaui,
    Pcie,
    UsbHost,
    UsbDevice,
}

/// What the third argument asks for.
///
/// ```text
/// 21     the boot loader calls
/// 20:18  lanes of a PCIe port
/// 16:12  kind of controller
/// 11:8   number of the controller
/// 7:2    speed
/// 1:0    polarity
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mode {
    kind: Kind,
    controller: u32,
}

impl Mode {
    /// Takes the argument apart.
    ///
    /// # Errors
    /// [`Refused::Invalid`] for an unknown kind, or a speed that it does not have.
    pub(crate) fn new(word: u32) -> Result<Mode, Refused> {
        let speed = word >> 2 & 0x3f;
        let kind = match (word >> 12 & 0x1f, speed) {
            (1, _) => Kind::Sata,
            (2 | 3, SPEED_1_25 | SPEED_3_125) => Kind::Network,
            (8 | 9, SPEED_5_15625 | SPEED_10_3125 | SPEED_ANY) => Kind::Network,
            (4, _) => Kind::UsbHost,
            (5, _) => Kind::UsbDevice,
            (6, _) => Kind::Pcie,
            (7, _) => Kind::Rxaui,
            _ => return Err(Refused::Invalid),
        };
        let controller = word >> 8 & 0xf;
        Ok(Mode { kind, controller })
    }

    /// What the selectors of `lane` must hold, that of SATA and network first.
    fn selectors(self, lane: Lane) -> Result<(u32, u32), Refused> {
        let network = match lane.0 {
            3 => 2,
            4 if self.controller != 1 => 2,
            _ => 1,
        };
        match (self.kind, lane.0) {
            (Kind::Sata, _) => Ok((SATA, 0)),
            (Kind::Network, _) => Ok((network, 0)),
            (Kind::Rxaui, 0..=3) => Ok((1, 0)),
            (Kind::Rxaui, _) => Ok((2, 0)),
            (Kind::Pcie, _) => Ok((0, PCIE)),
            (Kind::UsbHost, 1..=4) => Ok((0, USB_HOST)),
            (Kind::UsbDevice, 1 | 4) => Ok((0, USB_DEVICE)),
            (Kind::UsbHost | Kind::UsbDevice, _) => Err(Refused::Invalid),
        }
    }
}

/// A lane by its number, which is below [`LANES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lane(u64);

impl Lane {
    /// The lane with this number, if there is one.
    pub(crate) fn new(number: u64) -> Option<Lane> {
        (number < LANES).then_some(Lane(number))
    }

    /// Connects the lane and takes it out of reset, whatever it was before.
    ///
    /// # Errors
    /// [`Refused::Invalid`] if the lane does not reach such a controller; the platform's if there is no CP110.
    pub(crate) fn power_on(self, platform: &mut dyn Platform, mode: Mode) -> Result<(), Refused> {
        let (selector, pipe_selector) = mode.selectors(self)?;
        self.connect(platform, selector, pipe_selector)?;
        let pipe = if pipe_selector != 0 { PIPE } else { 0 };
        // Held in reset while it changes over.
        self.configure(platform, POWER_UP | PIPE | OUT_OF_RESET, POWER_UP | pipe)?;
        self.configure(platform, OUT_OF_RESET, OUT_OF_RESET)
    }

    /// Resets the lane and disconnects it. One that is PCIe's stays on if a kernel asks: it could
    /// not bring that up again.
    ///
    /// # Errors
    /// The platform's if there is no CP110.
    pub(crate) fn power_off(
        self,
        platform: &mut dyn Platform,
        kernel: bool,
    ) -> Result<(), Refused> {
        let connected = platform.mmio_read(PIPE_SELECTOR, 4)? as u32 >> self.shift() & 0xf;
        if kernel && connected == PCIE {
            return Ok(());
        }
        self.configure(platform, OUT_OF_RESET, 0)?;
        self.connect(platform, 0, 0)
    }

    fn connect(
        self,
        platform: &mut dyn Platform,
        selector: u32,
        pipe_selector: u32,
    ) -> Result<(), Refused> {
        let shift = self.shift();
        for (register, value) in [(SELECTOR, selector), (PIPE_SELECTOR, pipe_selector)] {
            modify(platform, register, 0xf << shift, value << shift)?;
        }
        Ok(())
    }

    fn configure(self, platform: &mut dyn Platform, mask: u32, bits: u32) -> Result<(), Refused> {
        modify(platform, COMPHY + LANE_SIZE * self.0, mask, bits)?;
        Ok(())
    }

    /// Where the lane's bits are in the selectors.
    fn shift(self) -> u32 {
        self.0 as u32 * 4
    }
}

fn modify(platform: &mut dyn Platform, register: u64, mask: u32, bits: u32) -> Result<(), Error> {
    let old = platform.mmio_read(register, 4)? as u32;
    platform.mmio_write(register, 4, u64::from(old & !mask | bits))
}
