// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The kernel engine: KVM switches between guest and payload by itself, and this library sets it up and
//! serves what it leaves. With the userspace engine the library switches, and that is all in
//! `lane.rs` and `monitor/vcpu.rs`.

pub(crate) mod abi;
pub(crate) mod binding;
pub(crate) mod status;
