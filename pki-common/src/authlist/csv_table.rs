//! Comma-separated values (RFC 4180) with the header `mac,type,key_hash`, one entry a line.
//!
//! An entry without a key hash has an empty third field. Blank lines and lines that begin with `#` are skipped.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::authlist::AuthListEntry;
use crate::authlist::import::{
    BadLine, KeyHashText, Line, LineProblem, Parsed, Record, RecordType, TYPE_WORDS, lines,
};

const HEADER: &str = "mac,type,key_hash";

pub(super) fn is_header(line: &str) -> bool {
    let fields = line.split(',').map(|field| field.trim().trim_matches('"'));
    fields.map(str::to_ascii_lowercase).eq(HEADER.split(','))
}

pub(super) fn parse(text: &str) -> Parsed<'_> {
    let mut parsed = Parsed::default();
    let mut rows = lines(text).filter(|line| !line.clean.is_empty() && !line.clean.starts_with('#'));
    match rows.next() {
        Some(line) if !is_header(line.clean) => {
            parsed.bad.push(BadLine::new(
                line,
                LineProblem::Unrecognized {
                    expected: "the header mac,type,key_hash",
                },
            ));
        }
        _ => {}
    }
    // Reader::new builds the transition tables; Reader::default leaves them out and splits nothing.
    let mut splitter = Splitter {
        reader: csv_core::Reader::new(),
        field: Vec::new(),
    };
    for line in rows {
        match parse_row(line, &mut splitter) {
            Ok(record) => parsed.records.push(record),
            Err(problem) => parsed.bad.push(BadLine::new(line, problem)),
        }
    }
    parsed
}

/// One line is one row: no field holds a line break, so each bad line is found by its own number.
fn parse_row<'t>(line: Line<'t>, splitter: &mut Splitter) -> Result<Record<'t>, LineProblem> {
    let fields = splitter.fields(line.clean)?;
    let [mac, word, hash] = fields.as_slice() else {
        return Err(LineProblem::malformed(format!(
            "expected 3 fields (mac,type,key_hash), found {}",
            fields.len()
        )));
    };
    let list_type = word
        .parse()
        .map_err(|_| LineProblem::unknown_type(word, TYPE_WORDS))?;
    let key_hash = KeyHashText {
        line,
        text: Cow::Owned(hash.clone()),
        expected: None,
    };
    Ok(Record {
        line,
        mac: mac.parse()?,
        list_type: RecordType::Listed(list_type),
        key_hash: (!hash.is_empty()).then_some(key_hash),
    })
}

/// Splits lines into fields. Kept for all lines: making a reader costs more than reading a line.
struct Splitter {
    reader: csv_core::Reader,
    field: Vec<u8>,
}

impl Splitter {
    /// The fields of one line, without the blanks around them.
    fn fields(&mut self, line: &str) -> Result<Vec<String>, LineProblem> {
        // Inside a quoted field a quote is doubled, so a sound line has an even number of them.
        if !line.matches('"').count().is_multiple_of(2) {
            return Err(LineProblem::malformed("a quote is not closed"));
        }
        self.reader.reset();
        // No field is longer than its line; the extra byte keeps "full" and "exactly used" apart.
        self.field.resize(line.len() + 1, 0);
        let mut fields = Vec::new();
        let (mut input, mut length) = (line.as_bytes(), 0);
        loop {
            let (result, read, written) = self
                .reader
                .read_field(input, self.field.get_mut(length..).unwrap_or_default());
            input = input.get(read..).unwrap_or_default();
            length += written;
            match result {
                // Called again without input, the reader ends the field.
                csv_core::ReadFieldResult::InputEmpty => {}
                csv_core::ReadFieldResult::Field { record_end } => {
                    let field = self.field.get(..length).unwrap_or_default();
                    fields.push(String::from_utf8_lossy(field).trim().to_owned());
                    length = 0;
                    if record_end {
                        break;
                    }
                }
                csv_core::ReadFieldResult::OutputFull | csv_core::ReadFieldResult::End => break,
            }
        }
        if !input.is_empty() {
            return Err(LineProblem::malformed("a carriage return stands inside the line"));
        }
        Ok(fields)
    }
}

pub(super) fn write(entries: &[&AuthListEntry]) -> String {
    let mut text = format!("{HEADER}\n");
    for AuthListEntry {
        mac,
        list_type,
        key_hash,
    } in entries
    {
        let key_hash = key_hash.map(|hash| hash.to_string()).unwrap_or_default();
        // Writing into a String cannot fail. No field holds a comma, quote or line break, so none is quoted.
        let _ = writeln!(text, "{mac},{list_type},{key_hash}");
    }
    text
}
