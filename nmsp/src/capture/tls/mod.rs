//! A TLS session as somebody sees it who has the secrets: records in both directions, taken apart and decrypted.

mod hello;
mod keys;
mod open;
mod suite;

use super::Direction;
use super::error::{TlsProblem, TlsVersion};
use super::key_log::{KeyLog, Label};
use hello::{ClientHello, ServerHello};
use keys::{key_block, next_traffic_secret, traffic_keys};
use open::Opener;
use suite::Suite;

/// The longest record body: 2^14 bytes of content and what protection adds at most (RFC 5246 section 6.2.3).
const MAX_RECORD: usize = 16_384 + 2048;

/// The length of a record header.
const HEADER: usize = 5;

/// The longest handshake message that is read; hellos and key updates are shorter. Others are passed over as they come.
const MAX_HANDSHAKE: usize = 65_536;

/// How many bytes of a direction wait for the ServerHello of the other. A client sends nothing but its hello before.
const MAX_WAITING: usize = 131_072;

mod content_type {
    pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
    pub(super) const ALERT: u8 = 21;
    pub(super) const HANDSHAKE: u8 = 22;
    pub(super) const APPLICATION_DATA: u8 = 23;
}

mod handshake_type {
    pub(super) const CLIENT_HELLO: u8 = 1;
    pub(super) const SERVER_HELLO: u8 = 2;
    pub(super) const FINISHED: u8 = 20;
    pub(super) const KEY_UPDATE: u8 = 24;
}

/// Whether a connection that starts with these bytes speaks TLS; `None` if they are too few to tell.
pub(super) fn is_tls(start: &[u8]) -> Option<bool> {
    match start {
        [kind, ..] if !(content_type::CHANGE_CIPHER_SPEC..=content_type::APPLICATION_DATA).contains(kind) => {
            Some(false)
        }
        [_, major, ..] if *major != 3 => Some(false),
        [_, _, minor, ..] => Some(*minor <= 4),
        _ => None,
    }
}

/// What comes out of a session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Version and cipher suite were agreed.
    Agreed {
        version: TlsVersion,
        suite: &'static str,
    },
    /// Application data.
    Data(Direction, Vec<u8>),
    /// An alert that could be read: level and description.
    Alert(Direction, u8, u8),
    /// Nothing more of a direction can be read.
    Problem(Direction, TlsProblem),
}

/// Both directions of a session.
#[derive(Debug, Default)]
pub(super) struct Session {
    client: Side,
    server: Side,
    client_random: Option<[u8; 32]>,
    early_data: bool,
    /// The server asked for another ClientHello.
    retried: bool,
    agreed: Option<ServerHello>,
}

#[derive(Debug, Default)]
struct Side {
    buffer: Vec<u8>,
    handshake: Handshake,
    protection: Protection,
    /// Nothing more is read.
    ended: bool,
}

#[derive(Debug, Default)]
enum Protection {
    #[default]
    None,
    /// Before TLS 1.3: the keys since the last ChangeCipherSpec.
    Tls12(Opener),
    /// TLS 1.3 before the Finished message of the direction.
    Handshake(Opener),
    /// TLS 1.3 without the handshake secret: whatever the first application keys do not open is of the handshake.
    HandshakeUnread,
    /// TLS 1.3 with the secret that the next keys are made from.
    Application(Opener, Vec<u8>),
}

/// Handshake messages, which may share records and be spread over several.
#[derive(Debug, Default)]
struct Handshake {
    buffer: Vec<u8>,
    /// How many bytes of a message that is of no interest are still to come.
    passing: usize,
}

impl Handshake {
    fn add(&mut self, bytes: &[u8]) {
        let passed = self.passing.min(bytes.len());
        self.passing -= passed;
        self.buffer
            .extend_from_slice(bytes.get(passed..).unwrap_or_default());
    }

    /// The next message of interest: type and body.
    fn next(&mut self) -> Result<Option<(u8, Vec<u8>)>, TlsProblem> {
        loop {
            let [kind, a, b, c, ..] = *self.buffer.as_slice() else {
                return Ok(None);
            };
            let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
            let wanted = matches!(
                kind,
                handshake_type::CLIENT_HELLO
                    | handshake_type::SERVER_HELLO
                    | handshake_type::FINISHED
                    | handshake_type::KEY_UPDATE
            );
            if !wanted {
                let passed = (4 + length).min(self.buffer.len());
                self.passing = 4 + length - passed;
                self.buffer.drain(..passed);
                continue;
            }
            if length > MAX_HANDSHAKE {
                return Err(TlsProblem::Malformed("a handshake message is longer than 64 KiB"));
            }
            if self.buffer.len() < 4 + length {
                return Ok(None);
            }
            let message: Vec<u8> = self.buffer.drain(..4 + length).skip(4).collect();
            return Ok(Some((kind, message)));
        }
    }
}

/// A record as it was captured.
struct Record {
    header: [u8; HEADER],
    body: Vec<u8>,
}

impl Session {
    /// Takes bytes of a direction.
    pub(super) fn push(&mut self, direction: Direction, bytes: &[u8], log: &KeyLog, out: &mut Vec<Output>) {
        let side = self.side(direction);
        if side.ended {
            return;
        }
        side.buffer.extend_from_slice(bytes);
        // One hello may have waited for the other, and what stands behind it with it.
        for direction in [direction, direction.opposite(), direction] {
            self.read(direction, log, out);
        }
    }

    /// How many bytes wait for the rest of their record.
    pub(super) fn waiting(&self, direction: Direction) -> usize {
        match direction {
            Direction::ToController => self.client.buffer.len(),
            Direction::ToLocationServer => self.server.buffer.len(),
        }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToController => &mut self.client,
            Direction::ToLocationServer => &mut self.server,
        }
    }

    fn read(&mut self, direction: Direction, log: &KeyLog, out: &mut Vec<Output>) {
        while !self.side(direction).ended {
            let next = self.next_record(direction);
            let outcome = match next {
                Ok(None) => return,
                Ok(Some(record)) => self.record(direction, &record, log, out),
                Err(problem) => Err(problem),
            };
            if let Err(problem) = outcome {
                let side = self.side(direction);
                side.ended = true;
                side.buffer = Vec::new();
                out.push(Output::Problem(direction, problem));
                return;
            }
        }
    }

    /// Cuts a record, unless the direction has to wait for the other.
    fn next_record(&mut self, direction: Direction) -> Result<Option<Record>, TlsProblem> {
        let is_agreed = self.agreed.is_some();
        let knows_client = self.client_random.is_some();
        let (client_ended, retried) = (self.client.ended, self.retried);
        let side = self.side(direction);
        let Some(header) = side.buffer.first_chunk::<HEADER>().copied() else {
            return Ok(None);
        };
        let [kind, major, _, high, low] = header;
        if is_tls(&header) != Some(true) || major != 3 {
            return Err(TlsProblem::Malformed("a record header is malformed"));
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > MAX_RECORD {
            return Err(TlsProblem::Malformed("a record is longer than TLS allows"));
        }
        // Without hellos nothing can be decrypted. But the hello of the other side may only not have been seen yet.
        // Behind a HelloRetryRequest a ChangeCipherSpec means nothing (RFC 8446 appendix D.4).
        let in_the_clear = kind == content_type::HANDSHAKE
            || kind == content_type::ALERT
            || (kind == content_type::CHANGE_CIPHER_SPEC && retried);
        let may_wait = side.buffer.len() <= MAX_WAITING;
        match direction {
            Direction::ToController if is_agreed || in_the_clear => {}
            Direction::ToController if knows_client && may_wait => return Ok(None),
            Direction::ToLocationServer if knows_client && (is_agreed || in_the_clear) => {}
            Direction::ToLocationServer if !knows_client && !client_ended && in_the_clear && may_wait => {
                return Ok(None);
            }
            _ => return Err(TlsProblem::NoStart),
        }
        let Some(body) = side.buffer.get(HEADER..HEADER + length) else {
            return Ok(None);
        };
        let record = Record {
            header,
            body: body.to_vec(),
        };
        side.buffer.drain(..HEADER + length);
        Ok(Some(record))
    }

    fn record(
        &mut self,
        direction: Direction,
        record: &Record,
        log: &KeyLog,
        out: &mut Vec<Output>,
    ) -> Result<(), TlsProblem> {
        let Some((kind, content)) = self.open(direction, record, log)? else {
            return Ok(());
        };
        match kind {
            content_type::CHANGE_CIPHER_SPEC if self.retried => Ok(()),
            content_type::CHANGE_CIPHER_SPEC => self.change_cipher_spec(direction, log),
            content_type::ALERT => {
                if let [level, description] = *content {
                    out.push(Output::Alert(direction, level, description));
                }
                Ok(())
            }
            content_type::HANDSHAKE => self.handshake(direction, &content, log, out),
            content_type::APPLICATION_DATA => {
                if !content.is_empty() {
                    out.push(Output::Data(direction, content));
                }
                Ok(())
            }
            _ => Err(TlsProblem::Malformed("a record has an unknown type")),
        }
    }

    /// Takes the protection off. `None` if the record is to be passed over.
    fn open(
        &mut self,
        direction: Direction,
        record: &Record,
        log: &KeyLog,
    ) -> Result<Option<(u8, Vec<u8>)>, TlsProblem> {
        let [kind, ..] = record.header;
        let is_tls13 = self.is_tls13();
        let early_data = self.early_data && direction == Direction::ToController;
        if is_tls13 && kind == content_type::CHANGE_CIPHER_SPEC {
            // Means nothing there (RFC 8446 section 5).
            return Ok(None);
        }
        let side = self.side(direction);
        match &mut side.protection {
            Protection::None => Ok(Some((kind, record.body.clone()))),
            // In TLS 1.3 whatever is encrypted looks like application data; an alert in the clear may still come.
            _ if is_tls13 && kind != content_type::APPLICATION_DATA => Ok(Some((kind, record.body.clone()))),
            Protection::HandshakeUnread => self.try_application_keys(direction, record, log),
            Protection::Handshake(opener)
            | Protection::Tls12(opener)
            | Protection::Application(opener, _) => {
                let opened = opener.open(record.header, &record.body);
                opened.map(Some).map_err(|_| {
                    if early_data && opener.records == 0 {
                        TlsProblem::EarlyData
                    } else {
                        TlsProblem::Decrypt {
                            record: opener.records,
                        }
                    }
                })
            }
        }
    }

    fn try_application_keys(
        &mut self,
        direction: Direction,
        record: &Record,
        log: &KeyLog,
    ) -> Result<Option<(u8, Vec<u8>)>, TlsProblem> {
        let (mut opener, secret) = self.application_keys(direction, log)?;
        match opener.open(record.header, &record.body) {
            Ok(opened) => {
                self.side(direction).protection = Protection::Application(opener, secret);
                Ok(Some(opened))
            }
            Err(_) => Ok(None),
        }
    }

    fn is_tls13(&self) -> bool {
        self.agreed
            .is_some_and(|hello| hello.version == TlsVersion::Tls13)
    }

    fn handshake(
        &mut self,
        direction: Direction,
        content: &[u8],
        log: &KeyLog,
        out: &mut Vec<Output>,
    ) -> Result<(), TlsProblem> {
        self.side(direction).handshake.add(content);
        while let Some((kind, body)) = self.side(direction).handshake.next()? {
            match (kind, direction) {
                (handshake_type::CLIENT_HELLO, Direction::ToController) => {
                    let hello = ClientHello::read(&body)?;
                    self.client_random = Some(hello.random);
                    self.early_data = hello.early_data;
                }
                (handshake_type::SERVER_HELLO, Direction::ToLocationServer) => {
                    self.server_hello(&body, log, out)?;
                }
                (handshake_type::FINISHED, _) if self.is_tls13() => {
                    let (opener, secret) = self.application_keys(direction, log)?;
                    self.side(direction).protection = Protection::Application(opener, secret);
                }
                (handshake_type::KEY_UPDATE, _) => self.key_update(direction)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn server_hello(&mut self, body: &[u8], log: &KeyLog, out: &mut Vec<Output>) -> Result<(), TlsProblem> {
        let Some(hello) = ServerHello::read(body)? else {
            self.retried = true;
            return Ok(());
        };
        let client_random = self.client_random.ok_or(TlsProblem::NoStart)?;
        self.agreed = Some(hello);
        out.push(Output::Agreed {
            version: hello.version,
            suite: hello.suite.name,
        });
        if hello.version != TlsVersion::Tls13 {
            return Ok(());
        }
        for (direction, label) in [
            (Direction::ToController, Label::ClientHandshake),
            (Direction::ToLocationServer, Label::ServerHandshake),
        ] {
            let protection = match log.secret(&client_random, label) {
                Some(secret) => Protection::Handshake(opener(hello.suite, secret)?),
                None => Protection::HandshakeUnread,
            };
            self.side(direction).protection = protection;
        }
        Ok(())
    }

    /// The first application keys of a direction in TLS 1.3.
    fn application_keys(&self, direction: Direction, log: &KeyLog) -> Result<(Opener, Vec<u8>), TlsProblem> {
        let (Some(hello), Some(client_random)) = (self.agreed, self.client_random) else {
            return Err(TlsProblem::NoStart);
        };
        let label = match direction {
            Direction::ToController => Label::ClientApplication,
            Direction::ToLocationServer => Label::ServerApplication,
        };
        let secret = log.secret(&client_random, label).ok_or(TlsProblem::NoSecret {
            label: label.name(),
            client_random,
        })?;
        Ok((opener(hello.suite, secret)?, secret.to_vec()))
    }

    fn key_update(&mut self, direction: Direction) -> Result<(), TlsProblem> {
        let Some(hello) = self.agreed else {
            return Ok(());
        };
        let side = self.side(direction);
        if let Protection::Application(_, secret) = &side.protection {
            let next = next_traffic_secret(hello.suite.hash, secret).ok_or(SHORT_SECRET)?;
            side.protection = Protection::Application(opener(hello.suite, &next)?, next);
        }
        Ok(())
    }

    /// Before TLS 1.3: new keys for a direction, also in a renegotiation.
    fn change_cipher_spec(&mut self, direction: Direction, log: &KeyLog) -> Result<(), TlsProblem> {
        let (Some(hello), Some(client_random)) = (self.agreed, self.client_random) else {
            return Err(TlsProblem::NoStart);
        };
        let label = Label::Master;
        let master = log.secret(&client_random, label).ok_or(TlsProblem::NoSecret {
            label: label.name(),
            client_random,
        })?;
        let [client, server] = key_block(hello.version, hello.suite, master, &client_random, &hello.random)
            .ok_or(SHORT_SECRET)?;
        let keys = match direction {
            Direction::ToController => client,
            Direction::ToLocationServer => server,
        };
        let opener = Opener::new(hello.version, hello.suite, keys, hello.encrypt_then_mac);
        self.side(direction).protection = Protection::Tls12(opener);
        Ok(())
    }
}

const SHORT_SECRET: TlsProblem =
    TlsProblem::Malformed("a secret in the key log is shorter than the cipher suite's");

/// TLS 1.3 keys from a secret.
fn opener(suite: Suite, secret: &[u8]) -> Result<Opener, TlsProblem> {
    let keys = traffic_keys(suite, secret).ok_or(SHORT_SECRET)?;
    Ok(Opener::new(TlsVersion::Tls13, suite, keys, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trace and its secrets.
    fn trace() -> (String, Vec<(Direction, Vec<u8>)>) {
        let text = include_str!("../../../testdata/capture/rfc8448-simple-1-rtt.txt");
        let mut records = Vec::new();
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap();
            match word {
                "client" => records.push((Direction::ToController, hex::decode(rest).unwrap())),
                "server" => records.push((Direction::ToLocationServer, hex::decode(rest).unwrap())),
                _ => {}
            }
        }
        (text.lines().take(5).collect::<Vec<_>>().join("\n"), records)
    }

    fn run(log: &str, records: &[(Direction, Vec<u8>)], step: usize) -> Vec<Output> {
        let (log, problems) = KeyLog::parse(log);
        assert_eq!(problems, []);
        let (mut session, mut out) = (Session::default(), Vec::new());
        for (direction, record) in records {
            for bytes in record.chunks(step) {
                session.push(*direction, bytes, &log, &mut out);
            }
        }
        out
    }

    fn expected() -> Vec<Output> {
        let payload: Vec<u8> = (0..50).collect();
        vec![
            Output::Agreed {
                version: TlsVersion::Tls13,
                suite: "TLS_AES_128_GCM_SHA256",
            },
            Output::Data(Direction::ToController, payload.clone()),
            Output::Data(Direction::ToLocationServer, payload),
            Output::Alert(Direction::ToController, 1, 0),
            Output::Alert(Direction::ToLocationServer, 1, 0),
        ]
    }

    #[test]
    fn decrypts_the_trace_of_rfc_8448() {
        let (log, records) = trace();
        for step in [1, 7, 100_000] {
            assert_eq!(run(&log, &records, step), expected());
        }
    }

    #[test]
    fn decrypts_application_data_without_the_handshake_secrets() {
        let (log, records) = trace();
        let log: Vec<&str> = log.lines().filter(|line| !line.contains("HANDSHAKE")).collect();
        assert_eq!(run(&log.join("\n"), &records, 100_000), expected());
    }

    #[test]
    fn a_hello_that_was_captured_late_is_waited_for() {
        let (log, mut records) = trace();
        // Whatever one side sent comes first.
        for first in [Direction::ToController, Direction::ToLocationServer] {
            records.sort_by_key(|(direction, _)| *direction != first);
            let out = run(&log, &records, 100_000);
            assert_eq!(out.len(), 5, "{out:?}");
            for output in expected() {
                assert!(out.contains(&output), "{output:?} in {out:?}");
            }
        }
    }

    #[test]
    fn says_what_is_missing_or_changed() {
        let (log, records) = trace();
        let find = |log: &str, records: &[(Direction, Vec<u8>)]| {
            let mut out = run(log, records, 100_000).into_iter();
            out.find_map(|output| match output {
                Output::Problem(direction, problem) => Some((direction, problem)),
                _ => None,
            })
        };
        let (_, problem) = find("", &records).unwrap();
        let shown = problem.to_string();
        assert!(
            shown.contains("no SERVER_TRAFFIC_SECRET_0 for client random cb34ecb1"),
            "{shown}"
        );
        assert_eq!(
            find(&log, &records[1..]),
            Some((Direction::ToController, TlsProblem::NoStart))
        );
        let mut changed = records.clone();
        changed[6].1[20] ^= 1;
        let problem = TlsProblem::Decrypt { record: 1 };
        assert_eq!(find(&log, &changed), Some((Direction::ToLocationServer, problem)));
        let mut other_suite = records.clone();
        // The server chose CCM.
        other_suite[1].1[45] = 4;
        let problem = TlsProblem::CipherSuite {
            suite: 0x1304,
            version: TlsVersion::Tls13,
        };
        assert_eq!(
            find(&log, &other_suite),
            Some((Direction::ToLocationServer, problem))
        );
        let malformed = [(Direction::ToController, vec![22, 3, 1, 0xff, 0xff])];
        assert!(matches!(
            find(&log, &malformed),
            Some((_, TlsProblem::Malformed(_)))
        ));
    }
}
