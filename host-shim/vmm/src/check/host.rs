// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a host has, as plain values.

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// The release of its kernel.
    pub linux: String,
    /// Bytes of its pages.
    pub page: u64,
    /// Its KVM.
    pub kvm: Result<Kvm, NoKvm>,
}

/// What KVM offers.
#[derive(Clone, Debug)]
pub struct Kvm {
    /// Calls can be filtered, or why not.
    pub filter: Result<(), String>,
    /// Guests can be of 32 bits.
    pub aarch32: bool,
    /// Versions of the interrupt controllers that guests can have.
    pub gics: Vec<u8>,
    /// The most bits of a guest's physical address.
    pub address_bits: u32,
    /// The most vCPUs of a guest.
    pub vcpus: usize,
    /// KVM can carry calls by itself.
    pub kernel_engine: bool,
    /// The CPU has FEAT_S2FWB; [`None`] if KVM does not tell.
    pub s2fwb: Option<bool>,
    /// KVM keeps the stolen time of vCPUs.
    pub stolen_time: bool,
}

/// Why there is no KVM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoKvm {
    /// The kernel has none.
    Absent,
    /// This user may not use it, but members of this group may.
    Forbidden(String),
    /// Another reason.
    Refused(String),
}

#[cfg(not(all(target_arch = "aarch64", target_os = "linux")))]
impl Host {
    /// Looks at this host.
    ///
    /// # Errors
    /// It has nothing of the kind.
    pub fn look() -> Result<Host, String> {
        Err("this needs an arm64 Linux: KVM runs guests of the host's own architecture".into())
    }
}

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
mod look;
