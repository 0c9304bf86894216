//! What a file is and what is wrong with it, for `est inspect`: requests, certificates, messages (CMC and encrypted ones
//! included), CSR attributes, CRLs, private keys (never their secret) and whole HTTP responses.
//!
//! Nothing here does I/O, and nothing that is read can make it fail: what cannot be decoded is a problem in the report,
//! with the byte at which it breaks.

mod certificate;
mod cmc;
mod detect;
mod encryption;
mod http_response;
mod message;
mod private_key;
mod report;
mod request;
mod revocation_list;
mod signed;

use pki_common::Certificate;
use rustls_pki_types::UnixTime;

pub use report::{Fact, Report, Value};

/// The most that is read of one file, in bytes: a CRL of a large authority is the largest thing EST has.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The deepest nesting that is followed: a multipart in a response, base64 in it, a message, a certificate.
const MAX_DEPTH: u8 = 8;

/// Explains some bytes. `now` is what validity is judged by.
#[must_use]
pub fn inspect(bytes: &[u8], now: UnixTime) -> Report {
    inspect_at(bytes, now, 0)
}

fn inspect_at(bytes: &[u8], now: UnixTime, depth: u8) -> Report {
    if depth >= MAX_DEPTH {
        return Report::new("not looked into", "nested")
            .with_problem(format!("it is nested more than {MAX_DEPTH} deep"));
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if text.trim_ascii().is_empty() {
        return Report::new("nothing", "empty").with_problem("there are no bytes but white space");
    }
    if text.starts_with(b"HTTP/") {
        return http_response::inspect(text, now, depth);
    }
    if find(text, b"-----BEGIN ").is_some() {
        return pem(text, now);
    }
    if bytes.first() == Some(&0x30) {
        return detect::der(bytes, "DER", now);
    }
    base64(text, now, depth)
}

/// Each block of a PEM file on its own, and what they are to each other.
fn pem(text: &[u8], now: UnixTime) -> Report {
    let mut parts = Vec::new();
    let mut problems = Vec::new();
    let mut certificates = Vec::new();
    let mut offset = 0;
    while let Some(start) = find_from(text, b"-----BEGIN ", offset) {
        let end = match find_from(text, b"-----END ", start) {
            Some(end) => find_from(text, b"\n", end).map_or(text.len(), |newline| newline + 1),
            None => {
                problems.push(format!("the PEM block at byte {start} has no -----END line"));
                break;
            }
        };
        let block = text.get(start..end).unwrap_or_default();
        match decode_block(block) {
            Ok((_, Block::OldEncryptedKey { label, cipher })) => {
                parts.push(private_key::old_encrypted(&label, &cipher));
            }
            Ok((label, Block::Der(der))) => {
                let report = detect::der(&der, "PEM", now);
                if !fits(&label, report.kind) {
                    problems.push(format!(
                        "the block at byte {start} is labelled {label:?}, but holds: {}",
                        report.kind
                    ));
                }
                certificates.extend(
                    Certificate::from_der(&der)
                        .ok()
                        .filter(|_| report.kind == "certificate"),
                );
                parts.push(report);
            }
            Err(problem) => problems.push(format!("the PEM block at byte {start}: {problem}")),
        }
        offset = end;
    }
    problems.extend(certificate::among(&certificates));
    if problems.is_empty()
        && parts.len() == 1
        && let Some(only) = parts.pop()
    {
        return only;
    }
    let mut report = Report::new("PEM file", "PEM").with("blocks", parts.len().to_string());
    report.problems = problems;
    report.parts = parts;
    report
}

/// What is in a PEM block.
enum Block {
    Der(Vec<u8>),
    /// A key with the headers of RFC 1421, as OpenSSL wrote before version 1.0.
    OldEncryptedKey {
        label: String,
        cipher: String,
    },
}

/// Label and content of one block; like OpenSSL, the lines may have any length.
fn decode_block(block: &[u8]) -> Result<(String, Block), String> {
    let text = core::str::from_utf8(block)
        .map_err(|error| format!("not text at its byte {}", error.valid_up_to()))?;
    let mut lines = text.lines();
    let label = lines
        .next()
        .and_then(|line| line.trim_end().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .ok_or("its first line is not -----BEGIN label-----")?;
    let mut body = String::new();
    for line in lines
        .map(str::trim)
        .take_while(|line| !line.starts_with("-----END "))
    {
        if let Some(information) = line.strip_prefix("DEK-Info:") {
            // What follows the comma is the initialisation vector.
            let cipher = information
                .split(',')
                .next()
                .unwrap_or_default()
                .trim()
                .to_owned();
            let (name, label) = (label.to_owned(), label.to_owned());
            return Ok((name, Block::OldEncryptedKey { label, cipher }));
        }
        if line.contains(':') {
            if line.starts_with("Proc-Type:") {
                continue;
            }
            return Err(format!("{label} with the header {line:?}, which is not known"));
        }
        body.push_str(line);
    }
    let limit = usize::try_from(MAX_FILE).unwrap_or(usize::MAX);
    let der = crate::wire::base64::decode(body.as_bytes(), limit).map_err(|error| error.to_string())?;
    Ok((label.to_owned(), Block::Der(der)))
}

fn fits(label: &str, kind: &str) -> bool {
    match label {
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => kind == "certificate",
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => kind == "certification request",
        "X509 CRL" => kind == "certificate revocation list",
        "PKCS7" | "CMS" => kind.ends_with("message"),
        "PUBLIC KEY" => kind == "public key",
        label => !label.ends_with("PRIVATE KEY") || kind.ends_with("private key"),
    }
}

fn base64(text: &[u8], now: UnixTime, depth: u8) -> Report {
    let limit = usize::try_from(MAX_FILE).unwrap_or(usize::MAX);
    // libest's server ends a csrattrs body with a NUL.
    let end = text
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let body = text.get(..end).unwrap_or_default();
    match crate::wire::base64::decode(body, limit) {
        Ok(der) => {
            let mut report = inspect_at(&der, now, depth + 1);
            report.encoding = "base64".to_owned();
            report.facts.push(Fact::one("base64 layout", layout(body)));
            if end < text.len() {
                report
                    .problems
                    .push(format!("{} NUL bytes follow the base64 text", text.len() - end));
            }
            report
        }
        Err(error) => Report::new("unknown", "unknown").with_problem(format!(
            "neither DER, PEM, an HTTP response nor base64: {error}; it begins with {}",
            beginning(text)
        )),
    }
}

/// The lines of a base64 body, because clients differ in what they read.
fn layout(body: &[u8]) -> String {
    let newline = if body.ends_with(b"\r\n") {
        "ends with CRLF"
    } else if body.ends_with(b"\n") {
        "ends with LF"
    } else {
        "no line end at the end"
    };
    let lines: Vec<_> = body
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
        .collect();
    let longest = lines.iter().map(|line| line.len()).max().unwrap_or_default();
    format!(
        "lines: {}, the longest has {longest} characters, {newline}",
        lines.len()
    )
}

fn beginning(bytes: &[u8]) -> String {
    use core::fmt::Write as _;
    let mut text = String::new();
    for byte in bytes.iter().take(16) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x} ");
    }
    text.trim_end().to_owned()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    find_from(bytes, what, 0)
}

fn find_from(bytes: &[u8], what: &[u8], start: usize) -> Option<usize> {
    let found = bytes
        .get(start..)?
        .windows(what.len())
        .position(|window| window == what)?;
    Some(start + found)
}

/// Hexadecimal digits, at most 32 bytes of them.
fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write as _;
    let mut text = String::new();
    for byte in bytes.iter().take(32) {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > 32 {
        let _ = write!(text, "… ({} bytes)", bytes.len());
    }
    text
}
