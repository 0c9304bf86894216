//! AireOS: `config auth-list add {mic|ssc|lsc|lbs-ssc|sha256-lbs-ssc} <mac> [<key hash>]` lines.
//!
//! The MAC address may have any of its four forms, the key hash may hold blanks. Prompts, blank lines and
//! comments (`!` or `#`) are skipped.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::authlist::AuthListEntry;
use crate::authlist::import::{
    BadLine, KeyHashText, Line, LineProblem, Parsed, Record, RecordType, TYPE_WORDS, lines, next_word,
    strip_keywords, without_prompt,
};

pub(super) fn parse(text: &str) -> Parsed<'_> {
    let mut parsed = Parsed::default();
    for line in lines(text) {
        let command = without_prompt(line.clean);
        if command.is_empty() || command.starts_with(['!', '#']) {
            continue;
        }
        match parse_command(line, command) {
            Ok(record) => parsed.records.push(record),
            Err(problem) => parsed.bad.push(BadLine::new(line, problem)),
        }
    }
    parsed
}

fn parse_command<'t>(line: Line<'t>, command: &'t str) -> Result<Record<'t>, LineProblem> {
    let arguments =
        strip_keywords(command, &["config", "auth-list", "add"]).ok_or(LineProblem::Unrecognized {
            expected: "config auth-list add <type> <mac> [<key hash>]",
        })?;
    let (word, rest) = next_word(arguments);
    let list_type = word
        .parse()
        .map_err(|_| LineProblem::unknown_type(word, TYPE_WORDS))?;
    let (mac, hash) = next_word(rest);
    Ok(Record {
        line,
        mac: mac.parse()?,
        list_type: RecordType::Listed(list_type),
        key_hash: (!hash.is_empty()).then_some(KeyHashText {
            line,
            text: Cow::Borrowed(hash),
            expected: None,
        }),
    })
}

pub(super) fn write(entries: &[&AuthListEntry]) -> String {
    let mut text = String::new();
    for entry in entries {
        // Writing into a String cannot fail.
        let _ = writeln!(text, "config auth-list add {entry}");
    }
    text
}
