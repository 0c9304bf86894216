//! A ClientHello of any version, and what a server says to it.
//!
//! The answer to a hello is in the clear in every version, so nothing of the key exchange needs to be done: versions
//! and suites can be asked for that no library here speaks.

use rustls::{CipherSuite, ProtocolVersion};

/// Forward-secret suites that rustls has, best first.
pub(super) const FORWARD_SECRET: [u16; 6] = [0xc02c, 0xc02b, 0xc030, 0xc02f, 0xcca9, 0xcca8];

/// The same key exchanges with the ciphers of old devices, and finite-field Diffie-Hellman.
const OLDER: [u16; 14] = [
    0xc024, 0xc023, 0xc028, 0xc027, 0xc00a, 0xc009, 0xc014, 0xc013, 0x009f, 0x009e, 0x006b, 0x0067, 0x0039,
    0x0033,
];

/// Static RSA: the client sends the secret encrypted for the server's certificate; no forward secrecy.
const STATIC_RSA: [u16; 8] = [0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0x000a, 0x0005];

const TLS_1_3: [u16; 3] = [0x1302, 0x1301, 0x1303];

/// Says that renegotiation is understood (RFC 5746), as a cipher suite because old servers stumble over extensions.
const RENEGOTIATION_INFO: u16 = 0x00ff;

/// The largest handshake message read in answer: a ServerHello has about a hundred bytes.
pub(super) const MAX_SERVER_HELLO: usize = 16 * 1024;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct Question<'a> {
    pub(super) version: ProtocolVersion,
    /// Suites of the version, or only some of them.
    pub(super) suites: Vec<u16>,
    /// Only a DNS name goes into the hello (RFC 6066, section 3).
    pub(super) server_name: Option<&'a str>,
    pub(super) alpn: &'a [Vec<u8>],
}

/// All suites that are asked for with a version.
pub(super) fn suites_of(version: ProtocolVersion) -> Vec<u16> {
    if version == ProtocolVersion::TLSv1_3 {
        return TLS_1_3.into();
    }
    let mut suites: Vec<u16> = [&FORWARD_SECRET[..], &OLDER, &STATIC_RSA].concat();
    suites.push(RENEGOTIATION_INFO);
    suites
}

/// A length-prefixed part. What is written here is made of constants and of a name of at most 253 bytes.
fn prefixed<const BYTES: usize>(part: &[u8]) -> Vec<u8> {
    let length = u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes();
    let mut bytes = length.get(8 - BYTES..).unwrap_or_default().to_vec();
    bytes.extend_from_slice(part);
    bytes
}

fn extension(number: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend(prefixed::<2>(body));
    bytes
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

impl Question<'_> {
    /// The hello in its record. `random` is 32 bytes for the hello and 32 for a key share that nobody has the key of.
    pub(super) fn encode(&self, random: &[u8; 64]) -> Vec<u8> {
        let (hello_random, key_share) = random.split_at(32);
        let is_13 = self.version == ProtocolVersion::TLSv1_3;
        // TLS 1.3 calls itself 1.2 here (RFC 8446, section 4.1.2).
        let legacy = if is_13 {
            ProtocolVersion::TLSv1_2
        } else {
            self.version
        };
        let mut hello = u16::from(legacy).to_be_bytes().to_vec();
        hello.extend_from_slice(hello_random);
        hello.extend(prefixed::<1>(&[]));
        hello.extend(prefixed::<2>(&numbers(&self.suites)));
        hello.extend(prefixed::<1>(&[0]));
        hello.extend(prefixed::<2>(&self.extensions(is_13, key_share)));
        let mut message = vec![1];
        message.extend(prefixed::<3>(&hello));
        let mut record = vec![HANDSHAKE, 3, 1];
        record.extend(prefixed::<2>(&message));
        record
    }

    fn extensions(&self, is_13: bool, key_share: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        if let Some(name) = self.server_name {
            let entry = [&[0][..], &prefixed::<2>(name.as_bytes())].concat();
            all.extend(extension(0, &prefixed::<2>(&entry)));
        }
        // secp256r1, secp384r1, secp521r1, x25519
        let groups = if is_13 {
            [0x001d, 0x0017, 0x0018, 0x0019]
        } else {
            [0x0017, 0x0018, 0x0019, 0x001d]
        };
        all.extend(extension(10, &prefixed::<2>(&numbers(&groups))));
        all.extend(extension(11, &prefixed::<1>(&[0])));
        // ECDSA, RSASSA-PSS and PKCS #1, each with SHA-2; and for the old ones with SHA-1.
        let schemes = [
            0x0403, 0x0503, 0x0603, 0x0804, 0x0805, 0x0806, 0x0807, 0x0401, 0x0501, 0x0601, 0x0203, 0x0201,
        ];
        all.extend(extension(13, &prefixed::<2>(&numbers(&schemes))));
        if !self.alpn.is_empty() {
            let names: Vec<u8> = self.alpn.iter().flat_map(|name| prefixed::<1>(name)).collect();
            all.extend(extension(16, &prefixed::<2>(&names)));
        }
        if is_13 {
            all.extend(extension(43, &prefixed::<1>(&numbers(&[0x0304]))));
            // Any 32 bytes are a public key of x25519.
            let share = [&[0x00, 0x1d][..], &prefixed::<2>(key_share)].concat();
            all.extend(extension(51, &prefixed::<2>(&share)));
        }
        all
    }
}

/// What a server says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It accepts.
    Accepted {
        version: ProtocolVersion,
        suite: CipherSuite,
    },
    /// It refuses with an alert.
    Alert(u8),
    /// What comes is not TLS; its first bytes.
    NotTls(Vec<u8>),
    /// It has ended the connection before it said anything whole.
    Closed,
}

/// A reader of the answer; bytes are added as they come.
#[derive(Debug, Default)]
pub(super) struct AnswerReader {
    received: Vec<u8>,
}

impl AnswerReader {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// The answer, as soon as it is whole.
    pub(super) fn answer(&self) -> Option<Answer> {
        let mut rest = self.received.as_slice();
        let mut handshake = Vec::new();
        loop {
            let Some((&[content, major, _, high, low], body)) = rest.split_first_chunk() else {
                return self.not_tls_yet();
            };
            let length = usize::from(u16::from_be_bytes([high, low]));
            if major != 3 || !(20..=23).contains(&content) || length > MAX_SERVER_HELLO + 2048 {
                return Some(Answer::NotTls(self.received.clone()));
            }
            let (body, after) = body.split_at_checked(length)?;
            match content {
                ALERT => return body.get(1).map(|description| Answer::Alert(*description)),
                HANDSHAKE => handshake.extend_from_slice(body),
                _ => return Some(Answer::NotTls(self.received.clone())),
            }
            if let Some(answer) = server_hello(&handshake) {
                return Some(answer);
            }
            if handshake.len() > MAX_SERVER_HELLO {
                return Some(Answer::NotTls(Vec::new()));
            }
            rest = after;
        }
    }

    /// Other protocols may be done after a few bytes.
    fn not_tls_yet(&self) -> Option<Answer> {
        let first = self.received.first()?;
        (!(20..=23).contains(first)).then(|| Answer::NotTls(self.received.clone()))
    }

    /// What is known when the server has closed.
    pub(super) fn closed(&self) -> Answer {
        self.answer().unwrap_or(Answer::Closed)
    }
}

fn server_hello(handshake: &[u8]) -> Option<Answer> {
    let (&[kind, a, b, c], body) = handshake.split_first_chunk()?;
    if kind != 2 {
        return Some(Answer::NotTls(handshake.to_vec()));
    }
    let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
    let body = body.get(..length)?;
    let (&version, rest) = body.split_first_chunk::<2>()?;
    let (_random, rest) = rest.split_first_chunk::<32>()?;
    let (&session, rest) = rest.split_first()?;
    let rest = rest.get(usize::from(session)..)?;
    let (&suite, rest) = rest.split_first_chunk::<2>()?;
    let extensions = rest.get(3..).unwrap_or_default();
    let version = selected_version(extensions).unwrap_or(u16::from_be_bytes(version));
    Some(Answer::Accepted {
        version: version.into(),
        suite: u16::from_be_bytes(suite).into(),
    })
}

/// `supported_versions` of a ServerHello (RFC 8446, section 4.2.1).
fn selected_version(mut extensions: &[u8]) -> Option<u16> {
    loop {
        let (&[a, b, high, low], rest) = extensions.split_first_chunk()?;
        let (body, after) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        if [a, b] == [0, 43] {
            return body.first_chunk().map(|version| u16::from_be_bytes(*version));
        }
        extensions = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(version: [u8; 2], suite: [u8; 2], extensions: &[u8]) -> Vec<u8> {
        let mut body = version.to_vec();
        body.extend([7; 32]);
        body.push(0);
        body.extend(suite);
        body.push(0);
        body.extend(prefixed::<2>(extensions));
        let mut message = vec![2];
        message.extend(prefixed::<3>(&body));
        message
    }

    fn record(content: u8, body: &[u8]) -> Vec<u8> {
        [&[content, 3, 3][..], &prefixed::<2>(body)].concat()
    }

    fn answer(bytes: &[u8]) -> Option<Answer> {
        let mut reader = AnswerReader::default();
        reader.add(bytes);
        reader.answer()
    }

    #[test]
    fn reads_version_and_suite_of_a_server_hello_in_any_number_of_records() {
        let tls_13 = hello([3, 3], [0x13, 0x02], &extension(43, &[3, 4]));
        let expected = Answer::Accepted {
            version: ProtocolVersion::TLSv1_3,
            suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
        };
        assert_eq!(answer(&record(HANDSHAKE, &tls_13)), Some(expected.clone()));
        let (first, second) = tls_13.split_at(20);
        let split = [record(HANDSHAKE, first), record(HANDSHAKE, second)].concat();
        for end in 0..split.len() {
            assert_eq!(answer(&split[..end]), None, "{end} bytes");
        }
        assert_eq!(answer(&split), Some(expected));
        let tls_10 = record(HANDSHAKE, &hello([3, 1], [0, 0x2f], &[]));
        let expected = Answer::Accepted {
            version: ProtocolVersion::TLSv1_0,
            suite: CipherSuite::TLS_RSA_WITH_AES_128_CBC_SHA,
        };
        assert_eq!(answer(&tls_10), Some(expected));
    }

    #[test]
    fn tells_an_alert_from_something_that_is_not_tls() {
        assert_eq!(answer(&record(ALERT, &[2, 70])), Some(Answer::Alert(70)));
        assert!(matches!(
            answer(b"HTTP/1.1 400 Bad Request\r\n"),
            Some(Answer::NotTls(_))
        ));
        assert!(matches!(answer(b"S"), Some(Answer::NotTls(_))));
        assert_eq!(answer(&[]), None);
        assert_eq!(AnswerReader::default().closed(), Answer::Closed);
    }

    #[test]
    fn nothing_that_a_server_sends_panics() {
        let whole = record(HANDSHAKE, &hello([3, 3], [0xc0, 0x2f], &extension(43, &[3, 4])));
        for place in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[place] = value;
                drop(answer(&changed));
            }
        }
    }
}
