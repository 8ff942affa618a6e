// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The blob of board s32g2.

#![cfg_attr(target_os = "none", no_std, no_main)]

fakemon_blob::blob!(fakemon_board_s32g2::S32g2);
