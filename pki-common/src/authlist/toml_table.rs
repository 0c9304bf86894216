//! TOML: one `[[entry]]` with `mac`, `type` and (where the type allows none, optional) `key_hash`.
//!
//! ```toml
//! [[entry]]
//! mac = "00:50:56:9c:34:89"
//! type = "lbs-ssc"
//! key_hash = "e0afbe2e2abeed5a2f9ffc75f059da6a1bf2bfa0"
//! ```

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::authlist::format::EMPTY_TOML;
use crate::authlist::import::{
    BadLine, KeyHashText, Line, LineProblem, Parsed, Record, RecordType, TYPE_WORDS, lines,
};
use crate::authlist::{AuthListEntry, AuthListType};
use crate::mac::MacAddr;

pub(super) fn parse(text: &str) -> Parsed<'_> {
    let (document, syntax_errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        lines: Lines::new(text),
        parsed: Parsed::default(),
        incomplete: !syntax_errors.is_empty(),
    };
    for error in syntax_errors {
        let line = reader.lines.at(error.span().unwrap_or(0..0));
        let problem = LineProblem::malformed(format!("not TOML: {}", error.message().replace('\n', ", ")));
        reader.parsed.bad.push(BadLine::new(line, problem));
    }
    for (key, value) in document.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref().as_array()) {
            ("entry", Some(entries)) => entries.iter().for_each(|entry| reader.entry(entry)),
            ("entry", None) => reader.bad(key.span(), "entry must be an array of tables: write [[entry]]"),
            _ => reader.bad(key.span(), "unknown key, expected [[entry]] tables only"),
        }
    }
    reader.parsed
}

struct Reader<'t> {
    lines: Lines<'t>,
    parsed: Parsed<'t>,
    /// A syntax error may have swallowed keys, so a missing one is no second error.
    incomplete: bool,
}

impl<'t> Reader<'t> {
    fn bad(&mut self, span: Range<usize>, what: impl Into<String>) {
        let line = self.lines.at(span);
        self.parsed
            .bad
            .push(BadLine::new(line, LineProblem::malformed(what)));
    }

    fn entry(&mut self, entry: &Spanned<DeValue<'t>>) {
        let Some(table) = entry.get_ref().as_table() else {
            return self.bad(entry.span(), "an entry must be a table: write [[entry]]");
        };
        for (key, _) in table {
            if !["mac", "type", "key_hash"].contains(&key.get_ref().as_ref()) {
                self.bad(key.span(), "unknown key, expected mac, type and key_hash");
            }
        }
        let mac = self
            .required(table, entry, "mac")
            .and_then(|(text, line)| self.mac(text, line));
        let list_type = self
            .required(table, entry, "type")
            .and_then(|(text, line)| self.list_type(text, line));
        // A key hash of the wrong TOML type has been reported; the entry is not complete without it.
        let Ok(key_hash) = self.string(table, "key_hash") else {
            return;
        };
        if let (Some(mac), Some(list_type)) = (mac, list_type) {
            self.parsed.records.push(Record {
                line: self.lines.at(entry.span()),
                mac,
                list_type: RecordType::Listed(list_type),
                key_hash: key_hash.map(|(text, line)| KeyHashText {
                    line,
                    text: Cow::Owned(text.to_owned()),
                    expected: None,
                }),
            });
        }
    }

    fn mac(&mut self, text: &str, line: Line<'t>) -> Option<MacAddr> {
        let mac = text.parse();
        self.parsed.bad.extend(
            mac.as_ref()
                .err()
                .cloned()
                .map(|error| BadLine::new(line, LineProblem::Mac(error))),
        );
        mac.ok()
    }

    fn list_type(&mut self, text: &str, line: Line<'t>) -> Option<AuthListType> {
        let list_type = text.parse().ok();
        if list_type.is_none() {
            self.parsed
                .bad
                .push(BadLine::new(line, LineProblem::unknown_type(text, TYPE_WORDS)));
        }
        list_type
    }

    fn required<'a>(
        &mut self,
        table: &'a DeTable<'t>,
        entry: &Spanned<DeValue<'t>>,
        key: &str,
    ) -> Option<(&'a str, Line<'t>)> {
        let found = self.string(table, key).ok()?;
        if found.is_none() && !self.incomplete {
            self.bad(entry.span(), format!("the entry has no {key}"));
        }
        found
    }

    /// The string under `key`, `None` when the key is not there, an error (reported) when it is no string.
    fn string<'a>(
        &mut self,
        table: &'a DeTable<'t>,
        key: &str,
    ) -> Result<Option<(&'a str, Line<'t>)>, NotAString> {
        let Some(value) = table.get(key) else {
            return Ok(None);
        };
        let Some(text) = value.get_ref().as_str() else {
            self.bad(
                value.span(),
                format!("{key} must be a string, found {}", value.get_ref().type_str()),
            );
            return Err(NotAString);
        };
        Ok(Some((text, self.lines.at(value.span()))))
    }
}

struct NotAString;

/// Finds the line of a byte offset.
struct Lines<'t> {
    lines: Vec<Line<'t>>,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn new(text: &'t str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self {
            lines: lines(text).collect(),
            starts,
        }
    }

    /// The line on which `span` starts.
    fn at(&self, span: Range<usize>) -> Line<'t> {
        let number = self.starts.partition_point(|start| *start <= span.start);
        // The place behind the last line break has a number, but no line.
        let missing = Line {
            number,
            raw: "",
            clean: "",
        };
        self.lines
            .get(number.saturating_sub(1))
            .copied()
            .unwrap_or(missing)
    }
}

pub(super) fn write(entries: &[&AuthListEntry]) -> String {
    if entries.is_empty() {
        return EMPTY_TOML.to_owned();
    }
    let mut text = String::new();
    for (
        index,
        AuthListEntry {
            mac,
            list_type,
            key_hash,
        },
    ) in entries.iter().enumerate()
    {
        let blank = if index == 0 { "" } else { "\n" };
        // Writing into a String cannot fail. No value holds a character that TOML would escape.
        let _ = writeln!(text, "{blank}[[entry]]\nmac = \"{mac}\"\ntype = \"{list_type}\"");
        if let Some(key_hash) = key_hash {
            let _ = writeln!(text, "key_hash = \"{key_hash}\"");
        }
    }
    text
}
