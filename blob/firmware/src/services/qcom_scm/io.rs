// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SCM's service 5, IO: registers that only the secure side can write.

use super::{Args, Function, INVALID_ADDRESS, Kind, Reply, Signature};
use crate::host::Host;

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
pub fn read(allowed: &[u64], host: &mut dyn Host, args: &Args) -> Reply {
    let address = check(allowed, args[0])?;
    let value = match host.read_u32(address) {
        Ok(value) => u64::from(value),
        Err(_) => host.mmio_read(address, 4).map_err(|_| INVALID_ADDRESS)?,
    };
    Ok([value & u64::from(u32::MAX), 0, 0])
}

/// [`WRITE`]: the address and the low 32 bits of a value in.
///
/// # Errors
/// As [`read`].
pub fn write(allowed: &[u64], host: &mut dyn Host, args: &Args) -> Reply {
    let address = check(allowed, args[0])?;
    let value = args[1] as u32;
    if host.write_u32(address, value).is_err() {
        host.mmio_write(address, 4, u64::from(value))
            .map_err(|_| INVALID_ADDRESS)?;
    }
    Ok([0; 3])
}

fn check(allowed: &[u64], address: u64) -> Result<u64, i32> {
    if allowed.contains(&address) {
        Ok(address)
    } else {
        Err(INVALID_ADDRESS)
    }
}

#[cfg(test)]
mod tests {
    use fakemon_abi::hostcall;

    use super::super::tests::args;
    use super::*;
    use crate::fake::FakeHost;

    #[test]
    fn a_register_in_memory_keeps_what_is_written() {
        let mut host = FakeHost::new(1).with_memory(0x1000, &[1, 2, 3, 4, 5, 6, 7, 8]);
        let allowed = [0x1004];
        assert_eq!(
            read(&allowed, &mut host, &args([0x1004])),
            Ok([0x0807_0605, 0, 0])
        );
        let value = 0xf_ffff_fff0;
        assert_eq!(
            write(&allowed, &mut host, &args([0x1004, value])),
            Ok([0; 3])
        );
        assert_eq!(
            read(&allowed, &mut host, &args([0x1004])),
            Ok([0xffff_fff0, 0, 0])
        );
        assert_eq!(host.memory(0x1000, 4), [1, 2, 3, 4]);
        assert_eq!(host.asked, []);
    }

    #[test]
    fn a_register_of_a_device_is_reached_over_the_bus() {
        let mut host = FakeHost::new(1).answering(|_, _| Ok([7, 0, 0, 0]));
        assert_eq!(read(&[0x9000], &mut host, &args([0x9000])), Ok([7, 0, 0]));
        assert_eq!(write(&[0x9000], &mut host, &args([0x9000, 8])), Ok([0; 3]));
        assert_eq!(
            host.asked,
            [
                (hostcall::MMIO, [0x9000, 4, 0, 0, 0, 0]),
                (hostcall::MMIO, [0x9000, 4, 8, 1, 0, 0])
            ]
        );
        let mut host = FakeHost::new(1).answering(|_, _| Err(-2));
        assert_eq!(
            read(&[0x9000], &mut host, &args([0x9000])),
            Err(INVALID_ADDRESS)
        );
    }

    #[test]
    fn other_registers_are_out_of_reach() {
        let mut host = FakeHost::new(1).with_memory(0x1000, &[0; 64]);
        for address in [0x1000, 0x1005, 0x1_0000_1004] {
            let args = args([address, 1]);
            assert_eq!(read(&[0x1004], &mut host, &args), Err(INVALID_ADDRESS));
            assert_eq!(write(&[0x1004], &mut host, &args), Err(INVALID_ADDRESS));
        }
        assert_eq!((host.asked, host.written), (vec![], vec![]));
    }
}
