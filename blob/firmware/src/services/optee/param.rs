// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Parameters of a command, as a trusted application sees them.

use crate::memory::Region;
use crate::platform::Platform;
use crate::services::optee::result::GENERIC;

/// How many parameters a command has at most.
pub const PARAMS: usize = 4;

/// A parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// There is none.
    None,
    /// Two numbers.
    Value(Access, [u32; 2]),
    /// A part of the caller's memory.
    Memory(Access, Buffer),
}

/// What a parameter is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The caller tells something.
    Input,
    /// The caller is told something.
    Output,
    /// Both.
    Both,
}

impl Access {
    /// Tells whether the caller looks at what the application has made of the parameter.
    pub(super) fn is_output(self) -> bool {
        self != Access::Input
    }
}

/// A part of shared memory, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buffer {
    memory: Option<Region>,
    /// The size in bytes that the caller is told in the end, if it asks; the buffer's own at first.
    pub size: u64,
}

impl Buffer {
    /// The buffer of `size` bytes at `address`, if it lies in `pool`. None is at address 0.
    pub(super) fn new(pool: Region, address: u64, size: u64) -> Option<Buffer> {
        if address == 0 {
            let memory = None;
            return Some(Buffer { memory, size });
        }
        // Even an empty one has its place in the pool.
        let inside = pool.holds(address, usize::try_from(size.max(1)).ok()?);
        let memory = Region {
            base: address,
            size,
            writable: true,
        };
        inside.then_some(Buffer {
            memory: Some(memory),
            size,
        })
    }

    /// Tells whether there is no memory.
    pub fn is_null(&self) -> bool {
        self.memory.is_none()
    }

    /// Returns how many bytes fit in.
    pub fn capacity(&self) -> u64 {
        self.memory.map_or(0, |memory| memory.size)
    }

    /// Copies `bytes` into the buffer, `offset` bytes from its start.
    ///
    /// # Errors
    /// [`GENERIC`] if they do not fit, or if the pool is no memory of the guest's.
    pub fn write(&self, platform: &mut dyn Platform, offset: u64, bytes: &[u8]) -> Result<(), u32> {
        let memory = self.memory.ok_or(GENERIC)?;
        let address = memory.base.checked_add(offset).ok_or(GENERIC)?;
        if !memory.holds(address, bytes.len()) {
            return Err(GENERIC);
        }
        platform.write_memory(address, bytes).map_err(|_| GENERIC)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakePlatform;

    const POOL: Region = Region {
        base: 0x8000,
        size: 0x1000,
        writable: true,
    };

    #[test]
    fn a_buffer_lies_in_the_pool_or_nowhere() {
        for (address, size) in [(0x8000, 0x1000), (0x8fff, 1), (0x8fff, 0)] {
            let buffer = Buffer::new(POOL, address, size).expect("a buffer in the pool");
            assert_eq!((buffer.capacity(), buffer.size), (size, size));
            assert!(!buffer.is_null());
        }
        for (address, size) in [
            (0x7fff, 1),
            (0x8fff, 2),
            (0x9000, 0),
            (0x8001, 0x1000),
            (0x8000, u64::MAX),
            (u64::MAX, 1),
            (1, 0),
        ] {
            assert_eq!(Buffer::new(POOL, address, size), None, "{address:#x}");
        }
        let null = Buffer::new(POOL, 0, 9).expect("null");
        assert!(null.is_null());
        assert_eq!((null.capacity(), null.size), (0, 9));
    }

    #[test]
    fn nothing_is_written_beyond_a_buffer() {
        let mut fake = FakePlatform::new(1).with_memory(0x8000, &[0; 0x1000]);
        let mut buffer = Buffer::new(POOL, 0x8010, 4).expect("a buffer");
        buffer.size = 100;
        for (offset, bytes) in [
            (0, 5),
            (4, 1),
            (3, 2),
            (u64::MAX, 1),
            (u64::MAX - 0x800f, 1),
        ] {
            let written = buffer.write(&mut fake, offset, &vec![1; bytes]);
            assert_eq!(written, Err(GENERIC), "{offset:#x}");
        }
        assert_eq!(fake.written, []);
        assert_eq!(buffer.write(&mut fake, 1, &[1, 2, 3]), Ok(()));
        assert_eq!(fake.memory(0x8010, 4), [0, 1, 2, 3]);
        let null = Buffer::new(POOL, 0, 9).expect("null");
        assert_eq!(null.write(&mut fake, 0, &[1]), Err(GENERIC));
    }
}
