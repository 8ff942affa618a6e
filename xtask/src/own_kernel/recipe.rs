// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a kernel is built, and what decides what it is.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fakemon_manifest::Arch;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::OwnKernel;
use super::series::Series;
use crate::cache::{remove_dir, sha256};
use crate::interrupt;
use crate::progress::Progress;

/// Programs that a build needs, and the Debian packages that have them.
const TOOLS: &[(&str, &str)] = &[
    ("make", "make"),
    ("flex", "flex"),
    ("bison", "bison"),
    ("bc", "bc"),
    ("patch", "patch"),
    ("tar", "tar"),
    ("xz", "xz-utils"),
    ("cc", "gcc libc6-dev"),
];
/// Half of the source's files and most of its bytes, none of which this build names. Kconfig and make
/// want the other files of these directories.
const UNUSED: &[&str] = &[
    "*/arch/*/boot/dts/*.dts*",
    "*/arch/[!a]*/*.[chS]",
    "*/drivers/accel/*.[ch]",
    "*/drivers/crypto/*.[ch]",
    "*/drivers/gpu/*.[ch]",
    "*/drivers/iio/*.[ch]",
    "*/drivers/infiniband/*.[ch]",
    "*/drivers/media/*.[ch]",
    "*/drivers/net/*.[ch]",
    "*/drivers/scsi/*.[ch]",
    "*/drivers/staging/*.[ch]",
    "*/drivers/usb/*.[ch]",
    "*/sound/*.[ch]",
    "*/Documentation/devicetree",
    "*/tools/perf",
    "*/tools/testing/selftests/bpf",
];
/// How many steps make reports for this configuration, about.
const STEPS: usize = 1200;
/// Bytes that source and objects take while the kernel is built.
const SPACE: u64 = 3 << 30;
/// How much of a failed build's messages is shown.
const LAST_LINES: usize = 20;

/// What the architecture of a kernel means for its build.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// The kernel's own name of it.
    arch: &'static str,
    /// What stands before `gcc` in the compiler's name.
    prefix: &'static str,
    /// The Debian package with that compiler.
    compiler: &'static str,
    /// The image, a target of make and the name of a file.
    image: &'static str,
}

impl Target {
    /// A kernel for `arch` that is built on a machine with this kind of processor.
    fn new(arch: Arch, machine: &str) -> Target {
        let cross = |arch, prefix, compiler, image| Target {
            arch,
            prefix,
            compiler,
            image,
        };
        match arch {
            Arch::Arm64 if machine == "aarch64" => cross("arm64", "", "gcc", "Image"),
            Arch::Arm64 => cross(
                "arm64",
                "aarch64-linux-gnu-",
                "gcc-aarch64-linux-gnu",
                "Image",
            ),
            Arch::Armhf => cross(
                "arm",
                "arm-linux-gnueabihf-",
                "gcc-arm-linux-gnueabihf",
                "zImage",
            ),
        }
    }
}

/// Everything besides the source that decides what the kernel is.
#[derive(Debug)]
pub(crate) struct Recipe {
    title: String,
    configs: Vec<PathBuf>,
    series: Series,
    target: Target,
    /// The first line of the compiler's version.
    compiler: String,
}

impl Recipe {
    /// Reads the recipe of `kernel` in this checkout, and checks that the machine has what it takes.
    pub(crate) fn new(kernel: &OwnKernel) -> Result<Recipe> {
        let missing = TOOLS.iter().filter(|(program, _)| !is_program(program));
        let mut missing: Vec<_> = missing.map(|&(_, package)| package).collect();
        let target = Target::new(kernel.arch, std::env::consts::ARCH);
        let compiler = version_of(&format!("{}gcc", target.prefix));
        if compiler.is_none() {
            missing.push(target.compiler);
        }
        ensure!(
            missing.is_empty(),
            "building a kernel needs Debian packages that are missing here: apt install {}",
            missing.join(" ")
        );
        Ok(Recipe {
            title: kernel.title.clone(),
            configs: kernel.configs.clone(),
            series: kernel.series()?,
            target,
            compiler: compiler.unwrap_or_default(),
        })
    }

    /// The file that [`Recipe::build`] makes.
    pub(crate) fn image(&self) -> &'static str {
        self.target.image
    }

    /// Names the kernel that comes of this and a source package.
    pub(crate) fn key(&self, source: &str) -> Result<String> {
        let mut parts = vec![source.to_owned(), self.compiler.clone()];
        for file in self.configs.iter().chain(self.series.patches()) {
            parts.push(sha256(file)?);
        }
        Ok(parts.join(", "))
    }

    /// Builds the image in `dir` from a tar archive of the source.
    pub(crate) fn build(&self, source: &Path, dir: &Path) -> Result<()> {
        let tree = dir.join("source");
        fs::create_dir(&tree)?;
        let running = clean_up_at_exit(dir);
        let progress = Progress::start("unpacking the kernel's source");
        let mut tar = Command::new("tar");
        tar.args(UNUSED.iter().map(|pattern| format!("--exclude={pattern}")));
        tar.args(["--extract", "--strip-components=1", "--directory"]);
        // Decompression is most of the work, and xz can share it among all processors.
        tar.arg(&tree).env("XZ_DEFAULTS", "--threads=0");
        finish(
            tar.arg("--file").arg(source),
            "unpack the kernel's source",
            &running,
        )?;
        progress.finish();
        self.series.apply(&tree)?;

        let progress = Progress::start(&format!("building {}", self.title));
        let texts = self.configs.iter().map(fs::read_to_string);
        let wanted: String = texts.collect::<Result<_, _>>()?;
        let objects = dir.join("objects");
        fs::create_dir(&objects)?;
        let given = objects.join("wanted.config");
        fs::write(&given, &wanted)?;
        let mut configure = self.make(&tree, dir);
        let given = format!("KCONFIG_ALLCONFIG={}", given.display());
        finish(
            configure.arg(given).arg("allnoconfig"),
            "configure the kernel",
            &running,
        )?;
        let made = fs::read_to_string(dir.join("objects/.config"))?;
        let lost = lost_options(&wanted, &made);
        ensure!(
            lost.is_empty(),
            "{:?} ask for what this kernel has not or needs more for: {}",
            self.configs,
            lost.join(" ")
        );
        let jobs = std::thread::available_parallelism()?;
        let mut make = self.make(&tree, dir);
        make.arg(format!("--jobs={jobs}")).arg(self.image());
        compile(&mut make, &running, &progress)?;
        progress.finish();
        let boot = format!("arch/{}/boot/{}", self.target.arch, self.image());
        for (from, to) in [
            (boot.as_str(), self.image()),
            (".config", "config"),
            ("System.map", "System.map"),
        ] {
            fs::copy(dir.join("objects").join(from), dir.join(to))?;
        }
        fs::remove_dir_all(tree)?;
        fs::remove_dir_all(dir.join("objects"))?;
        Ok(())
    }

    fn make(&self, tree: &Path, dir: &Path) -> Command {
        let mut make = Command::new("make");
        make.arg("--directory").arg(tree);
        make.arg(format!("O={}", dir.join("objects").display()));
        make.arg(format!("ARCH={}", self.target.arch));
        make.arg(format!("CROSS_COMPILE={}", self.target.prefix));
        // The same image whoever builds it, and whenever.
        make.env("KBUILD_BUILD_TIMESTAMP", "1970-01-01")
            .env("KBUILD_BUILD_USER", "fakemon")
            .env("KBUILD_BUILD_HOST", "fakemon")
            .env("LC_ALL", "C");
        // What the calling cargo or make has set is not about this build.
        make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL");
        die_with_us(&mut make);
        make
    }
}

/// Runs make and shows how far it is; its messages appear only as part of an error.
fn compile(make: &mut Command, running: &AtomicI32, progress: &Progress) -> Result<()> {
    let mut child = make
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start make")?;
    running.store(child.id() as i32, Ordering::Relaxed);
    let errors = child.stderr.take();
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        errors.map(|mut from| from.read_to_string(&mut text));
        text
    });
    if let Some(output) = child.stdout.take() {
        for (step, _) in BufReader::new(output).split(b'\n').enumerate() {
            progress.set_percent(&(step * 100 / STEPS).min(99).to_string());
        }
    }
    let status = child.wait()?;
    ended(running);
    let errors = errors.join().unwrap_or_default();
    ensure!(
        status.success(),
        "the kernel could not be built:\n{}",
        last_lines(&errors)
    );
    Ok(())
}

/// Has Ctrl-C end the build, which is large, and leave nothing of it in `dir`. The result takes the
/// process group that runs, or 0.
fn clean_up_at_exit(dir: &Path) -> Arc<AtomicI32> {
    let running = Arc::new(AtomicI32::new(0));
    let (group, dir) = (running.clone(), dir.to_owned());
    interrupt::at_exit(move || {
        let group = group.swap(0, Ordering::Relaxed);
        if group != 0 {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
        // What is being killed may make one more file.
        for _ in 0..20 {
            if remove_dir(&dir).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    running
}

/// How many bytes must be free where the kernel is built.
pub(crate) fn space() -> u64 {
    SPACE
}

/// Options that are wanted on and are not, because the kernel has no such option or their
/// dependencies are not met; make itself drops those in silence.
fn lost_options<'a>(wanted: &'a str, made: &str) -> Vec<&'a str> {
    let made: Vec<_> = made.lines().collect();
    let wanted = wanted.lines().filter(|line| line.ends_with("=y"));
    wanted.filter(|line| !made.contains(line)).collect()
}

fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(name).is_file())
}

fn version_of(compiler: &str) -> Option<String> {
    let output = Command::new(compiler).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().next().map(str::to_owned)
}

/// Takes a program out of the reach of Ctrl-C, which is for us alone, and has it end when xtask does.
fn die_with_us(command: &mut Command) {
    command.process_group(0);
    // SAFETY: the closure makes one system call, prctl, which is allowed between fork and exec.
    unsafe { command.pre_exec(|| Ok(set_pdeathsig(Signal::SIGTERM)?)) };
}

/// Runs a command that prints only when it fails.
fn finish(command: &mut Command, what: &str, running: &AtomicI32) -> Result<()> {
    die_with_us(command);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot {what}"))?;
    running.store(child.id() as i32, Ordering::Relaxed);
    let output = child.wait_with_output()?;
    ended(running);
    if !output.status.success() {
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        bail!("cannot {what}:\n{}", last_lines(&text));
    }
    Ok(())
}

/// Notes that the program that was `running` has ended. If Ctrl-C has ended it, this waits for the
/// end of the process, which comes when that has tidied up.
fn ended(running: &AtomicI32) {
    if running.swap(0, Ordering::Relaxed) == 0 {
        std::thread::sleep(Duration::from_secs(60));
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_make_drops_are_found() {
        let wanted = "# text\nCONFIG_KVM=y\nCONFIG_GONE=y\nCONFIG_OFF=n\nCONFIG_NR_CPUS=8\n";
        let made = "CONFIG_KVM=y\n# CONFIG_GONE is not set\n";
        assert_eq!(lost_options(wanted, made), ["CONFIG_GONE=y"]);
    }

    #[test]
    fn a_machine_needs_no_cross_compiler_for_itself() {
        let native = Target::new(Arch::Arm64, "aarch64");
        assert_eq!((native.prefix, native.compiler), ("", "gcc"));
        for (arch, name) in [(Arch::Arm64, "arm64"), (Arch::Armhf, "arm")] {
            let target = Target::new(arch, "x86_64");
            assert_eq!(target.arch, name);
            assert_eq!(
                target.compiler,
                format!("gcc-{}", target.prefix.trim_end_matches('-'))
            );
        }
    }

    #[test]
    fn a_long_message_is_cut_to_its_end() {
        let text: String = (0..100).map(|n| format!("line {n}\n")).collect();
        let end = last_lines(&text);
        assert!(
            end.starts_with("line 80\n") && end.ends_with("line 99"),
            "{end}"
        );
        assert_eq!(last_lines("one"), "one");
    }
}
