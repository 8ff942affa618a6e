// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Components that are whole, touched, damaged and gone, in several versions and by several runs.

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

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
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes `sub/file` with this content for the key `key`.
fn make(cache: &Cache, key: &str, content: &str) -> PathBuf {
    let fill = |dir: &Path| {
        fs::create_dir(dir.join("sub"))?;
        Ok(fs::write(dir.join("sub/file"), content)?)
    };
    cache
        .component("thing", key, Check::Quick, fill)
        .expect("made")
}

fn find(cache: &Cache, key: &str, check: Check) -> Option<PathBuf> {
    cache.find("thing", key, check).expect("no error")
}

#[test]
fn what_was_made_is_found_by_the_next_run() {
    let scratch = Scratch::new("found");
    let dir = make(&scratch.cache(), "v1", "content");
    for check in [Check::Quick, Check::Full] {
        assert_eq!(find(&scratch.cache(), "v1", check), Some(dir.clone()));
    }
    assert_eq!(make(&scratch.cache(), "v1", "never made"), dir);
    assert_eq!(
        fs::read_to_string(dir.join("sub/file")).expect("a file"),
        "content"
    );
}

#[test]
fn versions_stand_side_by_side() {
    let scratch = Scratch::new("versions");
    let cache = scratch.cache();
    let (old, new) = (make(&cache, "v1", "old"), make(&cache, "v2", "new"));
    let read = |dir: &Path| fs::read_to_string(dir.join("sub/file")).expect("a file");
    assert_eq!((read(&old).as_str(), read(&new).as_str()), ("old", "new"));
    assert_eq!(find(&cache, "v1", Check::Full), Some(old));
    assert_eq!(find(&cache, "v3", Check::Full), None);
    assert_eq!(
        cache.find("other", "v1", Check::Quick).expect("no error"),
        None
    );
}

#[test]
fn damage_is_found_and_mended() {
    let scratch = Scratch::new("damage");
    let cache = scratch.cache();
    let dir = make(&cache, "v1", "content");
    let file = dir.join("sub/file");
    for damaged in ["Content", "content, and more", ""] {
        fs::write(&file, damaged).expect("written");
        assert_eq!(find(&cache, "v1", Check::Quick), None, "{damaged}");
    }
    fs::remove_file(&file).expect("removed");
    assert_eq!(find(&cache, "v1", Check::Quick), None);
    assert_eq!(make(&cache, "v1", "content"), dir);
    assert_eq!(find(&cache, "v1", Check::Full), Some(dir.clone()));
    fs::write(dir.join(MANIFEST), "{").expect("written");
    assert_eq!(find(&cache, "v1", Check::Quick), None);
}

#[test]
fn a_file_that_was_only_touched_is_still_good() {
    let scratch = Scratch::new("touched");
    let cache = scratch.cache();
    let dir = make(&cache, "v1", "content");
    let file = File::options()
        .write(true)
        .open(dir.join("sub/file"))
        .expect("opens");
    file.set_modified(UNIX_EPOCH).expect("set");
    assert_eq!(find(&cache, "v1", Check::Quick), Some(dir));
}

#[test]
fn a_component_that_cannot_be_made_leaves_nothing() {
    let scratch = Scratch::new("fails");
    let cache = scratch.cache();
    let failed = cache.component("thing", "v1", Check::Quick, |dir| {
        fs::write(dir.join("half"), "")?;
        anyhow::bail!("no space")
    });
    assert!(failed.is_err());
    assert_eq!(find(&cache, "v1", Check::Quick), None);
    // What a run that was killed has left is in nobody's way.
    let dir = make(&cache, "v1", "content");
    assert!(!dir.join("half").exists());
}

#[test]
fn two_runs_make_one_component_once() {
    let scratch = Scratch::new("two");
    let made = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let dir = scratch
                    .cache()
                    .component("thing", "v1", Check::Quick, |dir| {
                        made.fetch_add(1, Ordering::Relaxed);
                        thread::yield_now();
                        Ok(fs::write(dir.join("file"), "content")?)
                    });
                let file = dir.expect("made").join("file");
                assert_eq!(fs::read_to_string(file).expect("a file"), "content");
            });
        }
    });
    assert_eq!(made.load(Ordering::Relaxed), 1);
}
