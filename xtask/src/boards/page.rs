// SPDX-License-Identifier: Apache-2.0 OR MIT
//! docs/boards.md: what is served, by board and by family.

use std::fmt::Write;

use fakemon_manifest::family::{FAMILIES, Family};

use super::Row;

/// The page, made of the boards' own data.
pub(super) fn markdown(rows: &[Row]) -> String {
    let served = |family: &&Family| rows.iter().any(|row| serves(row, family));
    let count = FAMILIES.iter().filter(served).count();
    let mut page = format!(
        "# Boards\n\n\
         Made by `cargo xtask boards --markdown`; a test compares it with the boards.\n\n\
         Linux 6.12 calls {all} families of firmware interfaces by SMC. {count} of them are served \
         here, by {boards} boards. `driver` means that an unmodified Debian kernel's own driver \
         makes the calls in the board's test, `replay` that no Debian kernel has the caller and a \
         bare-metal guest makes the calls of the kernel's source.\n\n\
         | board | families | caller | window | kernel | test | what it is |\n\
         |---|---|---|---|---|---|---|\n",
        all = FAMILIES.len(),
        boards = rows.len(),
    );
    for row in rows {
        // Writing to a string does not fail.
        let _ = writeln!(
            page,
            "| [{name}](../boards/{name}/README.md) | {families} | {caller} | {window} | {kernel} \
             | {test} | {description} |",
            name = row.name,
            families = row.families.join(" "),
            caller = row.caller,
            window = row.window,
            kernel = row.kernel,
            test = row.test,
            description = row.description,
        );
    }
    page.push_str(
        "\n## Families\n\n\
         P: 32-bit platforms; A: standards; V: vendors. A3 is served only on a host whose KVM has \
         the monitor capability (host-shim/kernel).\n\n\
         | family | what it is | caller in Linux | boards |\n\
         |---|---|---|---|\n",
    );
    for family in FAMILIES {
        let boards = rows.iter().filter(|row| serves(row, family));
        let boards: Vec<_> = boards.map(|row| row.name.as_str()).collect();
        let Family { id, name, source } = family;
        let _ = writeln!(
            page,
            "| {id} | {name} | `{source}` | {} |",
            boards.join(", ")
        );
    }
    page
}

fn serves(row: &Row, family: &Family) -> bool {
    row.families.iter().any(|id| id == family.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn the_page_in_docs_is_up_to_date() {
        let boards = workspace::boards().expect("good boards");
        let rows: Vec<Row> = boards.into_iter().map(Row::of).collect();
        let path = workspace::root().join("docs/boards.md");
        let page = std::fs::read_to_string(path).expect("docs/boards.md");
        assert!(
            page == markdown(&rows),
            "run `cargo xtask boards --markdown > docs/boards.md`"
        );
    }
}
