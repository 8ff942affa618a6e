// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Versions of the guest kernel: which one it says that it is, and ranges of them.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A kernel's version: 6.12.117.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion([u32; 3]);

/// Kernels from one version on and before another: `>=6.12.110`, `<7`, `>=6.13, <7.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct KernelRange {
    from: Option<KernelVersion>,
    before: Option<KernelVersion>,
}

impl KernelVersion {
    /// What a kernel's log begins with, and its version follows.
    pub const BANNER: &str = "Linux version ";

    /// The version that the kernel of this log says of itself.
    pub fn of_log(log: &str) -> Option<KernelVersion> {
        let mut banners = log.split(Self::BANNER).skip(1);
        // What is Debian's own comes after the number: 6.12.117+deb13-arm64.
        let number = |rest: &str| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
            rest[..end.unwrap_or(rest.len())].parse().ok()
        };
        banners.find_map(number)
    }
}

impl KernelRange {
    /// Tells whether this kernel is one of them; one that is not known is not.
    pub fn holds(&self, kernel: Option<KernelVersion>) -> bool {
        kernel.is_some_and(|kernel| {
            self.from.is_none_or(|from| from <= kernel)
                && self.before.is_none_or(|before| kernel < before)
        })
    }
}

impl FromStr for KernelVersion {
    type Err = String;

    /// Reads one to three numbers with dots between them; what is left out is 0.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || format!("{text:?} is not a kernel's version, write 7, 6.13 or 6.12.117");
        let mut version = [0; 3];
        for (n, part) in text.split('.').enumerate() {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            let number = part.parse().ok().filter(|_| digits);
            *version.get_mut(n).ok_or_else(bad)? = number.ok_or_else(bad)?;
        }
        Ok(KernelVersion(version))
    }
}

impl FromStr for KernelRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || {
            format!(
                "{text:?} is not a range of kernels, write \">=6.13\", \"<7\" or \">=6.13, <7\""
            )
        };
        let mut range = KernelRange {
            from: None,
            before: None,
        };
        for bound in text.split(',').map(str::trim) {
            let (end, version) = match (bound.strip_prefix(">="), bound.strip_prefix('<')) {
                (Some(version), _) => (&mut range.from, version),
                (_, Some(version)) => (&mut range.before, version),
                _ => return Err(bad()),
            };
            let version = version.parse().map_err(|_| bad())?;
            if end.replace(version).is_some() {
                return Err(bad());
            }
        }
        match range {
            KernelRange {
                from: Some(from),
                before: Some(before),
            } if before <= from => Err(bad()),
            range => Ok(range),
        }
    }
}

impl TryFrom<String> for KernelRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c] = self.0;
        write!(f, "{a}.{b}.{c}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_kernel_says_which_it_is() {
        let version = |log| KernelVersion::of_log(log).map(|version| version.to_string());
        let log =
            "fakemon: x\n[    0.000000] Linux version 6.12.117+deb13-arm64 (debian) gcc 14.2.0\n";
        assert_eq!(version(log).as_deref(), Some("6.12.117"));
        assert_eq!(
            version("Linux version 7.3-rc2 #1").as_deref(),
            Some("7.3.0")
        );
        assert_eq!(
            version("Linux version unknown\nLinux version 6.1.0-37-armmp").as_deref(),
            Some("6.1.0")
        );
        assert_eq!(version("Linux version"), None);
        assert_eq!(version(""), None);
    }

    #[test]
    fn a_range_begins_with_its_first_version_and_ends_before_its_last() {
        let holds = |range: &str, version: &str| {
            let range: KernelRange = range.parse().expect(range);
            range.holds(version.parse().ok())
        };
        for (range, inside, outside) in [
            (">=6.12.110", ["6.12.110", "7"], ["6.12.109", "6.11.200"]),
            ("<7", ["6.19.14", "5"], ["7", "7.0.1"]),
            (">=6.13, <7.1", ["6.13", "7.0.13"], ["6.12.117", "7.1"]),
            ("<7.1,>=6.13", ["6.13.1", "7.0"], ["6.12", "7.1.0"]),
        ] {
            for version in inside {
                assert!(holds(range, version), "{version} {range}");
            }
            for version in outside {
                assert!(!holds(range, version), "{version} {range}");
            }
        }
        let all: KernelRange = ">=0".parse().expect("good");
        assert!(!all.holds(None));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for bad in [
            "",
            "6.13",
            "=6.13",
            ">6.13",
            ">=",
            ">=6.",
            ">=6.13.1.1",
            "<+7",
            ">=6,",
            ">=7,<7",
            "<6,<7",
            ">= 6",
            "<4294967296",
        ] {
            let error = bad.parse::<KernelRange>().expect_err(bad);
            assert!(error.contains("is not a range of kernels"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in ".*") {
            let _ = text.parse::<KernelRange>();
            let _ = KernelVersion::of_log(&format!("Linux version {text}"));
        }
    }
}
