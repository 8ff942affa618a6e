// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `[[guest.dt]]`: changes to the guest's device tree.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A change to one node of the base or generated tree. The node is made if it is missing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DtChange {
    /// The node's full path; one that ends in `*` stands for all nodes that there are with such a
    /// name, as `/cpus/cpu@*` for every CPU.
    pub path: String,
    /// Removes the node and all below it.
    #[serde(default)]
    pub remove: bool,
    /// Properties to set.
    #[serde(default)]
    pub set: BTreeMap<String, DtValue>,
    /// Properties to remove.
    #[serde(default)]
    pub delete: Vec<String>,
}

/// The value of a property.
///
/// In TOML: `true` or `{}` is empty, text is a string, a list of text is a string list, an integer
/// or a list of integers is cells, `{ bytes = [..] }` is raw bytes. Text `"&/path"`, alone or in a
/// list of cells, is a phandle.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum DtValue {
    /// A property without a value, such as `interrupt-controller`.
    Empty,
    /// NUL-terminated strings, one after the other.
    Strings(Vec<String>),
    /// Big-endian 32-bit words.
    Cells(Vec<Cell>),
    /// Anything.
    Bytes(Vec<u8>),
}

/// One 32-bit word of a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A number.
    Number(u32),
    /// The phandle of the node at this full path, to be allocated if it has none.
    Phandle(String),
}

impl TryFrom<toml::Value> for DtValue {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        match value {
            toml::Value::Boolean(true) => Ok(DtValue::Empty),
            toml::Value::Table(table) => from_table(table),
            toml::Value::Array(list) => from_list(list),
            toml::Value::Boolean(false) => {
                Err("a property is either present or not: use true, or `delete`".to_owned())
            }
            single => from_list(vec![single]),
        }
    }
}

fn from_table(mut table: toml::Table) -> Result<DtValue, String> {
    const HELP: &str = "a property's table is empty or `{ bytes = [0 to 255, ..] }`";
    if table.is_empty() {
        return Ok(DtValue::Empty);
    }
    let bytes = table
        .remove("bytes")
        .filter(|_| table.is_empty())
        .ok_or(HELP)?;
    bytes
        .try_into()
        .map(DtValue::Bytes)
        .map_err(|_| HELP.to_owned())
}

fn from_list(list: Vec<toml::Value>) -> Result<DtValue, String> {
    if list.is_empty() {
        return Err("an empty list says nothing: use true for a property without value".to_owned());
    }
    let is_text = |value: &toml::Value| value.as_str().is_some_and(|text| !text.starts_with("&/"));
    if list.iter().all(is_text) {
        let text = |value: &toml::Value| value.as_str().unwrap_or_default().to_owned();
        return Ok(DtValue::Strings(list.iter().map(text).collect()));
    }
    list.into_iter()
        .map(cell)
        .collect::<Result<_, _>>()
        .map(DtValue::Cells)
}

fn cell(value: toml::Value) -> Result<Cell, String> {
    match value {
        toml::Value::Integer(number) => u32::try_from(number)
            .map(Cell::Number)
            .map_err(|_| format!("{number:#x} does not fit a 32-bit cell, write it as two")),
        toml::Value::String(text) => match text.strip_prefix('&') {
            Some(path) if path.starts_with('/') => Ok(Cell::Phandle(path.to_owned())),
            _ => Err(format!(
                "{text:?} among cells is not a phandle, write \"&/path/of/node\""
            )),
        },
        other => Err(format!(
            "a {} is no part of a device tree property",
            other.type_str()
        )),
    }
}
