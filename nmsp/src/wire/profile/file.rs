//! Profiles from TOML files.
//!
//! What a file does not mention stays as it is built in. All problems of a file are reported together, each with its line,
//! its key and what to do.

use core::fmt;
use core::ops::Range;

use pki_common::{Diagnose, Failure, Rung};
use toml::de::{DeTable, DeValue};

use super::{
    ByteOrder, FieldLayout, LengthCounts, ProfileDefinition, ProfileError, Provenance, WireProfile, default,
    key_of,
};

/// One thing that is wrong with a profile file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileProblem {
    /// The line, from 1; 0 if it is about something that the file does not mention.
    pub line: usize,
    /// The key, such as `header.version`; empty if the file is not TOML.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: &'static str,
}

impl fmt::Display for ProfileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str("built in: ")?,
            line => write!(f, "line {line}: ")?,
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.problem)
    }
}

/// Everything that is wrong with a profile file, in the order of the lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileFileError {
    /// At least one problem.
    pub problems: Vec<ProfileProblem>,
}

impl fmt::Display for ProfileFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for problem in &self.problems {
            write!(f, "{separator}{problem} ({})", problem.remedy)?;
            separator = "\n";
        }
        Ok(())
    }
}

impl core::error::Error for ProfileFileError {}

impl Diagnose for ProfileFileError {
    fn diagnose(&self) -> Failure {
        let remedy = self.problems.first().map_or("", |problem| problem.remedy);
        Failure::new(Rung::Local, format!("wire profile: {self}"), remedy)
    }
}

/// Reads a profile file.
pub(super) fn read(text: &str) -> Result<WireProfile, ProfileFileError> {
    let mut file = File {
        text,
        definition: default::definition(),
        lines: Vec::new(),
        problems: Vec::new(),
    };
    match DeTable::parse(text) {
        Ok(document) => file.document(document.get_ref()),
        Err(error) => {
            let line = error.span().map_or(1, |span| file.line(&span));
            let problem = error.message().to_owned();
            file.problems.push(ProfileProblem {
                line,
                key: String::new(),
                problem,
                remedy: "write it as TOML; `nmsp profile show` prints an example",
            });
        }
    }
    file.finish()
}

struct File<'t> {
    text: &'t str,
    definition: ProfileDefinition,
    /// The keys of the file and their lines.
    lines: Vec<(String, usize)>,
    problems: Vec<ProfileProblem>,
}

const REMEDY_KEYS: &str = "remove the key; `nmsp profile show` prints all keys that exist";
const REMEDY_TABLE: &str = "give a table, as `nmsp profile show` has it";

impl File<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        before.matches('\n').count() + 1
    }

    fn refuse(&mut self, key: &str, line: usize, problem: String, remedy: &'static str) {
        let key = key.to_owned();
        self.problems.push(ProfileProblem {
            line,
            key,
            problem,
            remedy,
        });
    }

    /// The entries of a table, each with its whole key and line.
    fn entries<'d>(
        &mut self,
        prefix: &str,
        table: &'d DeTable<'d>,
    ) -> Vec<(String, usize, &'d str, &'d DeValue<'d>)> {
        let mut entries = Vec::new();
        for (key, value) in table {
            let (line, name) = (self.line(&key.span()), key.get_ref().as_ref());
            let whole = if prefix.is_empty() {
                name.to_owned()
            } else {
                format!("{prefix}.{name}")
            };
            self.lines.push((whole.clone(), line));
            entries.push((whole, line, name, value.get_ref()));
        }
        entries.sort_by_key(|(_, line, ..)| *line);
        entries
    }

    fn table<'d>(&mut self, key: &str, line: usize, value: &'d DeValue<'d>) -> Option<&'d DeTable<'d>> {
        let table = value.as_table();
        if table.is_none() {
            let problem = format!("a table is expected here, not a {}", value.type_str());
            self.refuse(key, line, problem, REMEDY_TABLE);
        }
        table
    }

    /// A number from 0 to `greatest`.
    fn number(&mut self, key: &str, line: usize, value: &DeValue<'_>, greatest: u32) -> Option<u32> {
        let number = value
            .as_integer()
            .and_then(|integer| i64::from_str_radix(integer.as_str(), integer.radix()).ok())
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| *number <= greatest);
        if number.is_none() {
            let problem = format!("a number from 0 to {greatest} is expected here");
            self.refuse(key, line, problem, "correct the number");
        }
        number
    }

    /// A number that fits one byte.
    fn byte(&mut self, key: &str, line: usize, value: &DeValue<'_>) -> Option<u8> {
        self.number(key, line, value, 255)
            .and_then(|number| u8::try_from(number).ok())
    }

    /// One of some words.
    fn word<T: Copy>(
        &mut self,
        key: &str,
        line: usize,
        value: &DeValue<'_>,
        words: &[(&str, T)],
    ) -> Option<T> {
        let given = value.as_str().unwrap_or_default();
        let found = words
            .iter()
            .find(|(word, _)| *word == given)
            .map(|(_, meaning)| *meaning);
        if found.is_none() {
            let words: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            let problem = format!("one of {} is expected here", words.join(", "));
            self.refuse(key, line, problem, "use one of these words, in quotation marks");
        }
        found
    }

    fn unknown(&mut self, key: &str, line: usize) {
        self.refuse(key, line, "there is no such key".to_owned(), REMEDY_KEYS);
    }

    fn document(&mut self, document: &DeTable<'_>) {
        for (key, line, name, value) in self.entries("", document) {
            match name {
                "name" => match value.as_str() {
                    Some(name) => self.definition.name = name.to_owned(),
                    None => self.refuse(
                        &key,
                        line,
                        "a text is expected here".to_owned(),
                        "write it in quotation marks",
                    ),
                },
                "byte-order" => {
                    if let Some(order) = self.word(&key, line, value, &ORDERS) {
                        self.definition.byte_order = order;
                        self.definition.byte_order_provenance = Provenance::File;
                    }
                }
                "header" | "tlv" | "messages" | "elements" | "services" => {
                    if let Some(table) = self.table(&key, line, value) {
                        match name {
                            "header" => self.header(table),
                            "tlv" => self.tlv(table),
                            "messages" => self.messages(table),
                            "elements" => self.elements(table),
                            _ => self.services(table),
                        }
                    }
                }
                _ => self.unknown(&key, line),
            }
        }
    }

    fn header(&mut self, table: &DeTable<'_>) {
        for (key, line, name, value) in self.entries("header", table) {
            if name == "length" {
                if let Some(length) = self.byte(&key, line, value) {
                    self.definition.header.length = length;
                }
                continue;
            }
            if !["version", "message-id", "message-length", "transaction"].contains(&name) {
                self.unknown(&key, line);
                continue;
            }
            let Some(table) = self.table(&key, line, value) else {
                continue;
            };
            for (key, line, part, value) in self.entries(&key, table) {
                self.header_field(name, part, &key, line, value);
            }
        }
    }

    fn header_field(&mut self, name: &str, part: &str, key: &str, line: usize, value: &DeValue<'_>) {
        match (name, part) {
            (_, "offset" | "width") => {
                let Some(number) = self.byte(key, line, value) else {
                    return;
                };
                let header = &mut self.definition.header;
                let field = match name {
                    "version" => &mut header.version,
                    "message-id" => &mut header.message_id,
                    "message-length" => &mut header.message_length,
                    _ => &mut header.transaction,
                };
                set_part(field, part, number);
            }
            ("version", "spoken") => {
                if let Some(version) = self.number(key, line, value, u32::MAX) {
                    self.definition.header.version_spoken = version;
                }
            }
            ("message-length", "counts") => {
                if let Some(counts) = self.word(key, line, value, &COUNTS) {
                    self.definition.header.length_counts = counts;
                }
            }
            _ => self.unknown(key, line),
        }
    }

    fn tlv(&mut self, table: &DeTable<'_>) {
        for (key, line, name, value) in self.entries("tlv", table) {
            match name {
                "type-width" => {
                    if let Some(width) = self.byte(&key, line, value) {
                        self.definition.tlv.type_width = width;
                    }
                }
                "length-width" => {
                    if let Some(width) = self.byte(&key, line, value) {
                        self.definition.tlv.length_width = width;
                    }
                }
                "length-counts" => {
                    if let Some(counts) = self.word(&key, line, value, &COUNTS) {
                        self.definition.tlv.length_counts = counts;
                    }
                }
                _ => {
                    self.unknown(&key, line);
                    continue;
                }
            }
            self.definition.tlv.provenance = Provenance::File;
        }
    }

    /// `Some(None)` for `false`: no number at all.
    #[expect(clippy::option_option, reason = "no number is something else than no answer")]
    fn number_or_none(&mut self, key: &str, line: usize, value: &DeValue<'_>) -> Option<Option<u16>> {
        if value.as_bool() == Some(false) {
            return Some(None);
        }
        self.number(key, line, value, u16::MAX.into())
            .map(|number| u16::try_from(number).ok())
    }

    fn messages(&mut self, table: &DeTable<'_>) {
        for (key, line, name, value) in self.entries("messages", table) {
            let found = |definition: &ProfileDefinition| {
                let mut entries = definition.messages.iter();
                entries.position(|entry| key_of(entry.message.name()) == name)
            };
            let Some(position) = found(&self.definition) else {
                self.unknown(&key, line);
                continue;
            };
            match self.number_or_none(&key, line, value) {
                Some(Some(number)) => {
                    if let Some(entry) = self.definition.messages.get_mut(position) {
                        (entry.number, entry.provenance) = (number, Provenance::File);
                    }
                }
                Some(None) => drop_at(&mut self.definition.messages, position),
                None => {}
            }
        }
    }

    fn elements(&mut self, table: &DeTable<'_>) {
        for (key, line, name, value) in self.entries("elements", table) {
            let found = |definition: &ProfileDefinition| {
                let mut entries = definition.elements.iter();
                entries.position(|entry| key_of(entry.element.name()) == name)
            };
            let Some(position) = found(&self.definition) else {
                self.unknown(&key, line);
                continue;
            };
            match self.number_or_none(&key, line, value) {
                Some(Some(number)) => {
                    if let Some(entry) = self.definition.elements.get_mut(position) {
                        (entry.number, entry.provenance) = (number, Provenance::File);
                    }
                }
                Some(None) => drop_at(&mut self.definition.elements, position),
                None => {}
            }
        }
    }

    fn services(&mut self, table: &DeTable<'_>) {
        for (key, line, name, value) in self.entries("services", table) {
            let mut entries = self.definition.services.iter();
            let Some(position) = entries.position(|entry| entry.service.name() == name) else {
                self.unknown(&key, line);
                continue;
            };
            let bit = self
                .number(&key, line, value, 63)
                .and_then(|bit| u8::try_from(bit).ok());
            if let (Some(bit), Some(entry)) = (bit, self.definition.services.get_mut(position)) {
                (entry.bit, entry.provenance) = (bit, Provenance::File);
            }
        }
    }

    /// Reports numbers that are given twice, each at the line that gives it.
    fn duplicates(&mut self) {
        let definition = &self.definition;
        let messages = definition
            .messages
            .iter()
            .map(|entry| (entry.number, format!("messages.{}", key_of(entry.message.name()))));
        let elements = definition
            .elements
            .iter()
            .map(|entry| (entry.number, format!("elements.{}", key_of(entry.element.name()))));
        let services = definition
            .services
            .iter()
            .map(|entry| (entry.bit.into(), format!("services.{}", entry.service)));
        let mut problems = Vec::new();
        for mut family in [
            messages.collect::<Vec<_>>(),
            elements.collect(),
            services.collect(),
        ] {
            // Those of the file go last, so that they are the ones to complain about.
            family.sort_by_key(|(number, key)| (*number, self.line_of(key)));
            for (earlier, later) in family.iter().zip(family.iter().skip(1)) {
                if earlier.0 == later.0 {
                    let owner = match self.line_of(&earlier.1) {
                        0 => format!("{}, which has it built in", earlier.1),
                        line => format!("{} in line {line}", earlier.1),
                    };
                    problems.push((later.1.clone(), format!("{} belongs to {owner}", later.0)));
                }
            }
        }
        for (key, problem) in problems {
            let line = self.line_of(&key);
            let remedy = "give each thing a number of its own; `false` takes a message or element out";
            self.refuse(&key, line, problem, remedy);
        }
    }

    fn line_of(&self, key: &str) -> usize {
        let found = |key: &str| {
            self.lines
                .iter()
                .find(|(known, _)| known == key)
                .map(|(_, line)| *line)
        };
        found(key).unwrap_or_default()
    }

    fn finish(mut self) -> Result<WireProfile, ProfileFileError> {
        if self.problems.is_empty() {
            self.duplicates();
        }
        if self.problems.is_empty() {
            match WireProfile::new(self.definition.clone()) {
                Ok(profile) => return Ok(profile),
                Err(error) => {
                    // The error is about several keys; the one that the file has is the one to change.
                    let keys = keys_of_error(&error);
                    let key = keys.iter().find(|key| self.line_of(key) > 0).or(keys.first());
                    let key = key.cloned().unwrap_or_default();
                    let line = self.line_of(&key);
                    self.refuse(&key, line, error.to_string(), error.remedy());
                }
            }
        }
        self.problems.sort_by_key(|problem| problem.line);
        Err(ProfileFileError {
            problems: self.problems,
        })
    }
}

fn drop_at<T>(entries: &mut Vec<T>, position: usize) {
    if position < entries.len() {
        drop(entries.drain(position..=position));
    }
}

const fn set_part(field: &mut FieldLayout, part: &str, number: u8) {
    // Only "offset" and "width" come here.
    if part.len() == "offset".len() {
        field.offset = number;
    } else {
        field.width = number;
    }
    field.provenance = Provenance::File;
}

/// The keys that an error of the whole may be about.
fn keys_of_error(error: &ProfileError) -> Vec<String> {
    let header = |name: &str| format!("header.{}", key_of(name));
    let length = "header.length".to_owned();
    let numbered = |kind: &str, name: &str| {
        let table = match kind {
            "message" => "messages",
            "TLV" => "elements",
            _ => "services",
        };
        format!("{table}.{}", key_of(name))
    };
    match error {
        ProfileError::HeaderTooLong { .. } | ProfileError::TooManyOpaqueBytes { .. } => {
            vec![length]
        }
        ProfileError::UnsupportedWidth { field, .. } => match *field {
            "TLV type" => vec!["tlv.type-width".to_owned()],
            "TLV length" => vec!["tlv.length-width".to_owned()],
            field => vec![header(field)],
        },
        ProfileError::FieldOutsideHeader { field, .. } => vec![header(field), length],
        ProfileError::OverlappingFields { first, second } => vec![header(second), header(first)],
        ProfileError::VersionTooLarge { .. } => vec![header("version")],
        ProfileError::DuplicateNumber { kind, name, .. }
        | ProfileError::NumberTooLarge { kind, name, .. }
        | ProfileError::MissingNumber { kind, name } => vec![numbered(kind, name)],
    }
}

/// The words for the byte order.
pub(super) const ORDERS: [(&str, ByteOrder); 2] = [
    ("big-endian", ByteOrder::BigEndian),
    ("little-endian", ByteOrder::LittleEndian),
];

/// The words for what a length counts.
pub(super) const COUNTS: [(&str, LengthCounts); 2] = [
    ("everything", LengthCounts::Everything),
    ("payload", LengthCounts::Payload),
];
