//! What `show server-auth-info` of a location server prints (Cisco document 200206, F001-04).
//!
//! ```text
//! cmd> show server-auth-info
//! invoke command: com.aes.server.cli.CmdGetServerAuthInfo
//! AesLog queue high mark: 50000
//! AesLog queue low mark: 500
//! ----------------
//! Server Auth Info
//! ----------------
//! MAC Address: 00:50:56:9c:34:89
//! SHA1 Key Hash: e0afbe2e2abeed5a2f9ffc75f059da6a1bf2bfa0
//! SHA2 Key Hash: 6ab919e20afc103d025aaf210c2a9dda151af9403ef52e80a35ae1ecb6d3c177
//! Certificate Type: SSC
//! ```
//!
//! A text may hold several blocks. Each begins with its MAC address and needs all four lines, so that a copy
//! that lost one is noticed; both hashes become entries.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::authlist::import::{
    BadLine, KeyHashText, Line, LineProblem, Parsed, Record, RecordType, lines, strip_keywords,
    without_prompt,
};
use crate::authlist::{AuthListEntry, AuthListFormat, AuthListType, ExportError};
use crate::certificate::CertificateType;
use crate::key_hash::{HashAlgorithm, KeyHash};
use crate::mac::MacAddr;

const MAC: &str = "MAC Address";
const SHA1: &str = "SHA1 Key Hash";
const SHA2: &str = "SHA2 Key Hash";
const TYPE: &str = "Certificate Type";

pub(super) fn parse(text: &str) -> Parsed<'_> {
    let mut parsed = Parsed::default();
    let mut block: Option<Block<'_>> = None;
    for line in lines(text) {
        let content = without_prompt(line.clean);
        if is_decoration(content) {
            continue;
        }
        let field = content
            .split_once(':')
            .and_then(|(key, value)| Some((Field::named(key.trim())?, value.trim())));
        match field {
            None => parsed.bad.push(BadLine::new(
                line,
                LineProblem::Unrecognized {
                    expected: "the output of show server-auth-info",
                },
            )),
            Some((Field::Mac, value)) => {
                if let Some(finished) = block.replace(Block::new(line)) {
                    finished.finish(&mut parsed);
                }
                if let Some(block) = &mut block {
                    block.mac = Some(
                        value
                            .parse()
                            .map_err(|error| parsed.bad.push(BadLine::new(line, LineProblem::Mac(error))))
                            .ok(),
                    );
                }
            }
            Some((field, value)) => {
                let added = match &mut block {
                    Some(block) => block.add(field, line, value),
                    None => Err(LineProblem::malformed("this line must follow a MAC Address line")),
                };
                parsed
                    .bad
                    .extend(added.err().map(|problem| BadLine::new(line, problem)));
            }
        }
    }
    if let Some(finished) = block {
        finished.finish(&mut parsed);
    }
    parsed
}

/// Lines that the command prints around the facts, and the commands themselves.
fn is_decoration(content: &str) -> bool {
    let content = content.trim_matches(['-', '=', '*', ' ']);
    let begins_with = |keywords: &[&str]| strip_keywords(content, keywords).is_some();
    content.is_empty()
        || begins_with(&["invoke", "command:"])
        || begins_with(&["AesLog", "queue"])
        || ["Server Auth Info", "show server-auth-info", "cmdshell", "exit"]
            .iter()
            .any(|text| content.eq_ignore_ascii_case(text))
}

#[derive(Clone, Copy)]
enum Field {
    Mac,
    Hash(HashAlgorithm),
    Type,
}

impl Field {
    fn named(name: &str) -> Option<Self> {
        [
            (MAC, Self::Mac),
            (SHA1, Self::Hash(HashAlgorithm::Sha1)),
            (SHA2, Self::Hash(HashAlgorithm::Sha256)),
            (TYPE, Self::Type),
        ]
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, field)| field)
    }
}

/// The block of one server. Outer `None`: no such line; inner `None`: the line is bad and reported.
struct Block<'t> {
    line: Line<'t>,
    mac: Option<Option<MacAddr>>,
    sha1: Option<KeyHashText<'t>>,
    sha2: Option<KeyHashText<'t>>,
    certificate_type: Option<Option<CertificateType>>,
}

impl<'t> Block<'t> {
    const fn new(line: Line<'t>) -> Self {
        Self {
            line,
            mac: None,
            sha1: None,
            sha2: None,
            certificate_type: None,
        }
    }

    fn add(&mut self, field: Field, line: Line<'t>, value: &'t str) -> Result<(), LineProblem> {
        let twice = || Err(LineProblem::malformed("this line appears twice in one block"));
        match field {
            // A MAC address begins a block and never gets here.
            Field::Mac => twice(),
            Field::Hash(algorithm) => {
                let slot = match algorithm {
                    HashAlgorithm::Sha1 => &mut self.sha1,
                    HashAlgorithm::Sha256 => &mut self.sha2,
                };
                if slot.is_some() {
                    return twice();
                }
                *slot = Some(KeyHashText {
                    line,
                    text: Cow::Borrowed(value),
                    expected: Some(algorithm),
                });
                Ok(())
            }
            Field::Type => {
                if self.certificate_type.is_some() {
                    return twice();
                }
                let known = [CertificateType::Mic, CertificateType::Ssc, CertificateType::Lsc]
                    .into_iter()
                    .find(|known| known.to_string().eq_ignore_ascii_case(value));
                self.certificate_type = Some(known);
                known
                    .map(|_| ())
                    .ok_or_else(|| LineProblem::unknown_type(value, "MIC, SSC or LSC"))
            }
        }
    }

    fn finish(self, parsed: &mut Parsed<'t>) {
        for (name, missing) in [
            (SHA1, self.sha1.is_none()),
            (SHA2, self.sha2.is_none()),
            (TYPE, self.certificate_type.is_none()),
        ] {
            if missing {
                let problem =
                    LineProblem::malformed(format!("the block that begins here has no {name} line"));
                parsed.bad.push(BadLine::new(self.line, problem));
            }
        }
        let (Some(Some(mac)), Some(Some(certificate_type))) = (self.mac, self.certificate_type) else {
            return;
        };
        for key_hash in [self.sha1, self.sha2].into_iter().flatten() {
            let list_type = match certificate_type {
                CertificateType::Mic => RecordType::Listed(AuthListType::Mic),
                CertificateType::Lsc => RecordType::Listed(AuthListType::Lsc),
                CertificateType::Ssc => RecordType::LocationServer,
            };
            parsed.records.push(Record {
                line: self.line,
                mac,
                list_type,
                key_hash: Some(key_hash),
            });
        }
    }
}

pub(super) fn write(entries: &[&AuthListEntry]) -> Result<String, ExportError> {
    let mut text = String::new();
    for device in entries.chunk_by(|left, right| left.mac == right.mac) {
        for certificate_type in [CertificateType::Mic, CertificateType::Lsc, CertificateType::Ssc] {
            let block: Vec<_> = device
                .iter()
                .filter(|entry| entry.certificate_type() == certificate_type)
                .collect();
            write_block(&mut text, certificate_type, &block)?;
        }
    }
    Ok(text)
}

/// Writes the entries of one device and certificate type: a pair of hashes, or nothing.
fn write_block(
    text: &mut String,
    certificate_type: CertificateType,
    entries: &[&&AuthListEntry],
) -> Result<(), ExportError> {
    let refuse = |entry: &AuthListEntry, reason| {
        Err(ExportError {
            format: AuthListFormat::ServerAuthInfo,
            entry: *entry,
            reason,
        })
    };
    let (mut sha1, mut sha2) = (None, None);
    for entry in entries {
        match entry.key_hash {
            _ if entry.list_type == AuthListType::Ssc => {
                return refuse(
                    entry,
                    "it has no word for the ssc of an access point, only for a location server's",
                );
            }
            None => return refuse(entry, "its blocks always have key hashes"),
            Some(hash @ KeyHash::Sha1(_)) => sha1 = Some(hash),
            Some(hash @ KeyHash::Sha256(_)) => sha2 = Some(hash),
        }
    }
    let Some(first) = entries.first() else {
        return Ok(());
    };
    let (Some(sha1), Some(sha2)) = (sha1, sha2) else {
        return refuse(
            first,
            "its blocks always have both a SHA-1 and a SHA-256 key hash, here one is missing",
        );
    };
    let mac = first.mac;
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "----------------\nServer Auth Info\n----------------\n{MAC}: {mac}\n{SHA1}: {sha1}\n{SHA2}: {sha2}\n\
         {TYPE}: {certificate_type}"
    );
    Ok(())
}
