// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Numbers as text: TOML's keys are strings, so a table that is keyed by number is read here.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// Parses `0x`-prefixed hexadecimal or plain decimal, with `_` between digits as in TOML.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let digits = text.replace('_', "");
    match digits.strip_prefix("0x") {
        // The standard parser takes a sign, which a register's value does not have.
        Some(hex) if !hex.starts_with('+') => u64::from_str_radix(hex, 16).ok(),
        None if !digits.starts_with('+') => digits.parse().ok(),
        _ => None,
    }
}

/// Reads a table whose keys are numbers.
pub(crate) fn keyed<'de, D, V>(deserializer: D) -> Result<BTreeMap<u64, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    deserializer.deserialize_map(Keyed(PhantomData))
}

struct Keyed<V>(PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for Keyed<V> {
    type Value = BTreeMap<u64, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table whose keys are quoted numbers, such as \"0x84000000\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut table = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let number = parse(&key).ok_or_else(|| {
                A::Error::custom(format!(
                    "key {key:?} is not a number, write it as \"0x84000000\""
                ))
            })?;
            if table.insert(number, map.next_value()?).is_some() {
                return Err(A::Error::custom(format!(
                    "key {key:?} names {number:#x} a second time"
                )));
            }
        }
        Ok(table)
    }
}
