// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `fakemon`: parses the command line and runs the machine.

fn main() {}
