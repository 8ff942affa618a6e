// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The functions that Arm's standards define, which no board needs to repeat.

use fakemon_firmware::services::{arm_arch, owner, psci, pv_time, sdei, trng};
use fakemon_firmware::{Effect, FunctionId, StandardFunction};

/// The functions of each standard, from where they are served.
const STANDARDS: [&[StandardFunction]; 6] = [
    arm_arch::FUNCTIONS,
    owner::FUNCTIONS,
    psci::FUNCTIONS,
    pv_time::FUNCTIONS,
    sdei::FUNCTIONS,
    trng::FUNCTIONS,
];

fn find(mut is_it: impl FnMut(&StandardFunction) -> bool) -> Option<&'static StandardFunction> {
    STANDARDS
        .into_iter()
        .flatten()
        .find(|function| is_it(function))
}

/// Tells whether the function of this name is a standard's that changes nothing.
pub fn is_query(name: &str) -> bool {
    find(|function| function.name == name).is_some_and(|found| found.effect == Effect::Query)
}

/// The name of a function of a standard service, in the 32-bit or the 64-bit convention.
pub fn function_name(id: u64) -> Option<&'static str> {
    let id = FunctionId(u32::try_from(id).ok()?);
    // One that is there in both conventions is listed in the 32-bit one.
    let found =
        find(|function| function.id == id).or_else(|| find(|function| function.id == id.as_32()));
    found.map(|function| function.name)
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
    fn a_query_is_a_function_that_changes_nothing() {
        for query in [
            "SMCCC_VERSION",
            "PSCI_AFFINITY_INFO",
            "SDEI_EVENT_STATUS",
            "STANDARD_CALL_UID",
        ] {
            assert!(is_query(query), "{query}");
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
    fn no_two_functions_have_a_name_or_an_id_in_common() {
        let all: Vec<_> = STANDARDS.into_iter().flatten().collect();
        for (n, one) in all.iter().enumerate() {
            let mut others = all[..n].iter();
            assert!(
                others.all(|other| other.name != one.name && other.id != one.id),
                "{}",
                one.name
            );
        }
    }

    #[test]
    fn other_ids_have_none() {
        for id in [0, 0x102, 0x8200_0003, 0x8400_0015, 0x8400_0054, 0x8500_0000] {
            assert_eq!(function_name(id), None, "{id:#x}");
        }
    }
}
