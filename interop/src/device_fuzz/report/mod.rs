//! What was found, for people (HTML) and for CI (JUnit XML).

pub mod html;
pub mod junit;

use std::path::Path;

use super::case::{Case, Step, Transport};
use super::live::{Login, Part};
use super::resume::{self, Finding, ResumeError, State};

/// The report for people.
pub const HTML_FILE: &str = "report.html";

/// The report for CI.
pub const JUNIT_FILE: &str = "report.xml";

/// Writes both reports into the folder of the run.
///
/// # Errors
/// If a file cannot be written.
pub fn write(state: &State, folder: &Path) -> Result<(), ResumeError> {
    resume::write(&folder.join(HTML_FILE), html::render(state, folder).as_bytes())?;
    resume::write(&folder.join(JUNIT_FILE), junit::render(state, folder).as_bytes())
}

/// The command that repeats a finding.
#[must_use]
pub fn replay_command(finding: &Finding, folder: &Path) -> String {
    format!(
        "interop fuzz replay {}",
        quoted(&folder.join(finding.file_name()).to_string_lossy())
    )
}

/// As a shell takes it, where that needs quotes.
fn quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_./:=,@%+".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The steps of a case, one line each, every byte in hexadecimal digits.
#[must_use]
pub fn script(case: &Case) -> String {
    let mut text = String::new();
    for (number, step) in case.script.iter().enumerate() {
        text.push_str(&format!("{:>3}  {}\n", number + 1, line(step)));
    }
    text
}

fn line(step: &Step) -> String {
    match step {
        Step::Open {
            transport: Transport::Tcp,
        } => "open a TCP connection".to_owned(),
        Step::Open {
            transport: Transport::Tls,
        } => "open a TLS connection".to_owned(),
        Step::Use { connection } => format!("go back to connection {}", connection + 1),
        Step::Send {
            records,
            segments,
            stall_milliseconds,
        } => {
            let records: Vec<String> = records.iter().map(|record| hex::encode(&record.0)).collect();
            let cut = match segments.as_slice() {
                [] => String::new(),
                sizes => format!(
                    ", cut into TCP segments of {sizes:?} bytes and the rest, {stall_milliseconds} ms after each"
                ),
            };
            let what = match records.len() {
                1 => "send".to_owned(),
                count => format!("send {count} records"),
            };
            format!("{what}{cut}: {}", records.join(" | "))
        }
        Step::SendRepeated { bytes, times } => {
            format!("send {times} times: {}", hex::encode(&bytes.0))
        }
        Step::Reply {
            request,
            copy_from,
            copy_to,
            length,
            answer,
            within_milliseconds,
        } => format!(
            "wait for {} ({within_milliseconds} ms at most), answer with its bytes {copy_from} to {} from byte {copy_to} of: {}",
            hex::encode(&request.0),
            copy_from.saturating_add(*length),
            hex::encode(&answer.0)
        ),
        Step::SendLinked { head, info, key } => linked(&head.0, info, &key.0),
        Step::SendDigest { head, body, login } => digest(&head.0, &body.0, login),
        Step::SendRaw { bytes } => format!("send past TLS: {}", hex::encode(&bytes.0)),
        Step::Pause { milliseconds } => format!("wait {milliseconds} ms"),
        Step::Read { within_milliseconds } => format!("wait for an answer, {within_milliseconds} ms at most"),
        Step::HalfClose => "say that no more will be sent".to_owned(),
        Step::Reset => "reset the connection".to_owned(),
        Step::Close => "close the connection".to_owned(),
    }
}

fn linked(head: &[u8], info: &Part, key: &[u8]) -> String {
    format!(
        "send behind {} a request for a certificate, signed by the P-256 key {}, whose information is {}",
        hex::encode(head),
        hex::encode(key),
        part(info)
    )
}

fn digest(head: &[u8], body: &[u8], login: &Login) -> String {
    format!(
        "send behind {} the answer to the Digest challenge ({}), and {}",
        hex::encode(head),
        answer(login),
        hex::encode(body)
    )
}

/// Bytes, and what a connection puts between them.
fn part(part: &Part) -> String {
    match part {
        Part::Bytes(bytes) => hex::encode(&bytes.0),
        Part::Binding {
            connection,
            form,
            skip,
            take,
        } => {
            let whose =
                connection.map_or_else(String::new, |number| format!(" of connection {}", number + 1));
            let until = take.and_then(|take| skip.checked_add(take));
            let until = until.map_or_else(String::new, |end| end.to_string());
            format!("<binding{whose} as {form:?}, bytes {skip}..{until}>")
        }
        Part::Element { tag, parts } => {
            let parts: Vec<String> = parts.iter().map(self::part).collect();
            format!("{tag:02x}[{}]", parts.join(" "))
        }
    }
}

/// How a challenge is answered.
fn answer(login: &Login) -> String {
    let whose = login
        .challenged
        .map_or_else(String::new, |number| format!(" of connection {}", number + 1));
    let changes: Vec<String> = login
        .changes
        .iter()
        .map(|change| format!(", {:?} for {:?}", change.to, change.from))
        .collect();
    format!(
        "its own{whose}, nonce with {:?} behind, user {:?}, password {:?}, {} {}, cnonce {:?}, count {}{}",
        login.nonce_suffix,
        login.user,
        login.password,
        login.method,
        login.uri,
        login.cnonce,
        login.count,
        changes.concat()
    )
}

/// Text between tags or in an attribute in double quotes, of HTML and of XML.
///
/// Characters that XML 1.0 has no way to write become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' => out.push(character),
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                out.push(char::REPLACEMENT_CHARACTER);
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_for_the_shell_what_needs_it() {
        assert_eq!(quoted("runs/finding-0001.json"), "runs/finding-0001.json");
        assert_eq!(quoted("my runs"), "'my runs'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn escapes_markup_and_what_xml_cannot_write() {
        assert_eq!(
            escaped("<a b=\"c\">&'\u{1}\u{fffe}"),
            "&lt;a b=&quot;c&quot;&gt;&amp;&#39;\u{fffd}\u{fffd}"
        );
    }
}
