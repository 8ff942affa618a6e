// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each kind of bad board is refused with the words that help its author.

use super::*;

#[test]
fn a_bad_head_is_refused() {
    let error = Board::parse(GOOD, "other")
        .expect_err("wrong directory")
        .to_string();
    assert!(error.contains("directory is called \"other\""), "{error}");
    let error = Board::parse(&GOOD.replacen("\"virt\"", "\"Virt\"", 1), "Virt");
    assert!(
        error
            .expect_err("capital")
            .to_string()
            .contains("lower-case")
    );
    refused(
        "\"a machine for tests\"",
        "\" \"",
        "description: is one line",
    );
    refused("[\"Arm DEN 0022\"]", "[]", "sources: name at least one");
    refused("[\"A2\"]", "[]", "families: name at least one");
    refused("[\"A2\"]", "[\"A13\"]", "families: \"A13\" is no family");
    refused("[\"A2\"]", "[\"A2\", \"A2\"]", "families");
    refused("\"driver\"", "\"hope\"", "unknown variant `hope`");
}

#[test]
fn the_parsers_own_place_is_shown() {
    let error = refusal("name = virt");
    assert!(error.starts_with("board.toml of virt: "), "{error}");
    assert!(error.contains("line 1, column 8"), "{error}");
    refused(
        "stack = 8192",
        "stack = 8192\nstak = 1",
        "unknown field `stak`",
    );
    refused("ram-base = 0x40000000", "", "missing field `ram-base`");
}

#[test]
fn a_bad_note_is_refused() {
    refused(
        "conduits = [\"smc\"]",
        "conduits = []",
        "note.conduits: names at least one",
    );
    refused(
        "conduits = [\"smc\"]",
        "conduits = [\"smc\", \"smc\"]",
        "names one twice",
    );
    refused(
        "window = \"smccc\"",
        "window = \"legacy32\"",
        "aarch32 callers alone",
    );
    refused(
        "stack = 8192",
        "stack = 100",
        "note.stack: is a multiple of 4096",
    );
    refused(
        "stack = 8192",
        "stack = 0xd000",
        "note.stack: is a multiple of 4096",
    );
    refused(
        "last = 0x8400001f",
        "last = 0x83000000",
        "note.ranges[0]: ends at 0x83000000, before",
    );
    refused(
        "first = 0xc4000000\nlast = 0xc400001f",
        "first = 0x8400001f\nlast = 0x84000020",
        "note.ranges[1]: starts at 0x8400001f",
    );
    refused(
        "first = 0x84000000",
        "first = 0x8000ffff",
        "note.ranges[0]: has Arm architecture calls",
    );
    refused(
        "first = 0x84000000\nlast = 0x8400001f",
        "first = 0x80000000\nlast = 0x80008000",
        "note.ranges[0]: claims SMCCC_ARCH_WORKAROUND_1",
    );
    refused("last = 0xc400001f", "last = 0x1ffffffff", "invalid value");
    refused(
        "inputs = 4",
        "inputs = 9",
        "note.ranges[0].inputs: is 1 to 8",
    );
    refused(
        "inputs = 4",
        "inputs = 0",
        "note.ranges[0].inputs: is 1 to 8",
    );
    refused(
        "outputs = 1",
        "outputs = 5",
        "note.ranges[0].outputs: is 1 to 4",
    );
    refused(
        "inputs = 4\noutputs = 1",
        "inputs = 2\noutputs = 3",
        "exceeds inputs",
    );
}

#[test]
fn bad_function_names_are_refused() {
    refused("\"0x102\"", "\"twelve\"", "\"twelve\" is not a number");
    refused("\"0x102\"", "\"2214592512\"", "a second time");
    refused(
        "\"0x102\"",
        "\"0x100000000\"",
        "is not a 32-bit function ID",
    );
    refused("\"L2_CONTROL\"", "\"\"", "is a name of 1 to 100");
    refused(
        "[\"x7\", \"x0\"]",
        "[]",
        "function-id.registers: names at least one",
    );
    refused(
        "[\"x7\", \"x0\"]",
        "[\"x8\"]",
        "register 8 lies outside the window",
    );
    refused("[\"x7\", \"x0\"]", "[\"sp\"]", "\"sp\" is not a register");
    refused("[\"x7\", \"x0\"]", "[\"x+7\"]", "\"x+7\" is not a register");
}

#[test]
fn a_bad_machine_is_refused() {
    refused(
        "memory = \"256M\"",
        "memory = \"lots\"",
        "\"lots\" is not a size",
    );
    refused(
        "memory = \"256M\"",
        "memory = \"99999999G\"",
        "must end at or below",
    );
    refused(
        "memory = \"256M\"",
        "memory = 100",
        "machine.memory: size and base",
    );
    refused("memory = \"256M\"", "cpus = 0", "machine.cpus: is 1 to 512");
    refused("versions = [3, 2]", "versions = [4]", "4 is not 2 or 3");
    refused(
        ", cpu = 0x08010000",
        "",
        "machine.gic.cpu: is missing, and version 2",
    );
    refused(
        "dist = 0x08000000",
        "dist = 0x08001000",
        "multiple of 0x10000 for version 3",
    );
    refused(
        "redist = 0x080a0000",
        "redist = 0x08fe0000",
        "machine.uart: lies on machine.gic.redist",
    );
    refused("irq = 1", "irq = 960", "machine.uart.irq");
    refused(
        "mpidr = [0, 1, 2, 0x100]",
        "mpidr = [0, 1]",
        "2 entries for 4 CPUs",
    );
    refused(
        "mpidr = [0, 1, 2, 0x100]",
        "mpidr = [0, 1, 1, 2]",
        "names a CPU twice",
    );
    refused(
        "mpidr = [0, 1, 2, 0x100]",
        "mpidr = [0, 1, 2, 0x80000003]",
        "affinity fields only",
    );
    refused(
        "ram-base = 0x40000000",
        "ram-base = 0x00000000",
        "machine.gic.dist: lies on machine.memory",
    );
}

#[test]
fn a_bad_clock_is_refused() {
    for (bad, words) in [
        (
            "base = 0x09020000, irq = 960",
            "machine.rtc.irq: is a number",
        ),
        (
            "base = 0x09020000, irq = 1",
            "machine.rtc.irq: is the console's",
        ),
        (
            "base = 0x09020800, irq = 2",
            "machine.rtc.base: is a multiple of 4096",
        ),
        (
            "base = 0x09000000, irq = 2",
            "machine.rtc: lies on machine.uart",
        ),
        ("base = 0x09020000", "missing field `irq`"),
    ] {
        refused("base = 0x09020000, irq = 2", bad, words);
    }
}

#[test]
fn bad_pages_are_refused() {
    refused(
        "base = 0x0a000000",
        "base = 0x40000000",
        "\"sregs\": lies on machine.memory",
    );
    refused(
        "base = 0x0a000000",
        "base = 0x0a000002",
        "\"sregs\".base: and size are multiples of 4",
    );
    refused(
        "base = 0x0a000f00\nsize = 4",
        "base = 0x0a000ffc\nsize = 8",
        "lies partly on machine.pages \"sregs\"",
    );
    refused(
        "base = 0x0a000f00\nsize = 4",
        "base = 0x0a000000\nsize = 0x1000",
        "lies partly on",
    );
    refused(
        "kind = \"constants\"",
        "kind = \"ram\"",
        "mean nothing for this kind",
    );
    refused(
        "{ \"0x0\" = 0x410000c7 }",
        "{ \"0x1000\" = 1 }",
        "multiples of 4 inside the page",
    );
    refused(
        "actions = { \"1\" = \"reset\", \"3\" = \"off\" }",
        "",
        "needs at least one",
    );
    refused(
        "\"3\" = \"off\"",
        "\"3\" = \"explode\"",
        "unknown variant `explode`",
    );
    refused("size = 0x1000", "size = 0", "\"sregs\".size");
    refused(
        "size = 0x1000",
        "size = 0x7fffffffffffffff",
        "\"sregs\".size",
    );
}

#[test]
fn a_bad_guest_is_refused() {
    refused(
        "arch = \"arm64\"",
        "arch = \"armhf\"",
        "note.callers does not let in",
    );
    refused("\"linux-image-arm64\"", "\"\"", "guest.kernel");
    refused(
        "[\"psci: PSCIv1\", { pattern = \"psci: v2\", kernel = \">=7.1, <7.3\" }]",
        "[]",
        "guest.expect",
    );
    for (pattern, words) in [
        ("{ pattern = \"a\", kernel = \">=7\" }", "with any kernel"),
        (
            "{ pattern = \"a\", kernel = \"7\" }",
            "a pattern is a string",
        ),
        (
            "{ pattern = \"a\", kernels = \">=7\" }",
            "a pattern is a string",
        ),
        ("7", "a pattern is a string"),
    ] {
        refused(
            "[\"psci: PSCIv1\", { pattern = \"psci: v2\", kernel = \">=7.1, <7.3\" }]",
            &format!("[{pattern}]"),
            words,
        );
    }
    refused(
        "expect =",
        "reset = [\"x\"]\nexpect =",
        "guest.reset: says what a reset shows",
    );
    refused(
        "path = \"/psci\"",
        "path = \"psci\"",
        "guest.dt[0].path: \"psci\" is not a full path",
    );
    refused(
        "remove = true",
        "remove = true\ndelete = [\"x\"]",
        "guest.dt[1]: removes the node and changes",
    );
    refused("\"/soc/timer@fff34000\"", "\"/\"", "removes the whole tree");
    refused(
        "[1, \"&/psci\"]",
        "[1, \"psci\"]",
        "\"psci\" among cells is not a phandle",
    );
    refused("[1, \"&/psci\"]", "[]", "an empty list says nothing");
    refused("[1, \"&/psci\"]", "[1.5]", "a float is no part");
    refused("flag = true", "flag = false", "use true, or `delete`");
    refused("n = 7", "n = 0x100000000", "does not fit a 32-bit cell");
    refused("{ bytes = [1, 255] }", "{ bytes = [1, 256] }", "0 to 255");
    refused("{ bytes = [1, 255] }", "{ bits = [1] }", "0 to 255");
}

#[test]
fn what_would_take_any_amount_of_memory_is_refused() {
    let page = |n: u64, size: u64| {
        format!(
            "\n[[machine.pages]]\nname = \"p{n}\"\nbase = {:#x}\nsize = {size:#x}\nkind = \"ram\"\n",
            0x10_0000_0000 + n * 0x1000
        )
    };
    let huge = page(0, 256 << 30) + &page(1, 0x1000);
    let error = refusal(&format!("{GOOD}{huge}"));
    assert!(error.contains("bytes together, at most"), "{error}");
    let nested: String = (0..100)
        .map(|n| page(n, (512 << 20) - n * 0x2000))
        .collect();
    let error = refusal(&format!("{GOOD}{nested}"));
    assert!(error.contains("bytes together, at most"), "{error}");
    let many: String = (0..200).map(|n| page(n, 0x1000)).collect();
    let error = refusal(&format!("{GOOD}{many}"));
    assert!(error.contains("are more than 128"), "{error}");
}

#[test]
fn devices_past_the_end_of_memory_are_refused() {
    refused(
        "dist = 0x08000000",
        "dist = 0xffffffff0000",
        "machine.gic.dist: must end",
    );
    refused(
        "redist = 0x080a0000",
        "redist = 0xffffffff0000",
        "machine.gic.redist: must end",
    );
}

#[test]
fn text_that_would_not_print_is_refused_and_not_shown() {
    let escape = "\\u001b[2J";
    refused(
        "\"a machine for tests\"",
        &format!("\"{escape}\""),
        "description: is one line",
    );
    refused("\"PSCI_VERSION\"", &format!("\"{escape}\""), "a constant");
    refused(
        "\"PSCI_VERSION\"",
        &format!("\"{}\"", "X".repeat(200)),
        "a constant",
    );
    let change = format!("{GOOD}\n[[guest.dt]]\npath = \"/{escape}\"\n");
    let error = refusal(&change);
    assert!(error.contains("is not a full path"), "{error}");
    // The parser quotes what it does not like.
    for text in [
        format!("x = \x1b[2J{}", "y".repeat(100_000)),
        "[".repeat(100_000),
    ] {
        let error = refusal(&text);
        assert!(error.len() < 4_000, "{}", error.len());
        assert!(!error.contains('\x1b'), "{error:?}");
    }
}

#[test]
fn deep_nesting_is_an_error_and_no_crash() {
    for text in [
        format!("x = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("x = {}1{}", "{a=".repeat(50_000), "}".repeat(50_000)),
        format!("x{} = 1", ".a".repeat(100_000)),
        format!("[x{}]\nb = 1", ".a".repeat(100_000)),
        format!("[[x{}]]\nb = 1", ".a".repeat(100_000)),
        format!(
            "[[guest.dt]]\npath = \"/x\"\nset{} = 1",
            ".a".repeat(100_000)
        ),
    ] {
        assert!(refusal(&text).starts_with("board.toml of virt: "));
        assert!(refusal(&format!("{GOOD}\n{text}")).starts_with("board.toml of virt: "));
    }
}

#[test]
fn a_demonstration_that_cannot_be_named_built_or_judged_is_refused() {
    let demo = r#"
[[demo]]
name = "nmi"
description = "what it shows"
kernel = { source = "7.3", config = "nmi.config" }
script = "nmi.sh"
expect = ['shown']
counter = ['not shown']
"#;
    let good = format!("{GOOD}{demo}");
    assert_eq!(Board::parse(&good, "virt").expect("valid").demos.len(), 1);
    for (from, to, why) in [
        ("\"nmi\"", "\"an NMI\"", "demo[0].name: has 1 to 31"),
        (
            "\"what it shows\"",
            "\"\"",
            "demo[0].description: is one line",
        ),
        (
            "\"7.3\"",
            "\"7.\"",
            "demo[0].kernel.source: \"7.\" is no version",
        ),
        (
            "\"nmi.config\"",
            "\"../x\"",
            "demo[0].kernel.config: \"../x\" is no file",
        ),
        ("\"nmi.sh\"", "\".\"", "demo[0].script: \".\" is no file"),
        ("['shown']", "[]", "demo[0].expect: names at least one"),
        ("['not shown']", "[]", "demo[0].counter: names at least one"),
    ] {
        let error = Board::parse(&good.replacen(from, to, 1), "virt").expect_err(to);
        assert!(error.to_string().contains(why), "{error}");
    }
    let twice = refusal(&format!("{good}{demo}"));
    assert!(twice.contains("demo[1].name: is another's"), "{twice}");
}
