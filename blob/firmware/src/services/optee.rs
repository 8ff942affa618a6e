// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A trusted operating system that speaks OP-TEE's protocol over SMC.
//!
//! The caller's side is Linux' drivers/tee/optee (`optee_smc.h` for the calls, `optee_msg.h` for
//! the messages). A *fast* call carries everything in registers. The *yielding* call names a message
//! in shared memory, which opens a session with a trusted application, invokes a command of it, or
//! closes the session again. All of them are 32-bit calls, so results are zero-extended.
//!
//! Shared memory is one pool that the firmware reserves and the kernel divides up: a message and
//! every buffer that it names must lie in there. No call ever waits, so there is nothing that the
//! real one has for that: no requests to the caller (RPC), no cache of memory for them, no
//! notifications.
//!
//! A board lists its [`TrustedApp`]s; [`apps`] has those that more than one board has.

use crate::call::Call;
use crate::function_id::FunctionId;
use crate::lock::Lock;
use crate::memory::Region;
use crate::service::Service;
use crate::services::owner::{CALL_COUNT, CALL_REVISION, CALL_UID, OwnerQueries};

pub mod apps;
mod command;
mod message;
mod param;
pub mod result;
mod session;

pub use apps::{TrustedApp, Uuid};
pub use param::{Access, Buffer, PARAMS, Param};

use session::Sessions;

/// The owner of a trusted OS' own calls.
const TRUSTED_OS: u8 = 0x32;
/// The owner whose general queries tell of the API.
const TRUSTED_OS_END: u8 = 0x3f;

/// Numbers of the fast calls.
const GET_OS_UUID: u16 = 0;
const GET_OS_REVISION: u16 = 1;
const GET_SHM_CONFIG: u16 = 7;
const EXCHANGE_CAPABILITIES: u16 = 9;
const DISABLE_SHM_CACHE: u16 = 10;
const ENABLE_SHM_CACHE: u16 = 11;
const GET_THREAD_COUNT: u16 = 15;
const ENABLE_ASYNC_NOTIF: u16 = 16;
const GET_ASYNC_NOTIF_VALUE: u16 = 17;
/// Numbers of the yielding calls.
const RETURN_FROM_RPC: u16 = 3;
const CALL_WITH_ARG: u16 = 4;

/// What a call returns in w0.
const OK: u32 = 0;
const ETHREAD_LIMIT: u32 = 1;
const EBUSY: u32 = 2;
const ERESUME: u32 = 3;
const EBADADDR: u32 = 4;
const EBADCMD: u32 = 5;
const ENOTAVAIL: u32 = 7;
const UNKNOWN_FUNCTION: u32 = 0xffff_ffff;

/// What the caller may say of itself: it has one CPU.
const CALLER_IS_UNIPROCESSOR: u64 = 1 << 0;
/// There is a pool of shared memory, and a memory reference may be null.
const CAPABILITIES: u64 = 1 << 0 | 1 << 4;
/// The pool is for cached accesses.
const SHM_CACHED: u64 = 1;

/// The UUID of OP-TEE, 486178e0-e7f8-11e3-bc5e-0002a5d5c51b.
const OS_UUID: [u32; 4] = [0x4861_78e0, 0xe7f8_11e3, 0xbc5e_0002, 0xa5d5_c51b];

/// What the API says of itself: it is 384fb3e0-e7f8-11e3-af63-0002a5d5c51b, revision 2.0.
const API: OwnerQueries = OwnerQueries {
    owner: TRUSTED_OS_END,
    // Seven fast calls and two yielding ones.
    count: 9,
    uid: [0x384f_b3e0, 0xe7f8_11e3, 0xaf63_0002, 0xa5d5_c51b],
    revision: (2, 0),
};

/// What a board decides about its trusted OS.
#[derive(Clone, Copy)]
pub struct Config {
    /// First guest physical address of the pool; whole pages of the guest's memory, none of its RAM.
    pub pool: u32,
    /// Bytes of the pool.
    pub pool_size: u32,
    /// Major and minor revision of the OS, as the kernel prints it.
    pub revision: (u32, u32),
    /// How many yielding calls it serves at the same time.
    pub threads: u32,
    /// Its trusted applications.
    pub apps: &'static [&'static dyn TrustedApp],
}

/// The trusted OS.
#[derive(Debug)]
pub struct OpTee {
    config: Config,
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    /// Yielding calls that are being served.
    busy: u32,
    sessions: Sessions,
}

impl OpTee {
    /// A trusted OS without sessions.
    pub const fn new(config: Config) -> Self {
        OpTee {
            config,
            state: Lock::new(State {
                busy: 0,
                sessions: Sessions::NONE,
            }),
        }
    }

    fn pool(&self) -> Region {
        Region {
            base: u64::from(self.config.pool),
            size: u64::from(self.config.pool_size),
            writable: true,
        }
    }

    fn fast(&self, call: &mut Call<'_>) -> u32 {
        match call.id().number() {
            GET_OS_REVISION => {
                let (major, minor) = self.config.revision;
                call.set(1, u64::from(minor));
                // No number of a build.
                call.set(2, 0);
                major
            }
            GET_OS_UUID => {
                for (n, word) in OS_UUID.into_iter().enumerate().skip(1) {
                    call.set(n, u64::from(word));
                }
                OS_UUID[0]
            }
            GET_SHM_CONFIG => {
                call.set(1, u64::from(self.config.pool));
                call.set(2, u64::from(self.config.pool_size));
                call.set(3, SHM_CACHED);
                OK
            }
            EXCHANGE_CAPABILITIES => {
                let unknown = call.arg(1) & !CALLER_IS_UNIPROCESSOR;
                call.set(1, CAPABILITIES);
                if unknown != 0 {
                    return ENOTAVAIL;
                }
                // No notifications, and no parameters of requests to the caller.
                call.set(2, 0);
                call.set(3, 0);
                OK
            }
            // An empty cache has nothing to give back, and one that stays empty may well be on.
            DISABLE_SHM_CACHE => self.if_idle(ENOTAVAIL),
            ENABLE_SHM_CACHE => self.if_idle(OK),
            GET_THREAD_COUNT => {
                call.set(1, u64::from(self.config.threads));
                OK
            }
            ENABLE_ASYNC_NOTIF | GET_ASYNC_NOTIF_VALUE => ENOTAVAIL,
            _ => UNKNOWN_FUNCTION,
        }
    }

    fn if_idle(&self, code: u32) -> u32 {
        match self.state.with(|state| state.busy) {
            0 => code,
            _ => EBUSY,
        }
    }

    fn yielding(&self, call: &mut Call<'_>) -> u32 {
        match call.id().number() {
            CALL_WITH_ARG => self.on_a_thread(|| self.call_with_arg(call)),
            // There is no call that could be resumed.
            RETURN_FROM_RPC => ERESUME,
            _ => UNKNOWN_FUNCTION,
        }
    }

    /// Does `work` if a thread is free.
    fn on_a_thread(&self, work: impl FnOnce() -> u32) -> u32 {
        let free = self.state.with(|state| {
            let free = state.busy < self.config.threads;
            state.busy += u32::from(free);
            free
        });
        if !free {
            return ETHREAD_LIMIT;
        }
        let code = work();
        self.state.with(|state| state.busy -= 1);
        code
    }
}

impl Service for OpTee {
    fn owns(&self, id: FunctionId) -> bool {
        !id.is_64() && [TRUSTED_OS, TRUSTED_OS_END].contains(&id.owner())
    }

    fn handle(&self, call: &mut Call<'_>) {
        let id = call.id();
        let code = match (id.owner(), id.is_fast(), id.number()) {
            (TRUSTED_OS, true, _) => self.fast(call),
            (TRUSTED_OS, false, _) => self.yielding(call),
            (_, true, CALL_COUNT | CALL_UID | CALL_REVISION) => return API.handle(call),
            _ => UNKNOWN_FUNCTION,
        };
        call.set(0, u64::from(code));
    }
}

impl core::fmt::Debug for Config {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Config")
            .field("pool", &self.pool)
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
