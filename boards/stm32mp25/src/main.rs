// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The blob of board stm32mp25.

#![cfg_attr(target_os = "none", no_std, no_main)]

fakemon_blob::blob!(fakemon_board_stm32mp25::Stm32mp25);
