// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest, as its firmware sees it: a vCPU's registers and its own view of memory, the RAM that the
//! VMM has told of, and what is done to a guest in its firmware's place.

#[cfg(kvm)]
pub(crate) mod inject;
#[cfg(kvm)]
pub(crate) mod ram;
#[cfg(kvm)]
pub(crate) mod stolen_time;
pub(crate) mod translate;
pub(crate) mod undefined;
#[cfg(kvm)]
pub(crate) mod vcpu;
pub(crate) mod workaround;
