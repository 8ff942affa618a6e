// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The functions that Arm's standards define, which no board needs to repeat.

/// PSCI functions (DEN 0022) by number, from 0.
const PSCI: [&str; 21] = [
    "PSCI_VERSION",
    "PSCI_CPU_SUSPEND",
    "PSCI_CPU_OFF",
    "PSCI_CPU_ON",
    "PSCI_AFFINITY_INFO",
    "PSCI_MIGRATE",
    "PSCI_MIGRATE_INFO_TYPE",
    "PSCI_MIGRATE_INFO_UP_CPU",
    "PSCI_SYSTEM_OFF",
    "PSCI_SYSTEM_RESET",
    "PSCI_FEATURES",
    "PSCI_CPU_FREEZE",
    "PSCI_CPU_DEFAULT_SUSPEND",
    "PSCI_NODE_HW_STATE",
    "PSCI_SYSTEM_SUSPEND",
    "PSCI_SET_SUSPEND_MODE",
    "PSCI_STAT_RESIDENCY",
    "PSCI_STAT_COUNT",
    "PSCI_SYSTEM_RESET2",
    "PSCI_MEM_PROTECT",
    "PSCI_MEM_PROTECT_CHECK_RANGE",
];
/// SDEI functions (DEN 0054) from 0x20, all of the 64-bit convention.
const SDEI: [&str; 19] = [
    "SDEI_VERSION",
    "SDEI_EVENT_REGISTER",
    "SDEI_EVENT_ENABLE",
    "SDEI_EVENT_DISABLE",
    "SDEI_EVENT_CONTEXT",
    "SDEI_EVENT_COMPLETE",
    "SDEI_EVENT_COMPLETE_AND_RESUME",
    "SDEI_EVENT_UNREGISTER",
    "SDEI_EVENT_STATUS",
    "SDEI_EVENT_GET_INFO",
    "SDEI_EVENT_ROUTING_SET",
    "SDEI_PE_MASK",
    "SDEI_PE_UNMASK",
    "SDEI_INTERRUPT_BIND",
    "SDEI_INTERRUPT_RELEASE",
    "SDEI_EVENT_SIGNAL",
    "SDEI_FEATURES",
    "SDEI_PRIVATE_RESET",
    "SDEI_SHARED_RESET",
];
/// TRNG functions (DEN 0098) from 0x50.
const TRNG: [&str; 4] = ["TRNG_VERSION", "TRNG_FEATURES", "TRNG_GET_UUID", "TRNG_RND"];

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
    /// Fast call, standard service; the bit that says 64-bit is left out (DEN 0028, 2.5).
    const STANDARD: u64 = 0x8400_0000;
    const CONVENTION_64: u64 = 1 << 30;
    match id {
        0x8000_0000 => return Some("SMCCC_VERSION"),
        0x8000_0001 => return Some("SMCCC_ARCH_FEATURES"),
        0x8000_0002 | 0xc000_0002 => return Some("SMCCC_ARCH_SOC_ID"),
        0xc500_0020 => return Some("PV_TIME_FEATURES"),
        0xc500_0021 => return Some("PV_TIME_ST"),
        _ => {}
    }
    let wide = id & CONVENTION_64 != 0;
    let number = (id & !CONVENTION_64).checked_sub(STANDARD)?;
    match number {
        0xff00 => Some("STANDARD_CALL_COUNT"),
        0xff01 => Some("STANDARD_CALL_UID"),
        0xff03 => Some("STANDARD_REVISION"),
        _ => {
            let number = usize::try_from(number).ok()?;
            let sdei = || SDEI.get(number.checked_sub(0x20)?).filter(|_| wide);
            let trng = || TRNG.get(number.checked_sub(0x50)?);
            PSCI.get(number).or_else(sdei).or_else(trng).copied()
        }
    }
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
