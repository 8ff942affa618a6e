// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Boots of real kernels: every board's own, with its blob and, as the counter-proof, without it.
//!
//! The boards are those that the runner has put into the assets. What a boot must show is the
//! board's own data: `expect`, `expect-arch`, `unexpected` and `counter` in board.toml, and the calls
//! in golden.trace. A board whose calls no kernel makes boots the program of tests/replay, which makes
//! those of replay.toml.

use std::time::Instant;

use fakemon_launch::{assets as launch_assets, log};
use fakemon_manifest::{Arch, Board, KernelVersion, TestKind};
use libtest_mimic::{Arguments, Completion, Trial};

mod assets;
mod guest;
mod unread;

use assets::Assets;
use fakemon_tests::{golden, host};
use guest::Guest;

fn main() {
    let mut arguments = Arguments::from_args();
    // Guests have four CPUs each. More than two at once only wait for each other.
    arguments.test_threads.get_or_insert(2);
    let assets = Assets::find();
    let boards = assets.boards().into_iter();
    let (here, others): (Vec<_>, Vec<_>) = boards.partition(|board| assets.is_host_of(board));
    let is_wide = |board: &Board| board.guest.arch == Arch::Arm64;
    let (wide, narrow): (Vec<_>, Vec<_>) = here.into_iter().partition(is_wide);
    let first = wide.iter().find(|board| board.test == TestKind::Driver);
    let unread = first.map(|board| {
        let check: Check = unread::ends_by_a_signal;
        trial(
            &assets,
            board,
            "ends_by_a_signal_though_nobody_reads",
            check,
        )
    });
    let of = |boards: Vec<Board>| boards.into_iter().flat_map(|board| trials(&assets, board));
    let mut trials = alternate(of(wide), of(narrow));
    trials.extend(unread);
    if assets.is_only_host() {
        // They say why not, as no other run will.
        trials.extend(of(others));
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// One of each in turn, then the rest of the longer: one 32-bit guest runs at a time, and a thread
/// that has another to start would only wait.
fn alternate<T>(wide: impl Iterator<Item = T>, narrow: impl Iterator<Item = T>) -> Vec<T> {
    let (mut wide, mut narrow) = (wide.fuse(), narrow.fuse());
    let mut both = Vec::new();
    loop {
        let before = both.len();
        both.extend(wide.next());
        both.extend(narrow.next());
        if both.len() == before {
            return both;
        }
    }
}

type Check = fn(&Assets, &Board) -> Result<(), String>;

/// The trials of one board.
fn trials(assets: &Assets, board: Board) -> Vec<Trial> {
    let mut checks: Vec<(&'static str, Check)> = vec![
        ("serves_a_whole_boot_from_its_blob", serves_from_its_blob),
        ("fails_without_its_blob", fails_without),
    ];
    if board.guest.reboots {
        checks.push(("reboots_and_comes_up_again", reboots));
    }
    if board.name == launch_assets::HALVED {
        checks.push(("serves_a_whole_boot_from_two_blobs", serves_from_two_blobs));
    }
    let make = |(name, check)| trial(assets, &board, name, check);
    checks.into_iter().map(make).collect()
}

fn trial(assets: &Assets, board: &Board, name: &'static str, check: Check) -> Trial {
    let (assets, board) = (assets.clone(), board.clone());
    Trial::ignorable_test(format!("{}_{name}", board.name), move || {
        if let Some(reason) = assets.cannot_boot(&board) {
            return Ok(Completion::ignored_with(reason));
        }
        let start = Instant::now();
        check(&assets, &board)?;
        // For who wants to know where the time goes.
        let seconds = start.elapsed().as_secs_f64();
        println!("took {seconds:.1} s: {}_{name}", board.name);
        Ok(Completion::Completed)
    })
}

/// The boot that the board is made for.
fn serves_from_its_blob(assets: &Assets, board: &Board) -> Result<(), String> {
    let boot = serves_a_whole_boot(assets, board, &[launch_assets::blob(&board.name)])?;
    // For the table of `cargo xtask test boards`.
    println!("board {} on {boot}", board.name);
    Ok(())
}

/// The calls of a boot are the very same if two blobs share them, each in a monitor VM of its own and
/// without the code that serves the other's calls.
fn serves_from_two_blobs(assets: &Assets, board: &Board) -> Result<(), String> {
    let blobs = launch_assets::HALVES.map(str::to_owned);
    serves_a_whole_boot(assets, board, &blobs).map(drop)
}

/// The kernel comes up, all checks of the initramfs pass, or all calls that are replayed, the guest
/// powers itself off, and the calls were the golden ones; drift is told, and a failure if strict.
/// Returns which kernel it was, how many calls it made and how long it took.
fn serves_a_whole_boot(assets: &Assets, board: &Board, blobs: &[String]) -> Result<String, String> {
    let trace = format!("{}-{}.jsonl", board.name, blobs.len());
    let trace = std::env::temp_dir().join(trace);
    let trace_option = format!("--trace={}", trace.display());
    let mut guest = Guest::start(assets, board, blobs, &[&trace_option], "quiet")?;
    let code = guest.wait()?;
    let seconds = guest.age().as_secs_f64();
    let console = guest.console();
    let problem = |what: String| Err(format!("{what}; the console was:\n{console}"));
    if code != Some(0) {
        return problem(format!("fakemon ended with {code:?} and not with 0"));
    }
    let arch = host::gives_architecture_calls();
    let mut expected = board.guest.expect.clone();
    if arch {
        expected.extend_from_slice(&board.guest.expect_arch);
    }
    if let Some(pattern) = log::missing(&expected, &console)? {
        return problem(format!("the log does not show /{pattern}/"));
    }
    if let Some(pattern) = log::found(&board.guest.unexpected, &console)? {
        return problem(format!("the log shows /{pattern}/"));
    }
    if board.test == TestKind::Replay {
        let calls = assets.replayed(board)?;
        if !console.contains(&format!("replay: {calls} ok, 0 failed")) {
            return problem(format!("not all of {calls} calls went well"));
        }
    } else if !console.contains(", 0 failed")
        || log::compile(r"check: [\w-]+ FAILED")?.is_match(&console)
    {
        return problem("a check of the initramfs failed".to_owned());
    }
    let kernel = KernelVersion::of_log(&console);
    if kernel.is_none() && board.test == TestKind::Driver {
        return problem(format!(
            "the log does not show /{}/, so the kernel's version is not known",
            KernelVersion::BANNER
        ));
    }
    let calls = std::fs::read_to_string(&trace).map_err(|error| format!("no trace: {error}"))?;
    let drift = match golden::compare(&assets.golden(board)?, &calls, arch, kernel) {
        Ok(drift) => drift,
        Err(difference) => return problem(difference),
    };
    // For the summary of `cargo xtask test`.
    for drift in &drift {
        println!("drift {}: {drift}", board.name);
    }
    if host::is_strict() && !drift.is_empty() {
        let drift: Vec<String> = drift.iter().map(ToString::to_string).collect();
        let drift = drift.join("; ");
        return Err(format!(
            "with --strict, calls must be those of golden.trace alone: {drift}"
        ));
    }
    let calls = calls.lines().filter(|line| line.contains("\"id\"")).count();
    let kernel = kernel.map_or("replay".to_owned(), |kernel| format!("Linux {kernel}"));
    Ok(format!("{kernel}: {calls} calls in {seconds:.1} s"))
}

/// A reset by the guest boots it again, and nothing unexpected is seen on the way. A board may have
/// its own way to do it, which its script says, and which shows.
fn reboots(assets: &Assets, board: &Board) -> Result<(), String> {
    let checks = match board.guest.reset.as_slice() {
        [] => "fakemon.checks=nproc fakemon.reboot quiet",
        _ => "fakemon.checks=nproc,board fakemon.reboot quiet",
    };
    let blobs = [launch_assets::blob(&board.name)];
    let mut guest = Guest::start(assets, board, &blobs, &[], checks)?;
    guest.wait_for(2, r"check: nproc ok")?;
    let console = guest.console();
    let problem = |what: String| {
        Err(format!(
            "{what}; the console was:
{console}"
        ))
    };
    if let Some(pattern) = log::missing(&board.guest.reset, &console)? {
        return problem(format!(
            "the guest was reset, but the log does not show /{pattern}/"
        ));
    }
    match log::found(&board.guest.unexpected, &console)? {
        Some(pattern) => problem(format!("the log shows /{pattern}/")),
        None => Ok(()),
    }
}

/// The same boot with every call refused shows what users see today.
fn fails_without(assets: &Assets, board: &Board) -> Result<(), String> {
    if board.guest.counter.is_empty() {
        return Err("board.toml has no `counter`".to_owned());
    }
    // A kernel that fails early has nobody to show what it kept to itself, so it is quiet about less than
    // notices, of which its banner is one.
    let words = "fakemon.checks=nproc,board fakemon.expect=failure quiet loglevel=6";
    let mut guest = Guest::start(assets, board, &[], &[], words)?;
    if board.test == TestKind::Driver {
        guest.wait_for(1, KernelVersion::BANNER)?;
    }
    let kernel = KernelVersion::of_log(&guest.console());
    let patterns = board.guest.counter.iter();
    patterns
        .filter(|pattern| pattern.counts(kernel))
        .try_for_each(|pattern| guest.wait_for(1, &pattern.text))
}
