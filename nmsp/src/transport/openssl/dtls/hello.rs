//! The ClientHello of DTLS and the answer that asks for a cookie (RFC 6347 sections 4.1, 4.2.1 and 4.2.2).

/// Content type of a handshake record.
const HANDSHAKE: u8 = 22;

/// Handshake types.
const CLIENT_HELLO: u8 = 1;
const HELLO_VERIFY_REQUEST: u8 = 3;

/// DTLS 1.0, the version of a HelloVerifyRequest whatever is negotiated later.
const DTLS_1_0: [u8; 2] = [0xfe, 0xff];

/// Record header and handshake header.
const RECORD_HEADER: usize = 13;
const HANDSHAKE_HEADER: usize = 12;

/// An unfragmented ClientHello that begins a datagram.
#[derive(Debug)]
pub(super) struct ClientHello<'a> {
    record_version: [u8; 2],
    /// The record's sequence number, 48 bits, in epoch 0.
    record_sequence: u64,
    /// Up to the cookie: version, random, session id with its length.
    before_cookie: &'a [u8],
    pub(super) random: [u8; 32],
    pub(super) cookie: &'a [u8],
    /// Cipher suites, compression methods, extensions.
    after_cookie: &'a [u8],
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(taken)
}

/// As many bytes as the byte before them says.
fn take_vector<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let [length] = take::<1>(bytes)?;
    let (taken, rest) = bytes.split_at_checked(usize::from(*length))?;
    *bytes = rest;
    Some(taken)
}

fn uint24([a, b, c]: [u8; 3]) -> usize {
    (usize::from(a) << 16) | (usize::from(b) << 8) | usize::from(c)
}

fn bytes24(value: usize) -> [u8; 3] {
    let [.., a, b, c] = value.to_be_bytes();
    [a, b, c]
}

impl<'a> ClientHello<'a> {
    /// `None` if the datagram begins with anything else, or with a fragment.
    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let mut rest = datagram;
        let [HANDSHAKE, major, minor] = *take::<3>(&mut rest)? else {
            return None;
        };
        let [0, 0] = *take::<2>(&mut rest)? else {
            return None;
        };
        let [a, b, c, d, e, f] = *take::<6>(&mut rest)?;
        let record_sequence = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let length = u16::from_be_bytes(*take::<2>(&mut rest)?);
        let mut rest = rest.get(..usize::from(length))?;
        let [CLIENT_HELLO] = *take::<1>(&mut rest)? else {
            return None;
        };
        let length = uint24(*take::<3>(&mut rest)?);
        let _message_sequence = take::<2>(&mut rest)?;
        let offset = uint24(*take::<3>(&mut rest)?);
        let fragment = uint24(*take::<3>(&mut rest)?);
        if offset != 0 || fragment != length || rest.len() != length {
            return None;
        }
        let body = rest;
        let _version = take::<2>(&mut rest)?;
        let random = *take::<32>(&mut rest)?;
        let _session = take_vector(&mut rest)?;
        let before_cookie = body.get(..body.len() - rest.len())?;
        let cookie = take_vector(&mut rest)?;
        Some(Self {
            record_version: [major, minor],
            record_sequence,
            before_cookie,
            random,
            cookie,
            after_cookie: rest,
        })
    }

    /// What the cookie vouches for.
    pub(super) const fn parameters(&self) -> &'a [u8] {
        self.before_cookie
    }

    /// The answer that asks for the same hello with this cookie. It is shorter than the hello, so nobody can use us to
    /// multiply traffic.
    pub(super) fn hello_verify_request(&self, cookie: &[u8]) -> Vec<u8> {
        let body = [
            &DTLS_1_0[..],
            &[u8::try_from(cookie.len()).unwrap_or(u8::MAX)],
            cookie,
        ]
        .concat();
        handshake_record(DTLS_1_0, self.record_sequence, HELLO_VERIFY_REQUEST, &body)
    }

    /// The hello that must have come before this one, without a cookie. OpenSSL counts messages and wants to see the
    /// first before the second; nobody has kept the first. `None` if this record is already the first.
    pub(super) fn first_hello(&self) -> Option<Vec<u8>> {
        let body = [self.before_cookie, &[0], self.after_cookie].concat();
        let sequence = self.record_sequence.checked_sub(1)?;
        Some(handshake_record(
            self.record_version,
            sequence,
            CLIENT_HELLO,
            &body,
        ))
    }
}

/// Whether a datagram is a HelloVerifyRequest.
pub(super) fn is_hello_verify_request(datagram: &[u8]) -> bool {
    datagram.first() == Some(&HANDSHAKE) && datagram.get(RECORD_HEADER) == Some(&HELLO_VERIFY_REQUEST)
}

/// A record of epoch 0 with the first message of a flight, unfragmented.
fn handshake_record(version: [u8; 2], sequence: u64, kind: u8, body: &[u8]) -> Vec<u8> {
    let [_, _, sequence @ ..] = sequence.to_be_bytes();
    let length = bytes24(body.len());
    // Not longer than the record it answers or repeats.
    let record_length = u16::try_from(HANDSHAKE_HEADER + body.len()).unwrap_or(u16::MAX);
    [
        &[HANDSHAKE][..],
        &version,
        &[0, 0],
        &sequence,
        &record_length.to_be_bytes(),
        &[kind],
        &length,
        &[0, 0],
        &[0, 0, 0],
        &length,
        body,
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6347 section 4.2.1: version, random, empty session id, cookie; then one suite and no compression.
    fn hello(sequence: u64, cookie: &[u8]) -> Vec<u8> {
        let length = u8::try_from(cookie.len()).unwrap();
        let body = [
            &[0xfe, 0xfd][..],
            &[7; 32],
            &[0, length],
            cookie,
            &[0, 2, 0, 47, 1, 0],
        ]
        .concat();
        handshake_record([0xfe, 0xff], sequence, CLIENT_HELLO, &body)
    }

    #[test]
    fn reads_a_hello_with_its_cookie() {
        let datagram = hello(5, b"cookie");
        let parsed = ClientHello::parse(&datagram).unwrap();
        assert_eq!(
            (parsed.record_sequence, parsed.random, parsed.cookie),
            (5, [7; 32], &b"cookie"[..])
        );
    }

    #[test]
    fn makes_the_first_hello_from_the_second() {
        let second = hello(5, b"cookie");
        let parsed = ClientHello::parse(&second).unwrap();
        assert_eq!(parsed.first_hello(), Some(hello(4, b"")));
        assert_eq!(
            ClientHello::parse(&hello(0, b"cookie")).unwrap().first_hello(),
            None
        );
    }

    #[test]
    fn the_answer_has_the_sequence_number_of_the_hello_and_is_not_longer() {
        let datagram = hello(3, b"");
        let answer = ClientHello::parse(&datagram)
            .unwrap()
            .hello_verify_request(b"12345678");
        assert!(is_hello_verify_request(&answer) && !is_hello_verify_request(&datagram));
        assert!(answer.len() <= datagram.len());
        let expected = [
            22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 3, 0, 23, // the record
            3, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 11, // the message
            0xfe, 0xff, 8,
        ];
        assert_eq!(answer, [&expected[..], b"12345678"].concat());
    }

    #[test]
    fn everything_else_is_not_a_hello() {
        let good = hello(1, b"cookie");
        for length in 0..good.len() {
            assert!(ClientHello::parse(&good[..length]).is_none(), "cut at {length}");
        }
        // Another content type, a later epoch, another message, a fragment.
        for (position, value) in [(0, 23), (4, 1), (13, 2), (21, 1), (24, 1)] {
            let mut other = good.clone();
            other[position] = value;
            assert!(ClientHello::parse(&other).is_none(), "byte {position}");
        }
    }
}
