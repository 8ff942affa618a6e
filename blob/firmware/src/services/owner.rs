// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an owner tells of itself: call count, UID and revision (Arm DEN 0028, 6.2 "General service
//! queries").

use crate::call::Call;
use crate::error::Error;
use crate::function_id::{Effect, FunctionId, StandardFunction, owner};
use crate::service::Service;

/// How many functions there are.
pub(crate) const CALL_COUNT: u16 = 0xff00;
/// Who implements them.
pub(crate) const CALL_UID: u16 = 0xff01;
/// In which revision.
pub(crate) const CALL_REVISION: u16 = 0xff03;

/// Those of the standard secure services.
pub const FUNCTIONS: &[StandardFunction] = &[
    query(CALL_COUNT, "STANDARD_CALL_COUNT"),
    query(CALL_UID, "STANDARD_CALL_UID"),
    query(CALL_REVISION, "STANDARD_REVISION"),
];

const fn query(number: u16, name: &'static str) -> StandardFunction {
    StandardFunction {
        id: FunctionId::fast32(owner::STANDARD, number),
        name,
        effect: Effect::Query,
    }
}

/// The general queries of one owner that a board serves.
#[derive(Clone, Copy, Debug)]
pub struct OwnerQueries {
    /// The owner, one of [`owner`].
    pub owner: u8,
    /// How many functions of this owner the board serves, these queries left out.
    pub count: u32,
    /// Who implements them, as the four words that the caller sees; the first is not 0xffffffff.
    pub uid: [u32; 4],
    /// Major and minor revision of the implementation.
    pub revision: (u32, u32),
}

impl Service for OwnerQueries {
    fn owns(&self, id: FunctionId) -> bool {
        id.is_fast() && !id.is_64() && id.owner() == self.owner && id.number() >= CALL_COUNT
    }

    fn handle(&self, call: &mut Call<'_>) {
        match call.id().number() {
            CALL_COUNT => call.set(0, u64::from(self.count)),
            CALL_UID => {
                for (n, word) in self.uid.into_iter().enumerate() {
                    call.set(n, u64::from(word));
                }
            }
            CALL_REVISION => {
                call.set(0, u64::from(self.revision.0));
                call.set(1, u64::from(self.revision.1));
            }
            _ => call.answer(Error::NotSupported),
        }
    }
}
