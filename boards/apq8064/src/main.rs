// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The blob of board apq8064.

#![cfg_attr(target_os = "none", no_std, no_main)]

fakemon_blob::blob!(fakemon_board_apq8064::Apq8064);
