// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a blob runs: what is in its monitor VM's memory, how it is entered, and what its coming back
//! means. The file is `crate::blob`'s.

pub(crate) mod cpu;
mod enter;
mod fault;
pub(crate) mod frame;
pub(crate) mod gate;
pub(crate) mod image;
pub(crate) mod leave;
