// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The families of firmware interfaces that Linux 6.12 calls by SMC.
//!
//! A family is one owner of the firmware or one register convention. P are platforms of 32-bit Arm,
//! A are standards of Arm's and of others, V are vendors' own. The sources are below the kernel's
//! tree.

/// A family: its id, what it is, and where in Linux it is called from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Such as `V14`.
    pub id: &'static str,
    /// What it is.
    pub name: &'static str,
    /// The caller in Linux.
    pub source: &'static str,
}

const fn family(id: &'static str, name: &'static str, source: &'static str) -> Family {
    Family { id, name, source }
}

/// All families.
pub const FAMILIES: &[Family] = &[
    family(
        "P1",
        "OMAP4/5, DRA7 ROM monitor, ID in r12",
        "arch/arm/mach-omap2/omap-smc.S",
    ),
    family(
        "P2",
        "OMAP4 HS PPA dispatcher",
        "arch/arm/mach-omap2/omap-secure.c",
    ),
    family(
        "P3",
        "OMAP3 HS PPA, `smc #1`",
        "arch/arm/mach-omap2/omap-smc.S",
    ),
    family("P4", "OMAP3 GP ROM", "arch/arm/mach-omap2/sleep34xx.S"),
    family(
        "P5",
        "OMAP SiP calls of OP-TEE",
        "arch/arm/mach-omap2/omap-secure.c",
    ),
    family(
        "P6",
        "Calxeda Highbank, ID in r12",
        "arch/arm/mach-highbank/highbank.c",
    ),
    family(
        "P7",
        "Exynos secure firmware",
        "arch/arm/mach-exynos/firmware.c",
    ),
    family(
        "P8",
        "Trusted Foundations",
        "drivers/firmware/trusted_foundations.c",
    ),
    family(
        "P9",
        "Broadcom Kona, ID in r4",
        "arch/arm/mach-bcm/bcm_kona_smc.c",
    ),
    family(
        "P10",
        "Axis ARTPEC-6",
        "arch/arm/mach-artpec/board-artpec6.c",
    ),
    family(
        "P11",
        "Microchip SAMA5/7 SiP of OP-TEE",
        "arch/arm/mach-at91/sam_secure.c",
    ),
    family("P12", "AT91 OHCI suspend", "drivers/usb/host/ohci-at91.c"),
    family(
        "A1",
        "PSCI 0.1, IDs of the board's own",
        "drivers/firmware/psci/psci.c",
    ),
    family("A2", "PSCI 0.2 and later", "drivers/firmware/psci/psci.c"),
    family(
        "A3",
        "SMCCC architecture services",
        "drivers/firmware/smccc/",
    ),
    family("A4", "TRNG", "drivers/char/hw_random/arm_smccc_trng.c"),
    family("A5", "PV time", "arch/arm64/kernel/paravirt.c"),
    family("A6", "SDEI", "drivers/firmware/arm_sdei.c"),
    family("A7", "FF-A", "drivers/firmware/arm_ffa/"),
    family("A8", "SCMI over SMC", "drivers/firmware/arm_scmi/"),
    family("A9", "OP-TEE", "drivers/tee/optee/smc_abi.c"),
    family("A10", "SMC watchdog", "drivers/watchdog/arm_smc_wdt.c"),
    family("A11", "TPM CRB start", "drivers/char/tpm/tpm_crb.c"),
    family(
        "A12",
        "ACPI FFH operation region",
        "drivers/acpi/arm64/ffh.c",
    ),
    family(
        "V1",
        "Amlogic secure monitor",
        "drivers/firmware/meson/meson_sm.c",
    ),
    family("V2", "Xilinx EEMI", "drivers/firmware/xilinx/zynqmp.c"),
    family(
        "V3",
        "Xilinx IPI mailbox",
        "drivers/mailbox/zynqmp-ipi-mailbox.c",
    ),
    family(
        "V4",
        "Qualcomm SCM, SMC32 and SMC64",
        "drivers/firmware/qcom/qcom_scm-smc.c",
    ),
    family(
        "V5",
        "Qualcomm SCM, legacy",
        "drivers/firmware/qcom/qcom_scm-legacy.c",
    ),
    family("V6", "Qualcomm QSEECOM", "drivers/firmware/qcom/qcom_scm.c"),
    family(
        "V7",
        "Intel SoCFPGA SiP",
        "drivers/firmware/stratix10-svc.c",
    ),
    family(
        "V8",
        "NXP i.MX SiP",
        "drivers/soc/imx/soc-imx8m.c, drivers/devfreq/imx8m-ddrc.c",
    ),
    family("V9", "Rockchip DRAM", "drivers/clk/rockchip/clk-ddr.c"),
    family("V10", "STM32MP1 SiP", "drivers/remoteproc/stm32_rproc.c"),
    family(
        "V11",
        "MediaTek SiP",
        "drivers/iommu/mtk_iommu.c and others",
    ),
    family(
        "V12",
        "Marvell CP110 COMPHY",
        "drivers/phy/marvell/phy-mvebu-cp110-comphy.c",
    ),
    family(
        "V13",
        "Marvell CN10K RNG",
        "drivers/char/hw_random/cn10k-rng.c",
    ),
    family(
        "V14",
        "Exynos850 TRNG",
        "drivers/char/hw_random/exynos-trng.c",
    ),
    family(
        "V15",
        "Google gs101 PMU",
        "drivers/soc/samsung/exynos-pmu.c",
    ),
    family("V16", "Exynos UFS FMP", "drivers/ufs/host/ufs-exynos.c"),
    family("V17", "Unisoc UFS crypto", "drivers/ufs/host/ufs-sprd.c"),
    family("V18", "NVIDIA Tegra210 PMC", "drivers/soc/tegra/pmc.c"),
    family(
        "V19",
        "NVIDIA Tegra186 MCE",
        "drivers/soc/tegra/ari-tegra186.c",
    ),
    family(
        "V20",
        "NVIDIA BlueField",
        "drivers/platform/mellanox/mlxbf-bootctl.c and others",
    ),
    family(
        "V21",
        "Intel Keem Bay watchdog",
        "drivers/watchdog/keembay_wdt.c",
    ),
    family(
        "V22",
        "Ampere Altra attention LEDs",
        "drivers/pci/hotplug/acpiphp_ampere_altra.c",
    ),
];

/// Finds a family by its id.
pub fn find(id: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_id_is_there_once() {
        let ids: BTreeSet<_> = FAMILIES.iter().map(|family| family.id).collect();
        assert_eq!((ids.len(), FAMILIES.len()), (46, 46));
        for (letter, count) in [("P", 12), ("A", 12), ("V", 22)] {
            for number in 1..=count {
                assert!(find(&format!("{letter}{number}")).is_some());
            }
        }
        assert_eq!(find("V23"), None);
    }
}
