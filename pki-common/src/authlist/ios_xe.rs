//! IOS-XE: a user name (the MAC address), its attribute list, and in that the key hash as a password
//! (Cisco document 200206, F001-06).
//!
//! ```text
//! username 0050569c3489 aaa attribute list NMSP
//! aaa attribute list NMSP
//!  attribute type password 6ab919e20afc103d025aaf210c2a9dda151af9403ef52e80a35ae1ecb6d3c177
//! aaa authorization credential-download wcm_loc_serv_cert local
//! ```
//!
//! User names and lists may stand in any order; several user names may share a list. Comments (`!`), blank lines,
//! prompts, `exit` and `end` are skipped. Every other line is a bad line, also a sound command of a running
//! configuration that has nothing to do with this: give only the lines above.
//!
//! The configuration does not say what kind of certificate is meant. A location server's self-signed one is
//! taken, by SHA-1 (`lbs-ssc`) or SHA-256 (`sha256-lbs-ssc`) according to the hash's length. Another type is
//! written as a comment before the user name, `! certificate-type: lsc`, which a device ignores.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use crate::authlist::import::{
    BadLine, KeyHashText, Line, LineProblem, Parsed, Record, RecordType, TYPE_WORDS, excerpt, lines,
    next_word, strip_keywords, without_prompt,
};
use crate::authlist::{AuthListEntry, AuthListFormat, AuthListType, ExportError};
use crate::key_hash::KeyHash;
use crate::mac::{MacAddr, MacFormat};

const CREDENTIAL_DOWNLOAD: &str = "aaa authorization credential-download wcm_loc_serv_cert local";

pub(super) fn parse(text: &str) -> Parsed<'_> {
    let mut reader = Reader::default();
    for line in lines(text) {
        if let Err(problem) = reader.line(line) {
            reader.parsed.bad.push(BadLine::new(line, problem));
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader<'t> {
    parsed: Parsed<'t>,
    users: Vec<User<'t>>,
    /// For each MAC address, its place in `users`.
    user_of: HashMap<MacAddr, usize>,
    lists: HashMap<&'t str, List<'t>>,
    /// The list whose block is open.
    open: Option<&'t str>,
    /// The certificate type that a comment gives to the next user name.
    announced: Option<(Line<'t>, AuthListType)>,
}

struct User<'t> {
    line: Line<'t>,
    mac: MacAddr,
    list: &'t str,
    list_type: Option<AuthListType>,
}

struct List<'t> {
    line: Line<'t>,
    password: Option<KeyHashText<'t>>,
}

impl<'t> Reader<'t> {
    fn line(&mut self, line: Line<'t>) -> Result<(), LineProblem> {
        let command = without_prompt(line.clean);
        if let Some(comment) = command.strip_prefix('!') {
            return self.comment(line, comment);
        }
        if command.is_empty() {
            return Ok(());
        }
        if let Some(text) = strip_keywords(command, &["attribute", "type", "password"]) {
            return self.password(line, text);
        }
        self.open = None;
        if ["exit", "end"]
            .iter()
            .any(|word| command.eq_ignore_ascii_case(word))
        {
            return Ok(());
        }
        if let Some(name) = strip_keywords(command, &["aaa", "attribute", "list"]) {
            return self.list(line, name);
        }
        if let Some((mac, name)) = username(command) {
            return self.username(line, mac, name);
        }
        if let Some(rest) = strip_keywords(command, &["aaa", "authorization", "credential-download"]) {
            return match strip_keywords(rest, &["wcm_loc_serv_cert", "local"]) {
                Some("") => Ok(()),
                _ => Err(LineProblem::malformed(format!(
                    "expected \"{CREDENTIAL_DOWNLOAD}\""
                ))),
            };
        }
        Err(LineProblem::Unrecognized {
            expected: "username <mac> aaa attribute list <name>, aaa attribute list <name>, attribute type password \
                       <key hash> or aaa authorization credential-download wcm_loc_serv_cert local",
        })
    }

    fn comment(&mut self, line: Line<'t>, comment: &'t str) -> Result<(), LineProblem> {
        let Some(word) = strip_keywords(comment, &["certificate-type:"]) else {
            return Ok(());
        };
        let list_type = word
            .parse()
            .map_err(|_| LineProblem::unknown_type(word, TYPE_WORDS))?;
        let replaced = self.announced.replace((line, list_type));
        self.report_unused_announcement(replaced);
        Ok(())
    }

    fn report_unused_announcement(&mut self, announced: Option<(Line<'t>, AuthListType)>) {
        self.parsed.bad.extend(announced.map(|(line, _)| {
            BadLine::new(
                line,
                LineProblem::malformed("no username line follows this certificate-type"),
            )
        }));
    }

    fn username(&mut self, line: Line<'t>, mac: &str, list: &'t str) -> Result<(), LineProblem> {
        let list_type = self.announced.take().map(|(_, list_type)| list_type);
        let mac = mac.parse()?;
        check_list_name(list)?;
        if let Some(first) = self.user_of.get(&mac).and_then(|index| self.users.get(*index)) {
            if first.list == list && first.list_type == list_type {
                return Ok(());
            }
            return Err(LineProblem::malformed(format!(
                "line {} gives this username another attribute list or certificate type; a device keeps only the last",
                first.line.number
            )));
        }
        self.user_of.insert(mac, self.users.len());
        self.users.push(User {
            line,
            mac,
            list,
            list_type,
        });
        Ok(())
    }

    fn list(&mut self, line: Line<'t>, name: &'t str) -> Result<(), LineProblem> {
        check_list_name(name)?;
        self.lists.entry(name).or_insert(List { line, password: None });
        self.open = Some(name);
        Ok(())
    }

    fn password(&mut self, line: Line<'t>, text: &'t str) -> Result<(), LineProblem> {
        let list = self.open.and_then(|name| self.lists.get_mut(name));
        let Some(list) = list else {
            return Err(LineProblem::malformed(
                "this line must stand in an aaa attribute list",
            ));
        };
        if let Some(first) = &list.password {
            if first.text == text {
                return Ok(());
            }
            return Err(LineProblem::malformed(format!(
                "line {} gives this attribute list another password",
                first.line.number
            )));
        }
        list.password = Some(KeyHashText {
            line,
            text: Cow::Borrowed(text),
            expected: None,
        });
        Ok(())
    }

    /// Joins user names and lists. A list that nobody uses is reported as well: its name is mistyped somewhere.
    fn finish(mut self) -> Parsed<'t> {
        let announced = self.announced.take();
        self.report_unused_announcement(announced);
        let mut unused: HashMap<&str, Line<'_>> =
            self.lists.iter().map(|(name, list)| (*name, list.line)).collect();
        for user in self.users {
            unused.remove(user.list);
            let problem = match self.lists.get(user.list) {
                None => format!(
                    "there is no \"aaa attribute list {}\" in this text",
                    excerpt(user.list)
                ),
                Some(List { password: None, .. }) => {
                    format!(
                        "the attribute list {} has no \"attribute type password\"",
                        excerpt(user.list)
                    )
                }
                Some(List {
                    password: Some(password),
                    ..
                }) => {
                    let KeyHashText { line, text, expected } = password;
                    self.parsed.records.push(Record {
                        line: user.line,
                        mac: user.mac,
                        list_type: user
                            .list_type
                            .map_or(RecordType::LocationServer, RecordType::Listed),
                        key_hash: Some(KeyHashText {
                            line: *line,
                            text: text.clone(),
                            expected: *expected,
                        }),
                    });
                    continue;
                }
            };
            self.parsed
                .bad
                .push(BadLine::new(user.line, LineProblem::malformed(problem)));
        }
        self.parsed.bad.extend(unused.into_values().map(|line| {
            BadLine::new(
                line,
                LineProblem::malformed("no username uses this attribute list"),
            )
        }));
        self.parsed
    }
}

/// The MAC address and the list name of a user name line.
fn username(command: &str) -> Option<(&str, &str)> {
    let (mac, rest) = next_word(strip_keywords(command, &["username"])?);
    let list = strip_keywords(rest, &["aaa", "attribute", "list"])?;
    Some((mac, list))
}

fn check_list_name(name: &str) -> Result<(), LineProblem> {
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(LineProblem::malformed(
            "expected one word, the name of the attribute list, at the end",
        ));
    }
    Ok(())
}

pub(super) fn write(entries: &[&AuthListEntry]) -> Result<String, ExportError> {
    if entries.is_empty() {
        return Ok(String::new());
    }
    let mut text = String::new();
    for (index, entry) in entries.iter().enumerate() {
        let refuse = |reason| ExportError {
            format: AuthListFormat::IosXe,
            entry: **entry,
            reason,
        };
        let key_hash: KeyHash = entry
            .key_hash
            .ok_or_else(|| refuse("an attribute list needs a password, and this entry has no key hash"))?;
        if index
            .checked_sub(1)
            .and_then(|before| entries.get(before))
            .is_some_and(|before| before.mac == entry.mac)
        {
            return Err(refuse(
                "a username has one attribute list, and this MAC address has more than one entry",
            ));
        }
        if entry.list_type != AuthListType::location_server(key_hash.algorithm()) {
            // Writing into a String cannot fail, here and below.
            let _ = writeln!(text, "! certificate-type: {}", entry.list_type);
        }
        let user = entry.mac.to_format(MacFormat::Bare);
        let list = if entries.len() == 1 {
            "NMSP".to_owned()
        } else {
            format!("NMSP-{user}")
        };
        let _ = writeln!(
            text,
            "username {user} aaa attribute list {list}\naaa attribute list {list}\n attribute type password {key_hash}"
        );
    }
    let _ = writeln!(text, "{CREDENTIAL_DOWNLOAD}");
    Ok(text)
}
