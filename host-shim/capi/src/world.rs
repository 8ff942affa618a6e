// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Worlds, as handles: the payloads of one guest, and its memory.

use std::ffi::{c_int, c_void};

use fakemon_host::{Config, Engine, GuestMemory, World};

use crate::arguments::{self, Place};
use crate::blob::{self, fakemon_blob};
use crate::error::{Failure, fakemon_error, guard};
use crate::policy::{fakemon_config, fakemon_engine};

/// The payloads of a guest, and its memory. Several threads may use one at the same time.
#[derive(Debug)]
pub struct fakemon_world(pub(crate) World);

/// Makes a monitor VM for each of `count` blobs, for a guest with `cpus` vCPUs. `kvm_fd` is `/dev/kvm`.
/// A `config` of NULL is the default.
///
/// `*world` is the caller's then, who ends it with `fakemon_world_free`. Of what is handed over, it
/// keeps copies.
///
/// # Errors
/// Two blobs claim the same calls, there are too many vCPUs, the kernel lacks the engine that `config`
/// asks for, or KVM refuses.
///
/// # Safety
/// `kvm_fd` is open during this call. `count` pointers can be read at `blobs`, each from
/// `fakemon_blob_parse` and not freed. `config` is NULL or can be read, and a pointer can be written to
/// `*world`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_world_new(
    kvm_fd: c_int,
    blobs: *const *const fakemon_blob,
    count: usize,
    cpus: u32,
    config: *const fakemon_config,
    world: *mut *mut fakemon_world,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is open.
        let kvm = unsafe { arguments::file(kvm_fd, "kvm_fd") }?;
        // SAFETY: the caller has promised that these are such blobs.
        let blobs = unsafe { blob::list(blobs, count) }?;
        // SAFETY: the caller has promised that it is null or can be read.
        let config = match unsafe { config.as_ref() } {
            Some(config) => config.read()?,
            None => Config::default(),
        };
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(world, "world") }?;
        let new = fakemon_world(World::new(&kvm, &blobs, cpus, config)?);
        place.put(Box::into_raw(Box::new(new)));
        Ok(())
    })
}

/// Adds a region of the guest's RAM: where the guest sees it, where it is mapped in this process, and
/// how many bytes, all multiples of the page size.
///
/// # Errors
/// It lies in the monitor's own window, is not made of pages, overlaps another, or KVM refuses; then
/// it has not been added.
///
/// # Safety
/// `world` comes from `fakemon_world_new` and is not freed. The region is mapped, writable, and stays
/// so until it is removed, or the world and all its lanes are freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_world_add_memory(
    world: *const fakemon_world,
    guest_addr: u64,
    host_addr: *mut c_void,
    size: u64,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle.
        let world = unsafe { arguments::borrow(world, "world") }?;
        if host_addr.is_null() {
            return Err(Failure::vmm("host_addr is a null pointer"));
        }
        let memory = GuestMemory {
            guest_addr,
            host_addr: host_addr.expose_provenance() as u64,
            size,
        };
        // SAFETY: the caller has promised that the region is mapped and stays so.
        Ok(unsafe { world.0.add_memory(memory) }?)
    })
}

/// Removes the region that begins at this guest physical address. When this returns, nothing refers to
/// its mapping any more. An access of a payload becomes a request from then on.
///
/// # Errors
/// There is no such region, or KVM refuses.
///
/// # Safety
/// `world` comes from `fakemon_world_new` and is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_world_remove_memory(
    world: *const fakemon_world,
    guest_addr: u64,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle.
        let world = unsafe { arguments::borrow(world, "world") }?;
        Ok(world.0.remove_memory(guest_addr)?)
    })
}

/// Makes the region that begins at this guest physical address read-only for all payloads, or as
/// writable as they ask. A store there becomes a request while it is read-only.
///
/// # Errors
/// There is no such region, or KVM refuses.
///
/// # Safety
/// `world` comes from `fakemon_world_new` and is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_world_set_read_only(
    world: *const fakemon_world,
    guest_addr: u64,
    read_only: bool,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle.
        let world = unsafe { arguments::borrow(world, "world") }?;
        Ok(world.0.set_read_only(guest_addr, read_only)?)
    })
}

/// Begins or ends keeping track of the pages that payloads write.
///
/// # Errors
/// KVM refuses.
///
/// # Safety
/// `world` comes from `fakemon_world_new` and is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_world_log_dirty_pages(
    world: *const fakemon_world,
    on: bool,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle.
        let world = unsafe { arguments::borrow(world, "world") }?;
        Ok(world.0.log_dirty_pages(on)?)
    })
}

/// Adds the pages of the region at this guest physical address that payloads have written since this
/// was asked last to `pages`, of `words` words: bit 0 of word 0 is the region's first page, as in
/// KVM_GET_DIRTY_LOG. Other bits stay as they are, so the guest's own log can be handed over.
///
/// # Errors
/// There is no such region, nobody keeps track, KVM refuses, or there are fewer words than the region
/// has pages for; what has been written since is lost then, so take all pages for written.
///
/// # Safety
/// `world` comes from `fakemon_world_new` and is not freed. Nobody else uses the `words` words at
/// `pages` during this call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_world_dirty_pages(
    world: *const fakemon_world,
    guest_addr: u64,
    pages: *mut u64,
    words: usize,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle.
        let world = unsafe { arguments::borrow(world, "world") }?;
        // SAFETY: the caller has promised that there are so many words, and nobody else's now.
        let pages = unsafe { arguments::slice_mut(pages, words, "pages") }?;
        let dirty = world.0.dirty_pages(guest_addr)?;
        if dirty.len() > pages.len() {
            let needed = dirty.len();
            return Err(Failure::vmm(format!(
                "the region at {guest_addr:#x} has pages for {needed} words, and pages has {words}"
            )));
        }
        for (all, new) in pages.iter_mut().zip(dirty) {
            *all |= new;
        }
        Ok(())
    })
}

/// Makes all payloads what they were when the world was made, for a guest that is reset in place. Its
/// vCPUs keep their lanes, and its memory stays.
///
/// A blob's data is what its file says when this returns. What it has on each CPU, which is the EL1
/// state, the frame and the stack, each lane makes anew at the next call that comes to it; with the
/// kernel engine calls do not, so have `fakemon_lane_abandon` do it on every lane.
///
/// # Errors
/// A vCPU is in a call, which `fakemon_lane_abandon` ends. Nothing has been reset then.
///
/// # Safety
/// `world` comes from `fakemon_world_new` and is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_world_reset(world: *const fakemon_world) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle.
        let world = unsafe { arguments::borrow(world, "world") }?;
        Ok(world.0.reset()?)
    })
}

/// Tells who carries the calls of the first payload: `FAKEMON_ENGINE_KERNEL` or
/// `FAKEMON_ENGINE_USERSPACE`.
///
/// # Errors
/// None but null pointers.
///
/// # Safety
/// `world` comes from `fakemon_world_new` and is not freed, and `*engine` can be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_world_engine(
    world: *const fakemon_world,
    engine: *mut fakemon_engine,
) -> fakemon_error {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle.
        let world = unsafe { arguments::borrow(world, "world") }?;
        // SAFETY: the caller has promised that it can be written.
        let place = unsafe { Place::new(engine, "engine") }?;
        place.put(match world.0.engine() {
            Engine::Kernel => fakemon_engine::Kernel,
            _ => fakemon_engine::Userspace,
        });
        Ok(())
    })
}

/// Ends a world. Its lanes keep what they need of it, so any order will do. NULL is no world, and
/// nothing happens.
///
/// # Safety
/// `world` comes from `fakemon_world_new`, and no thread uses it now or later.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fakemon_world_free(world: *mut fakemon_world) {
    guard(|| {
        // SAFETY: the caller has promised that it is such a handle and nobody's any more.
        unsafe { arguments::free(world) };
        Ok(())
    });
}
