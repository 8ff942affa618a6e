// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What README.md shows of the library is code that is compiled and run: lines of the example.

use std::fs;

use crate::workspace;

/// The lines of a text's Rust blocks that are neither empty nor comments, without indentation.
fn rust_lines(markdown: &str) -> Vec<&str> {
    let mut inside = false;
    let lines = markdown.lines().filter(|line| {
        let was_inside = inside;
        if line.starts_with("```") {
            inside = *line == "```rust";
        }
        was_inside && inside
    });
    code(lines)
}

fn code<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let trimmed = lines.map(str::trim);
    trimmed
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .collect()
}

/// The first of `lines` that `source` does not have after those before it.
fn missing<'a>(lines: &[&'a str], source: &[&str]) -> Option<&'a str> {
    let mut rest = source.iter();
    lines
        .iter()
        .find(|line| !rest.any(|there| there == *line))
        .copied()
}

#[test]
fn readme_shows_lines_of_the_example_in_their_order() {
    let read = |path: &str| fs::read_to_string(workspace::root().join(path)).expect(path);
    let (readme, example) = (read("README.md"), read("host-shim/examples/minimal.rs"));
    let shown = rust_lines(&readme);
    assert!(!shown.is_empty(), "README.md shows how the library is used");
    assert_eq!(missing(&shown, &code(example.lines())), None);
}

#[test]
fn a_line_that_is_not_there_or_in_another_place_is_found() {
    let markdown = "a\n```rust\n// why\n    one();\n\ntwo();\n```\nthree();\n```text\nfour\n```\n";
    let shown = rust_lines(markdown);
    assert_eq!(shown, ["one();", "two();"]);
    assert_eq!(missing(&shown, &["zero();", "one();", "two();"]), None);
    assert_eq!(missing(&shown, &["two();", "one();"]), Some("two();"));
    assert_eq!(missing(&shown, &["one();"]), Some("two();"));
}
