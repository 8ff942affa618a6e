// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Artefacts that are whole, touched, damaged and gone.

use super::*;

/// A cache in a directory of its own, removed at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let dir = std::env::temp_dir().join(format!("fakemon-cache-{name}-{}", std::process::id()));
        remove_dir(&dir).expect("removable");
        Scratch(dir)
    }

    fn cache(&self) -> Cache {
        Cache::open_in(self.0.clone()).expect("opens")
    }

    /// A cache that holds `thing/sub/file` for the wish `v1`.
    fn filled(&self) -> Cache {
        let mut cache = self.cache();
        cache.store("thing", "v1", fill).expect("stored");
        cache
    }

    fn file(&self) -> PathBuf {
        self.0.join("thing/sub/file")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn fill(dir: &Path) -> Result<()> {
    fs::create_dir(dir.join("sub"))?;
    Ok(fs::write(dir.join("sub/file"), "content")?)
}

#[test]
fn what_was_stored_is_found_by_the_next_run() {
    let scratch = Scratch::new("found");
    drop(scratch.filled());
    for check in [Check::Quick, Check::Full] {
        let found = scratch
            .cache()
            .find("thing", "v1", check)
            .expect("no error");
        assert_eq!(found, Some(scratch.0.join("thing")));
    }
}

#[test]
fn another_wish_is_not_served_by_an_old_component() {
    let scratch = Scratch::new("wish");
    let mut cache = scratch.filled();
    assert_eq!(
        cache.find("thing", "v2", Check::Quick).expect("no error"),
        None
    );
    assert_eq!(
        cache.find("other", "v1", Check::Quick).expect("no error"),
        None
    );
}

#[test]
fn damage_is_found() {
    let scratch = Scratch::new("damage");
    let mut cache = scratch.filled();
    for damaged in ["Content", "content, and more", ""] {
        fs::write(scratch.file(), damaged).expect("written");
        assert_eq!(
            cache.find("thing", "v1", Check::Quick).expect("no error"),
            None,
            "{damaged}"
        );
    }
    fs::remove_file(scratch.file()).expect("removed");
    assert_eq!(
        cache.find("thing", "v1", Check::Quick).expect("no error"),
        None
    );
}

#[test]
fn a_file_that_was_only_touched_is_still_good() {
    let scratch = Scratch::new("touched");
    let mut cache = scratch.filled();
    let file = File::options()
        .write(true)
        .open(scratch.file())
        .expect("opens");
    file.set_modified(UNIX_EPOCH).expect("set");
    assert!(
        cache
            .find("thing", "v1", Check::Quick)
            .expect("no error")
            .is_some()
    );
}

#[test]
fn a_component_that_fails_leaves_the_old_one() {
    let scratch = Scratch::new("fails");
    let mut cache = scratch.filled();
    let failed = cache.store("thing", "v2", |_| anyhow::bail!("no space"));
    assert!(failed.is_err());
    assert!(
        cache
            .find("thing", "v1", Check::Full)
            .expect("no error")
            .is_some()
    );
}

#[test]
fn a_manifest_that_is_garbage_counts_as_none() {
    let scratch = Scratch::new("garbage");
    drop(scratch.filled());
    fs::write(scratch.0.join("manifest.json"), "{").expect("written");
    assert_eq!(
        scratch
            .cache()
            .find("thing", "v1", Check::Quick)
            .expect("no error"),
        None
    );
}
