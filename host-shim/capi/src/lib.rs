// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `fakemon-host` for VMMs in C: what `include/fakemon.h` declares.
//!
//! This translates and decides nothing: handles are boxes of the library's own types, a
//! [`fakemon_step`](step::fakemon_step) is its `Step`. Three things are C's alone, and have a module
//! each: a pointer may be null (`arguments.rs`), an error is a number and a text, and a panic must
//! not get out (`error.rs`).
//!
//! Names are those that C sees, so that header and source can be searched for the same ones.

#![allow(non_camel_case_types)]
// Elsewhere only what needs no KVM is built, for its tests, and nobody calls some of it.
#![cfg_attr(
    not(all(target_arch = "aarch64", target_os = "linux")),
    allow(dead_code)
)]

mod arguments;

// The header has them in this order.
pub mod error;

pub mod blob;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod policy;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod world;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod lane;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod entry;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod log;

pub mod step;

#[cfg(all(target_arch = "aarch64", target_os = "linux"))]
pub mod vcpu;
