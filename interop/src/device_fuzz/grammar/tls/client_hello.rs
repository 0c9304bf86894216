//! A TLS ClientHello (RFC 8446 section 4.1.2) that can be wrong in every part.

use super::{RECORD, record};

/// Its parts.
#[derive(Clone, Debug)]
pub(crate) struct ClientHello {
    pub(crate) version: u16,
    pub(crate) random: Vec<u8>,
    pub(crate) session_id: Vec<u8>,
    pub(crate) cipher_suites: Vec<u8>,
    pub(crate) compression_methods: Vec<u8>,
    pub(crate) extensions: Vec<(u16, Vec<u8>)>,
}

/// `server_name`
pub(crate) const SERVER_NAME: u16 = 0;
/// `supported_groups`
pub(crate) const SUPPORTED_GROUPS: u16 = 10;
/// `signature_algorithms`
pub(crate) const SIGNATURE_ALGORITHMS: u16 = 13;
/// `application_layer_protocol_negotiation`
pub(crate) const ALPN: u16 = 16;
/// `extended_master_secret`
pub(crate) const EXTENDED_MASTER_SECRET: u16 = 23;
/// `session_ticket`
pub(crate) const SESSION_TICKET: u16 = 35;
/// `pre_shared_key`
pub(crate) const PRE_SHARED_KEY: u16 = 41;
/// `early_data`
pub(crate) const EARLY_DATA: u16 = 42;
/// `supported_versions`
pub(crate) const SUPPORTED_VERSIONS: u16 = 43;
/// `cookie`
pub(crate) const COOKIE: u16 = 44;
/// `key_share`
pub(crate) const KEY_SHARE: u16 = 51;

impl ClientHello {
    /// One that TLS 1.3 and 1.2 servers answer. `random` is 64 octets: half of them are a key share that nobody has the key
    /// of.
    pub(crate) fn new(random: &[u8]) -> Self {
        let (random, share) = random.split_at_checked(32).unwrap_or((random, &[]));
        Self {
            version: 0x0303,
            random: random.to_vec(),
            session_id: random.to_vec(),
            cipher_suites: vec![0x13, 1, 0x13, 2, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30],
            compression_methods: vec![0],
            extensions: vec![
                (SERVER_NAME, server_name(b"localhost")),
                (SUPPORTED_GROUPS, prefixed(2, &[0, 0x1d, 0, 0x17])),
                (
                    SIGNATURE_ALGORITHMS,
                    prefixed(2, &[4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1]),
                ),
                (ALPN, prefixed(2, &prefixed(1, b"http/1.1"))),
                (SUPPORTED_VERSIONS, prefixed(1, &[3, 4, 3, 3])),
                (KEY_SHARE, key_share(0x1d, share)),
            ],
        }
    }

    /// With another body of an extension.
    pub(crate) fn with(mut self, extension: u16, body: Vec<u8>) -> Self {
        self.extensions.retain(|(kind, _)| *kind != extension);
        self.extensions.push((extension, body));
        self
    }

    /// The handshake message.
    pub(crate) fn message(&self) -> Vec<u8> {
        let extensions: Vec<u8> = self
            .extensions
            .iter()
            .flat_map(|(kind, body)| [kind.to_be_bytes().to_vec(), prefixed(2, body)].concat())
            .collect();
        let body = [
            self.version.to_be_bytes().to_vec(),
            self.random.clone(),
            prefixed(1, &self.session_id),
            prefixed(2, &self.cipher_suites),
            prefixed(1, &self.compression_methods),
            prefixed(2, &extensions),
        ]
        .concat();
        let mut message = vec![1];
        message.extend(prefixed(3, &body));
        message
    }

    /// In records of at most so many bytes.
    pub(crate) fn records(&self, size: usize) -> Vec<u8> {
        in_records(&self.message(), size)
    }
}

/// A handshake message in records of at most so many bytes.
pub(crate) fn in_records(message: &[u8], size: usize) -> Vec<u8> {
    message
        .chunks(size.clamp(1, RECORD))
        .flat_map(|part| record(22, part))
        .collect()
}

/// `key_share` with one share.
pub(crate) fn key_share(group: u16, share: &[u8]) -> Vec<u8> {
    prefixed(2, &[group.to_be_bytes().to_vec(), prefixed(2, share)].concat())
}

/// `server_name` with one name.
pub(crate) fn server_name(name: &[u8]) -> Vec<u8> {
    prefixed(2, &[&[0], prefixed(2, name).as_slice()].concat())
}

/// With its length before it; of a length that does not fit, the low octets.
pub(crate) fn prefixed(octets: usize, content: &[u8]) -> Vec<u8> {
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX).to_be_bytes();
    let mut bytes = length
        .get(length.len().saturating_sub(octets)..)
        .unwrap_or_default()
        .to_vec();
    bytes.extend_from_slice(content);
    bytes
}
