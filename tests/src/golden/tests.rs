// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The format, each kind of difference, and each kind of drift, on traces of a few calls.

use super::*;

/// A call: its name, its arguments with the function ID, and its results.
type Made<'a> = (&'a str, &'a [u64], &'a [u64]);

/// A trace as fakemon writes it. A call whose name is empty has none, and the ID in its first register.
fn trace(calls: &[Made<'_>]) -> String {
    let line = |(time, (name, args, results)): (usize, &Made<'_>)| {
        let (id, name) = match *name {
            "" => (args[0], None),
            name => (0x8200_0001, Some(name)),
        };
        let call = serde_json::json!({
            "t_ns": time, "id": id, "name": name, "args": args, "results": results
        });
        call.to_string()
    };
    let lines: Vec<String> = calls.iter().enumerate().map(line).collect();
    lines.join("\n")
}

const CALLS: [Made<'_>; 4] = [
    ("INIT", &[1, 2, 3], &[0, 7]),
    ("READ", &[1, 4, 0], &[5]),
    ("READ", &[1, 4, 0], &[5]),
    ("OFF", &[1, 0, 0], &[]),
];

const GOLDEN: &str =
    "INIT(0x2, 0x3) = 0x0, 0x7\nREAD(0x4) = 0x5\nREAD(0x4) = 0x5\nOFF() does not return\n";

#[track_caller]
fn same(golden: &str) {
    let drift = compare(golden, &trace(&CALLS), true, None);
    assert_eq!(drift, Ok(Vec::new()), "{golden}");
}

#[track_caller]
fn different(golden: &str, call: usize) {
    let error = compare(golden, &trace(&CALLS), true, None).expect_err(golden);
    assert!(error.starts_with(&format!("call {call}: ")), "{error}");
}

/// [`CALLS`] with one more call at `at`.
fn with(at: usize, call: Made<'_>) -> String {
    let mut calls = CALLS.to_vec();
    calls.insert(at, call);
    trace(&calls)
}

/// What the drift is called when this call is added at `at`.
#[track_caller]
fn drift(golden: &str, at: usize, call: Made<'_>) -> Vec<String> {
    let drift = compare(golden, &with(at, call), true, None).expect("no difference");
    drift.iter().map(Drift::to_string).collect()
}

#[track_caller]
fn no_drift(golden: &str, at: usize, call: Made<'_>) {
    let error = compare(golden, &with(at, call), true, None).expect_err("a difference");
    assert!(error.starts_with("call "), "{error}");
}

#[test]
fn the_same_calls_in_the_same_order_are_golden() {
    same(GOLDEN);
    same("# comment\nINIT(*, 0x3) = ...\n2 x READ(...) = *\nOFF() does not return");
    same("INIT(...) = 0x0, 0x7\nrepeat READ(0x4) = 0x5\nOFF() does not return");
    same("ignore READ\nINIT(...) = 0x0, 0x7\nOFF() does not return");
    same("ignore READ(0x4)\nINIT(...) = 0x0, 0x7\nOFF() does not return");
}

#[test]
fn architecture_calls_count_where_they_can_arrive() {
    let all = "SMCCC_VERSION() = 0x10002\nREAD(0x4) = 0x5";
    let version: Made<'_> = ("SMCCC_VERSION", &[1], &[0x1_0002]);
    let read: Made<'_> = ("READ", &[1, 4], &[5]);
    let (given, kept) = (trace(&[version, read]), trace(&[read]));
    assert_eq!(compare(all, &given, true, None), Ok(Vec::new()));
    assert_eq!(compare(all, &kept, false, None), Ok(Vec::new()));
    assert!(compare(all, &kept, true, None).is_err());
}

#[test]
fn a_line_may_be_for_some_kernels_alone() {
    let golden = "INIT(0x2, 0x3) = 0x0, 0x7\nkernel >=6.13 2 x READ(0x4) = 0x5\n\
        kernel <6.13 ignore READ\nOFF() does not return\n";
    let with = |calls: &[Made<'_>], kernel: &str| {
        compare(golden, &trace(calls), true, kernel.parse().ok())
    };
    assert_eq!(with(&CALLS, "7.3.4"), Ok(Vec::new()));
    assert_eq!(with(&CALLS, "6.12.117"), Ok(Vec::new()));
    let less = [CALLS[0], CALLS[3]];
    assert_eq!(with(&less, "6.12.117"), Ok(Vec::new()));
    let error = with(&less, "6.13").expect_err("missing");
    assert!(
        error.starts_with("call 2: expected READ(0x4) = 0x5, got OFF()"),
        "{error}"
    );
}

#[test]
fn every_difference_is_found_where_it_is() {
    const REST: &str = "2 x READ(0x4) = 0x5\nOFF() does not return";
    different(&format!("INIT(0x2) = 0x0, 0x7\n{REST}"), 1);
    different(&format!("INIT(0x2, 0x3) = 0x0\n{REST}"), 1);
    different(&format!("INIT(0x2, 0x3, *) = 0x0, 0x7\n{REST}"), 1);
    different(REST, 1);
    different(
        "INIT(...) = ...\n3 x READ(0x4) = 0x5\nOFF() does not return",
        4,
    );
    different("INIT(...) = ...\nREAD(0x4) = 0x5\nOFF() does not return", 3);
    different("INIT(...) = ...\n2 x READ(0x4) = 0x5\nOFF() = 0x1", 4);
    different("INIT(...) = ...\n2 x READ(0x4) = 0x5", 4);
    different(
        &format!("INIT(...) = ...\n{REST}\nOFF() does not return"),
        5,
    );
    different(
        "ignore READ(0x5)\nINIT(...) = ...\nOFF() does not return",
        2,
    );
    different(
        "INIT(...) = ...\nrepeat WRITE() =\n2 x READ(0x4) = 0x5\nOFF() does not return",
        2,
    );
}

#[test]
fn what_cannot_be_read_is_told_with_its_line() {
    for bad in [
        "READ",
        "READ(0x4)",
        "READ(4) = 0x5",
        "query READ(",
        "unserved -1",
        "often READ() =",
    ] {
        let error =
            compare(&format!("# comment\n{bad}"), &trace(&CALLS), true, None).expect_err(bad);
        assert!(error.starts_with("golden.trace, line 2: "), "{error}");
    }
}

#[test]
fn a_function_that_is_not_served_may_be_asked_for_anywhere() {
    let unknown: Made<'_> = ("", &[0xc200_2404, 9], &[u64::MAX, 9]);
    for at in 0..=4 {
        assert_eq!(
            drift(GOLDEN, at, unknown),
            ["0xc2002404, 1 call, not served"]
        );
    }
    let twice = trace(&[CALLS[0], unknown, CALLS[1], CALLS[2], unknown, CALLS[3]]);
    let drift = compare(GOLDEN, &twice, true, None).expect("no difference");
    assert_eq!(drift.len(), 1);
    assert_eq!(drift[0].to_string(), "0xc2002404, 2 calls, not served");
}

#[test]
fn only_a_refusal_says_that_it_is_not_served() {
    let answered = |results| ("", &[0xc200_2404_u64, 9][..], results);
    for results in [
        &[0][..],
        &[1],
        &[0xffff_ffff],
        &[u64::MAX - 3],
        &[0, u64::MAX],
        &[],
    ] {
        no_drift(GOLDEN, 2, answered(results));
    }
    // A 32-bit function's answer is in w0.
    drift(GOLDEN, 2, ("", &[0x8200_2404], &[0xffff_ffff]));
    let golden = format!("unserved 0xfffffffffffffffc\n{GOLDEN}");
    drift(&golden, 2, answered(&[u64::MAX - 3]));
    no_drift(&golden, 2, answered(&[0]));
}

#[test]
fn what_the_board_serves_may_not_be_refused() {
    // It may as well have failed.
    no_drift(GOLDEN, 2, ("READ", &[1, 4], &[u64::MAX]));
    no_drift(GOLDEN, 2, ("OTHER", &[1, 4], &[u64::MAX]));
    let golden = format!("0xc2002404() =\n{GOLDEN}");
    let error = compare(
        &golden,
        &with(0, ("", &[0xc200_2404], &[u64::MAX])),
        true,
        None,
    );
    assert!(
        error
            .expect_err("the answer is another")
            .starts_with("call 1: ")
    );
    let golden = format!("0xc2002404() = 0xffffffffffffffff\n{GOLDEN}");
    let refused: Made<'_> = ("", &[0xc200_2404], &[u64::MAX]);
    let calls = trace(&[refused, refused, CALLS[0], CALLS[1], CALLS[2], CALLS[3]]);
    assert_eq!(
        compare(&golden, &calls, true, None)
            .expect("no difference")
            .len(),
        1
    );
}

#[test]
fn a_query_may_come_more_often_with_the_answer_that_it_had() {
    let golden = format!("query READ\n{GOLDEN}");
    for at in 0..=4 {
        let drift = drift(&golden, at, ("READ", &[1, 4], &[5]));
        assert_eq!(drift, ["READ(0x4), 1 call, a query more"]);
        no_drift(&golden, at, ("READ", &[1, 4], &[6]));
        no_drift(&golden, at, ("READ", &[1, 4], &[]));
        no_drift(GOLDEN, at, ("READ", &[1, 4], &[5]));
        no_drift(&golden, at, ("INIT", &[1, 2, 3], &[0, 7]));
    }
    // The trace does not know what the answer to this must be.
    drift(&golden, 1, ("READ", &[1, 8], &[6]));
    let golden = format!("query READ(0x4, ...)\n{GOLDEN}");
    drift(&golden, 1, ("READ", &[1, 4, 7], &[6]));
    no_drift(&golden, 1, ("READ", &[1, 8], &[6]));
}

#[test]
fn queries_of_the_standards_are_known() {
    drift(GOLDEN, 1, ("PSCI_FEATURES", &[1, 0x8400_0012], &[u64::MAX]));
    drift(GOLDEN, 1, ("PSCI_MIGRATE_INFO_TYPE", &[1], &[2]));
    no_drift(GOLDEN, 1, ("PSCI_CPU_ON", &[1, 1], &[0]));
    no_drift(GOLDEN, 1, ("PSCI_CPU_ON", &[1, 1], &[]));
}

#[test]
fn a_difference_after_drift_is_found_where_it_is() {
    let unknown: Made<'_> = ("", &[0xc200_2404], &[u64::MAX]);
    let wrong: Made<'_> = ("READ", &[1, 4], &[6]);
    let calls = trace(&[unknown, CALLS[0], CALLS[1], unknown, wrong, CALLS[3]]);
    let error = compare(GOLDEN, &calls, true, None).expect_err("a difference");
    let what = "call 5: expected READ(0x4) = 0x5, got READ(0x4) = 0x6; all calls:\n";
    assert!(error.starts_with(what), "{error}");
    // Nor is the drift blamed for what is missing next to it.
    let calls = trace(&[unknown, CALLS[1], CALLS[2], CALLS[3]]);
    let error = compare(GOLDEN, &calls, true, None).expect_err("a difference");
    assert!(
        error.starts_with("call 2: expected INIT(0x2, 0x3) = 0x0, 0x7, got READ(0x4)"),
        "{error}"
    );
}
