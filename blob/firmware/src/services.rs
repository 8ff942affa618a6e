// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Services that more than one board has, one file each.

pub mod arm_arch;
pub mod imx8m_dram;
pub mod omap_monitor;
pub mod optee;
pub mod owner;
pub mod psci;
pub mod psci_v0_1;
pub mod pv_time;
pub mod qcom_scm;
pub mod scmi;
pub mod sdei;
pub mod smc_watchdog;
pub mod trng;
