// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is told of hosts that lack something.

use super::*;
use crate::testing;

/// A host that has everything.
fn host() -> Host {
    Host {
        linux: "6.12.117".into(),
        page: 0x1000,
        kvm: Ok(kvm()),
    }
}

fn kvm() -> Kvm {
    Kvm {
        filter: Ok(()),
        aarch32: true,
        gics: vec![3, 2],
        address_bits: 40,
        vcpus: 512,
        kernel_engine: true,
        s2fwb: Some(true),
        stolen_time: true,
    }
}

fn boards() -> Vec<Usable> {
    let usable = |board: Board| Usable {
        board,
        dir: PathBuf::new(),
        blob: PathBuf::new(),
    };
    let mut old = testing::board("");
    old.name = "midway".into();
    old.guest.arch = fakemon_manifest::Arch::Armhf;
    old.machine.gic.versions = vec![2];
    old.machine.gic.cpu = Some(0xfff1_1000);
    [testing::board(""), old].map(usable).into()
}

/// What is not as it should be on such a host.
fn lacking(host: &Host) -> Vec<Finding> {
    let findings = of_host(host, &boards()).into_iter();
    findings
        .filter(|finding| finding.verdict != Verdict::Has)
        .collect()
}

#[test]
fn a_host_that_has_everything_lacks_nothing() {
    assert_eq!(lacking(&host()), []);
    assert_eq!(of_board(&host(), &boards()[1].board).verdict, Verdict::Has);
}

#[test]
fn each_lack_names_the_boards_that_it_costs_and_no_other() {
    for (change, what) in [
        (
            Kvm {
                aarch32: false,
                ..kvm()
            },
            "32-bit guests",
        ),
        (
            Kvm {
                gics: vec![3],
                ..kvm()
            },
            "interrupt controllers",
        ),
    ] {
        let host = Host {
            kvm: Ok(change),
            ..host()
        };
        let lacking = lacking(&host);
        assert_eq!(lacking.len(), 1, "{lacking:?}");
        assert_eq!(
            (lacking[0].what.as_str(), lacking[0].verdict),
            (what, Verdict::Lacks)
        );
        let cost = lacking[0].cost.as_deref().unwrap_or_default();
        assert_eq!(cost, "these boards cannot run: midway");
        assert_eq!(of_board(&host, &boards()[0].board).verdict, Verdict::Has);
        let board = of_board(&host, &boards()[1].board);
        assert_eq!(board.verdict, Verdict::Fails);
        assert!(board.found.starts_with(what), "{board}");
    }
}

#[test]
fn large_pages_cost_a_board_whose_controller_lies_inside_one() {
    let host = Host {
        page: 0x1_0000,
        ..host()
    };
    let lacking = lacking(&host);
    assert_eq!(lacking.len(), 1, "{lacking:?}");
    assert_eq!(
        (lacking[0].what.as_str(), lacking[0].found.as_str()),
        ("size of pages", "64 KiB")
    );
}

#[test]
fn ram_that_cannot_be_addressed_and_too_many_cpus_are_told() {
    let small = Kvm {
        address_bits: 30,
        ..kvm()
    };
    let few = Kvm { vcpus: 0, ..kvm() };
    for (kvm, what) in [(small, "guest addresses"), (few, "vCPUs")] {
        let host = Host {
            kvm: Ok(kvm),
            ..host()
        };
        let lacking = lacking(&host);
        assert_eq!(lacking[0].what, what);
        let cost = lacking[0].cost.as_deref().unwrap_or_default();
        assert_eq!(cost, "these boards cannot run: virt, midway");
    }
}

#[test]
fn what_is_slower_or_absent_is_no_failure() {
    let bare = Kvm {
        kernel_engine: false,
        s2fwb: Some(false),
        stolen_time: false,
        ..kvm()
    };
    let host = Host {
        kvm: Ok(bare),
        ..host()
    };
    let lacking = lacking(&host);
    let names: Vec<_> = lacking
        .iter()
        .map(|finding| finding.what.as_str())
        .collect();
    assert_eq!(names, ["kernel engine", "FEAT_S2FWB", "stolen time"]);
    for finding in lacking {
        assert_eq!(finding.verdict, Verdict::Lacks);
        assert!(
            finding.cost.is_some() && finding.remedy.is_some(),
            "{finding}"
        );
    }
}

#[test]
fn without_kvm_or_its_filter_nothing_works_and_it_is_said_whose_affair_that_is() {
    let old = Kvm {
        filter: Err("too old".into()),
        ..kvm()
    };
    for (kvm, remedy) in [
        (Ok(old), "Linux 6.4"),
        (Err(NoKvm::Absent), "EL2"),
        (Err(NoKvm::Forbidden("virt".into())), "the group virt"),
        (Err(NoKvm::Refused("no memory".into())), "log"),
    ] {
        let host = Host { kvm, ..host() };
        let lacking = lacking(&host);
        assert_eq!(lacking[0].verdict, Verdict::Fails, "{lacking:?}");
        let told = lacking[0].remedy.as_deref().unwrap_or_default();
        assert!(told.contains(remedy), "{told}");
    }
}

#[test]
fn a_finding_has_a_line_for_each_thing_that_is_known() {
    assert_eq!(
        Finding::has("KVM", "there").to_string(),
        "ok     KVM: there\n"
    );
    let fails = Finding::fails("KVM", "away", "much", "buy one");
    assert_eq!(
        fails.to_string(),
        "FAILS  KVM: away\n       cost: much\n       remedy: buy one\n"
    );
}

#[test]
fn what_is_installed_is_told() {
    assert_eq!(of_boards(&boards(), &[]).found, "2 with their blobs");
    assert_eq!(of_boards(&[], &[]).verdict, Verdict::Lacks);
    let damaged = of_boards(&boards(), &["blob x: damaged".into()]);
    assert_eq!(damaged.cost.as_deref(), Some("blob x: damaged"));
    let library = of_library(Err(NotInstalled::Library));
    assert!(
        library
            .remedy
            .is_some_and(|remedy| remedy.contains("--library"))
    );
}
