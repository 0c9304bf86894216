//! Where a key stands in the configuration of `est serve`, so that what is wrong with its value is told with its line.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::CliError;

/// The file, and the lines of all keys in it.
#[derive(Debug, Default)]
pub(crate) struct KeyLines {
    file: String,
    /// By the dotted name; the tables of an array have their number as a segment: `label.0.policy.validity-days`.
    lines: BTreeMap<String, usize>,
}

impl KeyLines {
    pub(crate) fn of(file: String, text: &str, table: &DeTable<'_>) -> Self {
        let mut found = Self {
            file,
            lines: BTreeMap::new(),
        };
        found.add_table("", text, table);
        found
    }

    fn add_table(&mut self, above: &str, text: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let name = format!("{above}{}", key.get_ref());
            self.lines.insert(name.clone(), line(text, key.span().start));
            match value.get_ref() {
                DeValue::Table(table) => self.add_table(&format!("{name}."), text, table),
                DeValue::Array(items) => {
                    for (number, item) in items.iter().enumerate() {
                        if let DeValue::Table(table) = item.get_ref() {
                            let name = format!("{name}.{number}");
                            self.lines.insert(name.clone(), line(text, item.span().start));
                            self.add_table(&format!("{name}."), text, table);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The line of a key, or of the table that it is missing in.
    fn line_of(&self, mut name: &str) -> Option<usize> {
        loop {
            if let Some(line) = self.lines.get(name) {
                return Some(*line);
            }
            name = name.rsplit_once('.')?.0;
        }
    }
}

fn line(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The top of the file, or one of its labels.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    file: Arc<KeyLines>,
    label: Option<(usize, String)>,
}

impl Place {
    pub(crate) const fn top(file: Arc<KeyLines>) -> Self {
        Self { file, label: None }
    }

    pub(crate) fn label(&self, number: usize, name: &str) -> Self {
        Self {
            file: Arc::clone(&self.file),
            label: Some((number, name.to_owned())),
        }
    }

    /// Whether this is the top of the file.
    pub(crate) const fn is_top(&self) -> bool {
        self.label.is_none()
    }

    fn full(&self, key: &str) -> String {
        match &self.label {
            Some((number, _)) => format!("label.{number}.{key}"),
            None => key.to_owned(),
        }
    }

    /// The file, the line, the label and the key.
    pub(crate) fn to(&self, key: &str) -> String {
        let mut text = self.file.file.clone();
        if let Some(line) = self.file.line_of(&self.full(key)) {
            text.push_str(&format!(":{line}"));
        }
        if let Some((_, name)) = &self.label {
            text.push_str(&format!(": label {name:?}"));
        }
        format!("{text}: {key}")
    }

    /// A value that cannot be used.
    pub(crate) fn wrong(&self, key: &str, problem: impl fmt::Display) -> CliError {
        CliError::local(
            format!("{}: {problem}", self.to(key)),
            "Correct the value; `est serve --print-config` shows every key with its default.",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_keys_in_tables_inline_tables_and_labels() {
        let text = "a = 1\n[b]\nc = { d = 1 }\n[[label]]\nname = \"x\"\n[label.b]\ne = 1\n[[label]]\n\nname = \"y\"\n";
        let table = DeTable::parse(text).unwrap().into_inner();
        let top = Place::top(Arc::new(KeyLines::of("f".to_owned(), text, &table)));
        let (first, second) = (top.label(0, "x"), top.label(1, "y"));
        for (place, key, expected) in [
            (&top, "a", "f:1: a"),
            (&top, "b.c.d", "f:3: b.c.d"),
            (&top, "b.missing", "f:2: b.missing"),
            (&top, "missing", "f: missing"),
            (&first, "b.e", "f:7: label \"x\": b.e"),
            (&second, "name", "f:10: label \"y\": name"),
            (&second, "missing", "f:8: label \"y\": missing"),
        ] {
            assert_eq!(place.to(key), expected);
        }
    }
}
