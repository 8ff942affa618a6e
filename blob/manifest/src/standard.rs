// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The functions that Arm's standards define, which no board needs to repeat.

use fakemon_firmware::FunctionId;
use fakemon_firmware::services::{arm_arch, owner, psci, pv_time, sdei, trng};

/// The functions of each standard, from where they are served.
const STANDARDS: [&[(FunctionId, &str)]; 6] = [
    arm_arch::NAMES,
    owner::NAMES,
    psci::NAMES,
    pv_time::NAMES,
    sdei::NAMES,
    trng::NAMES,
];

/// Functions that tell something and change nothing.
const QUERIES: [&str; 23] = [
    "SMCCC_VERSION",
    "SMCCC_ARCH_FEATURES",
    "SMCCC_ARCH_SOC_ID",
    "PV_TIME_FEATURES",
    "STANDARD_CALL_COUNT",
    "STANDARD_CALL_UID",
    "STANDARD_REVISION",
    "PSCI_VERSION",
    "PSCI_AFFINITY_INFO",
    "PSCI_MIGRATE_INFO_TYPE",
    "PSCI_MIGRATE_INFO_UP_CPU",
    "PSCI_FEATURES",
    "PSCI_NODE_HW_STATE",
    "PSCI_STAT_RESIDENCY",
    "PSCI_STAT_COUNT",
    "PSCI_MEM_PROTECT_CHECK_RANGE",
    "SDEI_VERSION",
    "SDEI_EVENT_STATUS",
    "SDEI_EVENT_GET_INFO",
    "SDEI_FEATURES",
    "TRNG_VERSION",
    "TRNG_FEATURES",
    "TRNG_GET_UUID",
];

/// Tells whether the function of this name is a standard's that changes nothing.
pub fn is_query(name: &str) -> bool {
    QUERIES.contains(&name)
}

/// The name of a function of a standard service, in the 32-bit or the 64-bit convention.
pub fn function_name(id: u64) -> Option<&'static str> {
    let id = FunctionId(u32::try_from(id).ok()?);
    let name = |id| {
        let mut all = STANDARDS.into_iter().flatten();
        all.find(|(function, _)| *function == id)
            .map(|(_, name)| *name)
    };
    // One that is there in both conventions is listed in the 32-bit one.
    name(id).or_else(|| name(id.as_32()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_conventions_have_the_same_names() {
        assert_eq!(function_name(0x8400_0003), Some("PSCI_CPU_ON"));
        assert_eq!(function_name(0xc400_0003), Some("PSCI_CPU_ON"));
        assert_eq!(
            function_name(0xc400_0014),
            Some("PSCI_MEM_PROTECT_CHECK_RANGE")
        );
        assert_eq!(function_name(0xc400_0053), Some("TRNG_RND"));
        assert_eq!(function_name(0xc400_0032), Some("SDEI_SHARED_RESET"));
        assert_eq!(function_name(0x8400_0032), None, "SDEI is 64-bit alone");
        assert_eq!(function_name(0xc500_0021), Some("PV_TIME_ST"));
        assert_eq!(function_name(0x8000_0001), Some("SMCCC_ARCH_FEATURES"));
        assert_eq!(function_name(0x8400_ff03), Some("STANDARD_REVISION"));
    }

    #[test]
    fn queries_are_functions_that_there_are() {
        let ids = (0x8000_0000..0x8000_0010).chain(0x8400_0000..0x8400_0060);
        let ids = ids.chain([0x8400_ff00, 0x8400_ff01, 0x8400_ff03, 0x8500_0020]);
        let names: Vec<&str> = ids
            .filter_map(|id| function_name(id).or(function_name(id | 1 << 30)))
            .collect();
        for query in QUERIES {
            assert!(names.contains(&query), "{query}");
        }
        for other in [
            "PSCI_CPU_ON",
            "PSCI_SYSTEM_OFF",
            "SDEI_PE_MASK",
            "TRNG_RND",
            "PV_TIME_ST",
            "READ",
        ] {
            assert!(!is_query(other), "{other}");
        }
    }

    #[test]
    fn other_ids_have_none() {
        for id in [0, 0x102, 0x8200_0003, 0x8400_0015, 0x8400_0054, 0x8500_0000] {
            assert_eq!(function_name(id), None, "{id:#x}");
        }
    }
}
