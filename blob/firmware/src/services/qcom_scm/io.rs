// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SCM's service 5, IO: registers that only the secure side can write.

use super::{Args, Error, Function, Kind, Reply, Signature};
use crate::platform::Platform;

/// Reads a register.
pub const READ: Signature = Signature::new(Function::sip(5, 1), &[Kind::Value]);
/// Writes a register.
pub const WRITE: Signature = Signature::new(Function::sip(5, 2), &[Kind::Value, Kind::Value]);

/// [`READ`]: the address in, 32 bits out. `allowed` are the registers that may be asked for.
///
/// A register is a word of the machine's memory, or else of a device.
///
/// # Errors
/// INVALID_ADDRESS for a register that is not allowed or not there.
pub fn read(allowed: &[u64], platform: &mut dyn Platform, args: &Args) -> Reply {
    let address = check(allowed, args[0])?;
    let value = match platform.read_u32(address) {
        Ok(value) => u64::from(value),
        Err(_) => platform
            .mmio_read(address, 4)
            .map_err(|_| Error::InvalidAddress)?,
    };
    Ok([value & u64::from(u32::MAX), 0, 0])
}

/// [`WRITE`]: the address and the low 32 bits of a value in.
///
/// # Errors
/// As [`read`].
pub fn write(allowed: &[u64], platform: &mut dyn Platform, args: &Args) -> Reply {
    let address = check(allowed, args[0])?;
    let value = args[1] as u32;
    if platform.write_u32(address, value).is_err() {
        platform
            .mmio_write(address, 4, u64::from(value))
            .map_err(|_| Error::InvalidAddress)?;
    }
    Ok([0; 3])
}

fn check(allowed: &[u64], address: u64) -> Result<u64, Error> {
    if allowed.contains(&address) {
        Ok(address)
    } else {
        Err(Error::InvalidAddress)
    }
}

#[cfg(test)]
mod tests {

    use super::super::tests::args;
    use super::*;
    use crate::fake::{Asked, FakePlatform};

    #[test]
    fn a_register_in_memory_keeps_what_is_written() {
        let mut platform = FakePlatform::new(1).with_memory(0x1000, &[1, 2, 3, 4, 5, 6, 7, 8]);
        let allowed = [0x1004];
        assert_eq!(
            read(&allowed, &mut platform, &args([0x1004])),
            Ok([0x0807_0605, 0, 0])
        );
        let value = 0xf_ffff_fff0;
        assert_eq!(
            write(&allowed, &mut platform, &args([0x1004, value])),
            Ok([0; 3])
        );
        assert_eq!(
            read(&allowed, &mut platform, &args([0x1004])),
            Ok([0xffff_fff0, 0, 0])
        );
        assert_eq!(platform.memory(0x1000, 4), [1, 2, 3, 4]);
        assert_eq!(platform.asked, []);
    }

    #[test]
    fn a_register_of_a_device_is_reached_over_the_bus() {
        let mut platform = FakePlatform::new(1).answering(|_| Ok([7, 0, 0, 0]));
        assert_eq!(
            read(&[0x9000], &mut platform, &args([0x9000])),
            Ok([7, 0, 0])
        );
        assert_eq!(
            write(&[0x9000], &mut platform, &args([0x9000, 8])),
            Ok([0; 3])
        );
        assert_eq!(
            platform.asked,
            [Asked::MmioRead(0x9000, 4), Asked::MmioWrite(0x9000, 4, 8)]
        );
        let mut platform = FakePlatform::new(1).answering(|_| Err(crate::Error::InvalidParameters));
        assert_eq!(
            read(&[0x9000], &mut platform, &args([0x9000])),
            Err(Error::InvalidAddress)
        );
    }

    #[test]
    fn other_registers_are_out_of_reach() {
        let mut platform = FakePlatform::new(1).with_memory(0x1000, &[0; 64]);
        for address in [0x1000, 0x1005, 0x1_0000_1004] {
            let args = args([address, 1]);
            assert_eq!(
                read(&[0x1004], &mut platform, &args),
                Err(Error::InvalidAddress)
            );
            assert_eq!(
                write(&[0x1004], &mut platform, &args),
                Err(Error::InvalidAddress)
            );
        }
        assert_eq!((platform.asked, platform.written), (vec![], vec![]));
    }
}
