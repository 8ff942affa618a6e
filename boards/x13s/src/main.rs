// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The blob of board x13s.

#![cfg_attr(target_os = "none", no_std, no_main)]

fakemon_blob::blob!(fakemon_board_x13s::X13s);
