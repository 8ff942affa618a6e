// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The blob of one half.

#![cfg_attr(target_os = "none", no_std, no_main)]

fakemon_blob::blob!(fakemon_halves::Power, "power.rs");
