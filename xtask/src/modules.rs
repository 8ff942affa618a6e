// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Kernel modules: which ones a module needs, and their content as a plain ELF file.
//!
//! Debian ships them compressed and busybox's insmod wants them plain. Which modules must be there
//! first stands in each module's own `.modinfo` section; a package has no modules.dep, which depmod
//! would write at installation.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection};

use crate::cache::files_below;
use crate::lacks::Lacks;

/// A module that is ready to be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its name, with underscores.
    pub(crate) name: String,
    /// The ELF file.
    pub(crate) content: Vec<u8>,
}

/// Kernels come with the list of the modules that are part of the image, one path in a line.
pub(crate) const BUILTIN: &str = "modules.builtin";

/// Reads the modules called `names` below `dir` and all that they need, in the order in which they
/// must be loaded. What is part of the image needs no loading.
pub(crate) fn load(dir: &Path, names: &[String]) -> Result<Vec<Module>> {
    let files = files_below(dir)?;
    let mut loaded = Vec::new();
    for name in names {
        // Names stand on the way down to each module, to notice one that needs itself.
        add(&files, name, &mut Vec::new(), &mut loaded)?;
    }
    Ok(loaded)
}

fn add(
    files: &[PathBuf],
    name: &str,
    above: &mut Vec<String>,
    loaded: &mut Vec<Module>,
) -> Result<()> {
    let name = name.replace('-', "_");
    if loaded.iter().any(|module| module.name == name) {
        return Ok(());
    }
    if above.contains(&name) {
        bail!("kernel module {name} needs itself");
    }
    let file = files
        .iter()
        .find(|file| module_name(file).as_ref() == Some(&name));
    let lacks = || {
        Lacks(format!(
            "the kernel has no module {name}: correct `modules` in board.toml"
        ))
    };
    let Some(file) = file else {
        return if is_builtin(files, &name)? {
            Ok(())
        } else {
            Err(lacks().into())
        };
    };
    let content = decompress(file)?;
    above.push(name.clone());
    for needed in needs(&content).with_context(|| format!("{} is no module", file.display()))? {
        add(files, &needed, above, loaded)?;
    }
    above.pop();
    loaded.push(Module { name, content });
    Ok(())
}

/// Tells whether a module is part of the kernel's image.
fn is_builtin(files: &[PathBuf], name: &str) -> Result<bool> {
    let Some(list) = files.iter().find(|file| file.ends_with(BUILTIN)) else {
        return Ok(false);
    };
    let list =
        std::fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    let mut modules = list.lines().filter_map(|line| module_name(Path::new(line)));
    Ok(modules.any(|module| module == name))
}

/// The module that a file holds: `rng-core.ko.xz` holds `rng_core`.
fn module_name(file: &Path) -> Option<String> {
    let (stem, suffix) = file.file_name()?.to_str()?.split_once(".ko")?;
    ["", ".xz"]
        .contains(&suffix)
        .then(|| stem.replace('-', "_"))
}

fn decompress(file: &Path) -> Result<Vec<u8>> {
    let content = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    if file.extension().is_none_or(|extension| extension != "xz") {
        return Ok(content);
    }
    let mut plain = Vec::new();
    lzma_rust2::XzReader::new(content.as_slice(), true)
        .read_to_end(&mut plain)
        .with_context(|| format!("cannot decompress {}", file.display()))?;
    Ok(plain)
}

/// The modules that a module says it needs.
fn needs(content: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(content)?;
    let section = file
        .section_by_name(".modinfo")
        .context("there is no .modinfo section")?;
    Ok(parse_needs(section.data()?))
}

fn parse_needs(modinfo: &[u8]) -> Vec<String> {
    let mut entries = modinfo.split(|&byte| byte == 0);
    let list = entries.find_map(|entry| entry.strip_prefix(b"depends="));
    let list = String::from_utf8_lossy(list.unwrap_or_default()).into_owned();
    list.split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modules_needs_are_read_from_modinfo() {
        let modinfo = b"license=GPL\0alias=x\0depends=rng-core,optee\0name=y\0";
        assert_eq!(parse_needs(modinfo), ["rng-core", "optee"]);
        assert!(parse_needs(b"license=GPL\0depends=\0").is_empty());
        assert!(parse_needs(b"").is_empty());
    }

    #[test]
    fn what_is_part_of_the_image_is_not_loaded_and_what_is_nowhere_is_missed() {
        let dir = std::env::temp_dir().join(format!("fakemon-modules-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        std::fs::write(dir.join(BUILTIN), "kernel/drivers/a/rng-core.ko\n").expect("a file");
        let load = |name: &str| load(&dir, &[name.to_owned()]);
        assert_eq!(load("rng-core").expect("part of the image"), []);
        assert!(load("rng").expect_err("nowhere").is::<Lacks>());
        std::fs::remove_dir_all(&dir).expect("removable");
    }

    #[test]
    fn a_files_name_tells_its_module() {
        let name = |path: &str| module_name(Path::new(path));
        assert_eq!(name("/a/rng-core.ko.xz").as_deref(), Some("rng_core"));
        assert_eq!(name("/a/optee.ko").as_deref(), Some("optee"));
        assert_eq!(name("/a/optee.ko.gz"), None);
        assert_eq!(name("/a/vmlinuz"), None);
    }
}
