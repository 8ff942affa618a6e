// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compares the calls of a boot with the stored ones.
//!
//! A golden trace has one call in a line, in order of time whatever the CPU: `NAME(ARGS) =
//! RESULTS`, the registers from the second on, zeros at the end left out; `NAME(ARGS) does not
//! return`. A `*` stands for one register of any value, and `...` for any rest of them. `N x` before
//! a line stands for N such calls in a row, `repeat` for one or more. `ignore NAME` leaves out a
//! function whose calls depend on timing, `ignore NAME(ARGS)` those of its calls that have these
//! arguments, and `#` begins a comment. Lines of `SMCCC_...`, the Arm architecture calls, count only
//! on a host that gives them to the blob; others see none of them.

use serde_json::Value;

/// Tells the first difference between the golden trace and the calls, which are JSON lines, on a
/// host that gives the Arm architecture calls to the blob (`arch`) or keeps them.
pub fn compare(golden: &str, calls: &str, arch: bool) -> Result<(), String> {
    let lines: Vec<&str> = golden
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let ignored: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("ignore "))
        .collect();
    let expected: Vec<&str> = lines
        .into_iter()
        .filter(|line| !line.starts_with("ignore ") && (arch || !line.starts_with("SMCCC_")))
        .flat_map(repeated)
        .collect();

    let mut seen = Vec::new();
    for line in calls.lines() {
        let call: Value =
            serde_json::from_str(line).map_err(|error| format!("bad trace: {error}"))?;
        if call.get("event").is_none() {
            seen.push((call["t_ns"].as_u64(), call));
        }
    }
    // A call is written when it is over, but counts from when it was made.
    seen.sort_by_key(|(time, _)| *time);
    let seen: Vec<String> = seen
        .iter()
        .filter(|(_, call)| !ignored.iter().any(|what| is_meant(what, call)))
        .map(|(_, call)| to_line(call))
        .collect();

    let mut next = 0;
    for line in &expected {
        let (line, repeat) = match line.strip_prefix("repeat ") {
            Some(line) => (line, true),
            None => (*line, false),
        };
        let is_next = |next: usize| seen.get(next).is_some_and(|call| matches(line, call));
        if !is_next(next) {
            return Err(difference(line, &seen, next));
        }
        next += 1;
        while repeat && is_next(next) {
            next += 1;
        }
    }
    match seen.len() {
        all if all == next => Ok(()),
        _ => Err(difference(AT_END, &seen, next)),
    }
}

const AT_END: &str = "the end of the calls";

/// What is wrong with call number `at`, counted from 0.
fn difference(expected: &str, seen: &[String], at: usize) -> String {
    let got = seen.get(at).map_or(AT_END, String::as_str);
    let all = seen.join("\n");
    format!(
        "call {}: expected {expected}, got {got}; all calls:\n{all}",
        at + 1
    )
}

/// Tells whether `what`, a name or a name with arguments, means this call.
fn is_meant(what: &str, call: &Value) -> bool {
    match what.split_once('(') {
        None => call["name"] == *what,
        Some((name, args)) => {
            let seen = registers(&call["args"]);
            call["name"] == *name
                && list_matches(
                    args.trim_end_matches(')'),
                    &list(seen.get(1..).unwrap_or_default()),
                )
        }
    }
}

/// A line as often as it says.
fn repeated(line: &str) -> impl Iterator<Item = &str> {
    let counted = line.split_once(" x ");
    let counted = counted.and_then(|(times, call)| Some((times.parse().ok()?, call)));
    let (times, call): (usize, &str) = counted.unwrap_or((1, line));
    std::iter::repeat_n(call, times)
}

fn to_line(call: &Value) -> String {
    let name = call["name"]
        .as_str()
        .map_or_else(|| call["id"].to_string(), str::to_owned);
    let (args, results) = (registers(&call["args"]), registers(&call["results"]));
    let args = list(args.get(1..).unwrap_or_default());
    if results.is_empty() {
        return format!("{name}({args}) does not return");
    }
    format!("{name}({args}) = {}", list(&results))
}

fn registers(value: &Value) -> Vec<u64> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_u64)
        .collect()
}

/// Registers as text, without the zeros at the end.
fn list(registers: &[u64]) -> String {
    let used = registers
        .iter()
        .rposition(|&value| value != 0)
        .map_or(0, |last| last + 1);
    let texts: Vec<String> = registers[..used]
        .iter()
        .map(|value| format!("{value:#x}"))
        .collect();
    texts.join(", ")
}

/// Compares two lines: the name, the arguments, the results.
fn matches(golden: &str, line: &str) -> bool {
    fn parts(line: &str) -> Option<(&str, &str, &str)> {
        let (name, rest) = line.split_once('(')?;
        let (args, results) = rest.split_once(')')?;
        Some((name, args, results.trim_start_matches([' ', '='])))
    }
    let (Some(golden), Some(line)) = (parts(golden), parts(line)) else {
        return false;
    };
    golden.0 == line.0 && list_matches(golden.1, line.1) && list_matches(golden.2, line.2)
}

fn list_matches(golden: &str, line: &str) -> bool {
    let items = |text| str::split(text, ", ").filter(|item| !item.is_empty());
    let mut line = items(line);
    for item in items(golden) {
        match (item, line.next()) {
            ("...", _) => return true,
            ("*", Some(_)) => {}
            (wanted, got) if got == Some(wanted) => {}
            _ => return false,
        }
    }
    line.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls as the trace has them, as (name, arguments and results).
    fn trace(calls: &[(&str, &[u64], &[u64])]) -> String {
        let line = |(time, (name, args, results)): (usize, &(&str, &[u64], &[u64]))| {
            let id = 0x8200_0001_u64;
            let call = serde_json::json!({
                "t_ns": time, "id": id, "name": name, "args": args, "results": results
            });
            call.to_string()
        };
        let lines: Vec<String> = calls.iter().enumerate().map(line).collect();
        lines.join("\n")
    }

    fn calls() -> String {
        trace(&[
            ("INIT", &[1, 2, 3], &[0, 7]),
            ("READ", &[1, 4, 0], &[5]),
            ("READ", &[1, 4, 0], &[5]),
            ("OFF", &[1, 0, 0], &[]),
        ])
    }

    #[track_caller]
    fn same(golden: &str) {
        assert_eq!(compare(golden, &calls(), true), Ok(()), "{golden}");
    }

    #[track_caller]
    fn different(golden: &str, call: usize) {
        let error = compare(golden, &calls(), true).expect_err(golden);
        assert!(error.starts_with(&format!("call {call}: ")), "{error}");
    }

    #[test]
    fn the_same_calls_in_the_same_order_are_golden() {
        same("INIT(0x2, 0x3) = 0x0, 0x7\nREAD(0x4) = 0x5\nREAD(0x4) = 0x5\nOFF() does not return");
        same("# comment\nINIT(*, 0x3) = ...\n2 x READ(...) = *\nOFF() does not return");
        same("INIT(...) = 0x0, 0x7\nrepeat READ(0x4) = 0x5\nOFF() does not return");
        same("ignore READ\nINIT(...) = 0x0, 0x7\nOFF() does not return");
        same("ignore READ(0x4)\nINIT(...) = 0x0, 0x7\nOFF() does not return");
    }

    #[test]
    fn architecture_calls_count_where_they_can_arrive() {
        let all = "SMCCC_VERSION() = 0x10002\nREAD(0x4) = 0x5";
        let version: (&str, &[u64], &[u64]) = ("SMCCC_VERSION", &[1], &[0x1_0002]);
        let read: (&str, &[u64], &[u64]) = ("READ", &[1, 4], &[5]);
        let (given, kept) = (trace(&[version, read]), trace(&[read]));
        assert_eq!(compare(all, &given, true), Ok(()));
        assert_eq!(compare(all, &kept, false), Ok(()));
        assert!(compare(all, &kept, true).is_err());
        assert!(compare(all, &given, false).is_err());
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
    }
}
