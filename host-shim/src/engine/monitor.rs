// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The monitor VM: a tiny VM beside the guest's, whose memory the guest cannot reach.
//!
//! arm64 KVM has one stage 2 per VM, so what one vCPU may see all may see. A blob that the guest
//! must not see therefore lives in a VM of its own, with one vCPU for each of the guest's; guest
//! RAM is mapped into it as the blob's note asks, and not at all if it does not ask
//! (docs/decisions/0001-two-vms.md).

use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use fakemon_abi::layout::{MAX_VCPUS, MONITOR_BASE};
use fakemon_abi::note::{CALLER_AARCH32, CALLER_AARCH64, GUEST_MEMORY_NONE, GUEST_MEMORY_READ};
use fakemon_abi::status;
use kvm_bindings::{KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VmFd};

use crate::blob::Blob;
use crate::engine::error::Error;
use crate::engine::memory::{MonitorMemory, map_monitor};
use crate::engine::regs::Registers;
use crate::engine::vcpu::MonitorVcpu;
use crate::engine::watchdog::Watchdog;
use crate::engine::{carrier, filter};
use crate::policy::{Config, Engine};
use crate::tables::{Access, PAGE, Tables};
use crate::width::Width;

/// A range of guest RAM: where the guest sees it, and where the VMM has it mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestMemory {
    /// Guest physical address, a multiple of the host's page size.
    pub guest_addr: u64,
    /// Address of the mapping in this process.
    pub host_addr: u64,
    /// Size in bytes, a multiple of the host's page size.
    pub size: u64,
}

/// What all vCPUs of one monitor VM share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) vm: VmFd,
    pub(crate) blob: Blob,
    pub(crate) memory: Arc<MonitorMemory>,
    pub(crate) guest: Vec<GuestMemory>,
    pub(crate) config: Config,
    pub(crate) cpus: u32,
    /// KVM carries the calls by itself.
    pub(crate) carried: bool,
    pub(crate) watchdog: Watchdog,
}

/// The monitor VM of one guest.
#[derive(Debug)]
pub struct Monitor {
    shared: Arc<Shared>,
}

impl Monitor {
    /// Makes a monitor VM that runs `blob` for a guest with `cpus` vCPUs and the given RAM.
    ///
    /// # Errors
    /// The guest's RAM lies in the monitor's own window, there are too many vCPUs, the kernel lacks
    /// the engine that `config` asks for, or KVM refuses.
    ///
    /// # Safety
    /// Each range of `memory` is mapped in this process, writable, and stays so until the `Monitor`
    /// and all its vCPUs are dropped.
    pub unsafe fn new(
        blob: &Blob,
        memory: &[GuestMemory],
        cpus: u32,
        config: Config,
    ) -> Result<Monitor, Error> {
        if cpus == 0 || cpus > MAX_VCPUS {
            return Err(Error::TooManyCpus(cpus));
        }
        // SAFETY: sysconf has no memory arguments.
        let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
        if page_size != PAGE {
            return Err(Error::PageSize(page_size));
        }
        let mut tables = Tables::new();
        let guest_access = blob.note().guest_memory;
        for range in memory {
            let end = range.guest_addr.checked_add(range.size);
            if end.is_none_or(|end| end > MONITOR_BASE) {
                return Err(Error::GuestMemoryTooHigh(range.guest_addr));
            }
            if range.guest_addr % PAGE != 0 || range.size % PAGE != 0 || range.host_addr % PAGE != 0
            {
                return Err(Error::GuestMemoryUnaligned(range.guest_addr));
            }
            match guest_access {
                GUEST_MEMORY_NONE => {}
                GUEST_MEMORY_READ => tables.map(range.guest_addr, range.size, Access::Read),
                _ => tables.map(range.guest_addr, range.size, Access::Write),
            }
        }
        map_monitor(&mut tables, blob, cpus);

        let kvm = Kvm::new().map_err(Error::kvm("open /dev/kvm"))?;
        let carried = match config.engine {
            Engine::Userspace => false,
            Engine::Auto => carrier::supported(&kvm),
            Engine::Kernel if carrier::supported(&kvm) => true,
            Engine::Kernel => return Err(Error::NoKernelEngine),
        };
        let vm = kvm
            .create_vm()
            .map_err(Error::kvm("create the monitor VM"))?;
        filter::forward_everything(&vm)?;
        let memory_of_monitor =
            MonitorMemory::new(blob, &tables, cpus, carried).map_err(Error::Memory)?;
        let mut slot = 0;
        let mut add = |guest_phys_addr, userspace_addr, memory_size, flags| {
            let region = kvm_userspace_memory_region {
                slot,
                flags,
                guest_phys_addr,
                memory_size,
                userspace_addr,
            };
            slot += 1;
            // SAFETY: the monitor's own memory is kept by `Shared`, which owns the VM too; the
            // caller keeps the guest's RAM mapped for as long.
            let added = unsafe { vm.set_user_memory_region(region) };
            added.map_err(Error::kvm("give the monitor VM memory"))
        };
        for piece in memory_of_monitor.pieces() {
            let flags = if piece.writable { 0 } else { KVM_MEM_READONLY };
            add(
                piece.address,
                memory_of_monitor.host_address(piece),
                piece.size,
                flags,
            )?;
        }
        if guest_access != GUEST_MEMORY_NONE {
            let flags = if guest_access == GUEST_MEMORY_READ {
                KVM_MEM_READONLY
            } else {
                0
            };
            for range in memory {
                add(range.guest_addr, range.host_addr, range.size, flags)?;
            }
        }
        let watchdog = Watchdog::new(cpus, &config).map_err(Error::Watchdog)?;
        Ok(Monitor {
            shared: Arc::new(Shared {
                vm,
                blob: blob.clone(),
                memory: memory_of_monitor,
                guest: memory.to_vec(),
                config,
                cpus,
                carried,
                watchdog,
            }),
        })
    }

    /// Makes the monitor vCPU that serves the guest's vCPU number `cpu`, whose EL1 is `width` wide.
    ///
    /// `guest` must stay open as long as the result is used. The result may move to the thread that
    /// runs the guest's vCPU; make it once for each vCPU.
    ///
    /// # Errors
    /// The blob does not serve such callers, `cpu` is out of range or taken, or KVM refuses.
    pub fn vcpu(&self, cpu: u32, guest: &impl AsRawFd, width: Width) -> Result<MonitorVcpu, Error> {
        let caller = match width {
            Width::AArch64 => CALLER_AARCH64,
            Width::AArch32 => CALLER_AARCH32,
        };
        if self.shared.blob.note().callers & caller == 0 {
            return Err(Error::WrongCaller {
                board: self.shared.blob.board().to_owned(),
                width,
            });
        }
        if cpu >= self.shared.cpus {
            return Err(Error::Kvm {
                what: "make a vCPU that was not announced",
                source: io::Error::from_raw_os_error(libc::EINVAL),
            });
        }
        MonitorVcpu::new(self.shared.clone(), cpu, Registers::of(guest), width)
    }

    /// Who carries calls: [`Engine::Kernel`] or [`Engine::Userspace`].
    pub fn engine(&self) -> Engine {
        if self.shared.carried {
            Engine::Kernel
        } else {
            Engine::Userspace
        }
    }

    /// The ranges of monitor-physical addresses that have memory of the monitor's own, as address
    /// and size in bytes.
    pub fn memory_map(&self) -> impl Iterator<Item = (u64, u64)> {
        self.shared
            .memory
            .pieces()
            .iter()
            .map(|piece| (piece.address, piece.size))
    }

    /// Bytes of the monitor's own memory that have a page behind them by now.
    ///
    /// # Errors
    /// What mincore(2) says.
    pub fn touched_memory(&self) -> io::Result<u64> {
        self.shared.memory.touched()
    }

    /// Copies `size` bytes of the monitor's own memory, for debuggers; [`None`] where it has none.
    pub fn read_memory(&self, address: u64, size: usize) -> Option<Vec<u8>> {
        self.shared.memory.read(address, size)
    }
}

impl Shared {
    /// The guest's `n`-th range of memory, as the host call GUEST_MEMORY tells of it.
    pub(crate) fn guest_memory(&self, n: u64) -> Result<[u64; 3], i32> {
        let access = u64::from(self.blob.note().guest_memory);
        if self.blob.note().guest_memory == GUEST_MEMORY_NONE {
            return Err(status::NOT_SUPPORTED);
        }
        let range = usize::try_from(n).ok().and_then(|n| self.guest.get(n));
        range
            .map(|range| [range.guest_addr, range.size, access])
            .ok_or(status::INVALID_PARAMETERS)
    }

    /// Reads 4 or 8 bytes of guest RAM; [`None`] where there is none.
    pub(crate) fn read_guest(&self, address: u64, size: usize) -> Option<u64> {
        let range = self.guest.iter().find(|range| {
            address >= range.guest_addr
                && (address - range.guest_addr)
                    .checked_add(size as u64)
                    .is_some_and(|end| end <= range.size)
        })?;
        let host = range.host_addr + (address - range.guest_addr);
        let mut bytes = [0; 8];
        let from = std::ptr::with_exposed_provenance::<u8>(host as usize);
        // SAFETY: `Monitor::new` requires the range to be mapped, `size` bytes from here are inside
        // it, and a guest that writes them meanwhile changes bytes, nothing else. `bytes` has room
        // for 8, the most that a walk reads.
        unsafe { std::ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), size.min(8)) };
        Some(u64::from_le_bytes(bytes))
    }
}
