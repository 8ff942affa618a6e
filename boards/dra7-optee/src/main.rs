// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The blob of board dra7-optee.

#![cfg_attr(target_os = "none", no_std, no_main)]

fakemon_blob::blob!(fakemon_board_dra7_optee::Dra7Optee);
