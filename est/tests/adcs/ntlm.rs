//! The known answers of MS-NLMP section 4.2.4 (NTLMv2), and what this client adds to them.

use est::adcs::WindowsAccount;
use est::adcs::ntlm::{
    Challenge, ChannelBindingToken, FileTime, Login, MAX_CHALLENGE, NtlmError, NtlmLogin, ResponseKey,
    from_header, to_header,
};

/// Section 4.2.1: user "User", domain "Domain", password "Password".
fn account() -> WindowsAccount {
    WindowsAccount::new("Domain\\User", "Password").unwrap()
}

const SERVER_CHALLENGE: [u8; 8] = [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef];
const CLIENT_CHALLENGE: [u8; 8] = [0xaa; 8];

/// The pairs of section 4.2.4: domain "Domain", server "Server", end.
fn target_info() -> Vec<u8> {
    let mut info = vec![2, 0, 12, 0];
    info.extend(b"D\0o\0m\0a\0i\0n\0");
    info.extend([1, 0, 12, 0]);
    info.extend(b"S\0e\0r\0v\0e\0r\0");
    info.extend([0; 4]);
    info
}

/// The message of section 4.2.4.3.
pub(crate) fn challenge_of_the_specification() -> Vec<u8> {
    challenge(&target_info())
}

fn challenge(info: &[u8]) -> Vec<u8> {
    let mut message = b"NTLMSSP\0\x02\0\0\0".to_vec();
    message.extend([12, 0, 12, 0, 0x38, 0, 0, 0]);
    message.extend([0x33, 0x82, 0x8a, 0xe2]);
    message.extend(SERVER_CHALLENGE);
    message.extend([0; 8]);
    let length = u8::try_from(info.len()).unwrap();
    message.extend([length, 0, length, 0, 0x44, 0, 0, 0]);
    message.extend([6, 0, 0x70, 0x17, 0, 0, 0, 15]);
    message.extend(b"S\0e\0r\0v\0e\0r\0");
    message.extend(info);
    message
}

#[test]
fn computes_the_keys_and_responses_of_the_specification() {
    let key = ResponseKey::new(&account());
    assert_eq!(
        *key.as_bytes(),
        [
            0x0c, 0x86, 0x8a, 0x40, 0x3b, 0xfd, 0x7a, 0x93, 0xa3, 0x00, 0x1e, 0xf2, 0x2e, 0xf0, 0x2e, 0x3f
        ],
        "NTOWFv2, section 4.2.4.1.1"
    );
    let responses = key.respond(SERVER_CHALLENGE, CLIENT_CHALLENGE, FileTime(0), &target_info());
    assert_eq!(
        responses.nt[..16],
        [
            0x68, 0xcd, 0x0a, 0xb8, 0x51, 0xe5, 0x1c, 0x96, 0xaa, 0xbc, 0x92, 0x7b, 0xeb, 0xef, 0x6a, 0x1c
        ],
        "NTLMv2 response, section 4.2.4.2.2"
    );
    assert_eq!(
        responses.lm,
        [
            0x86, 0xc3, 0x50, 0x97, 0xac, 0x9c, 0xec, 0x10, 0x25, 0x54, 0x76, 0x4a, 0x57, 0xcc, 0xcc, 0x19,
            0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa
        ],
        "LMv2 response, section 4.2.4.2.1"
    );
    assert_eq!(
        *responses.session_key,
        [
            0x8d, 0xe4, 0x0c, 0xca, 0xdb, 0xc1, 0x4a, 0x82, 0xf1, 0x5c, 0xb0, 0xad, 0x0d, 0xe9, 0x5c, 0xa3
        ],
        "SessionBaseKey, section 4.2.4.1.2"
    );
}

const CHANNEL_BINDING_OF_PYTHON: [u8; 16] = [
    0x8f, 0x12, 0x14, 0xc9, 0xc9, 0xca, 0xb8, 0xdc, 0x3b, 0xf8, 0x66, 0xda, 0x9a, 0xba, 0x57, 0xa7,
];

fn login() -> Login<'static> {
    Login {
        client_challenge: CLIENT_CHALLENGE,
        now: FileTime(0),
        host: "lab-dc.michamen.com",
        channel_binding: Some(ChannelBindingToken([0x5a; 16])),
    }
}

fn field(message: &[u8], offset: usize) -> &[u8] {
    let length = usize::from(u16::from_le_bytes(
        message[offset..offset + 2].try_into().unwrap(),
    ));
    let start = u32::from_le_bytes(message[offset + 4..offset + 8].try_into().unwrap());
    let start = usize::try_from(start).unwrap();
    &message[start..start + length]
}

#[test]
fn answers_a_server_without_a_clock_with_both_responses() {
    let (begun, negotiate) = NtlmLogin::begin();
    assert_eq!(negotiate[..12], *b"NTLMSSP\0\x01\0\0\0");
    let message = begun
        .answer(&account(), &challenge_of_the_specification(), &login())
        .unwrap();
    assert_eq!(message[..12], *b"NTLMSSP\0\x03\0\0\0");
    assert_eq!(field(&message, 12)[16..], CLIENT_CHALLENGE, "LMv2");
    assert_eq!(field(&message, 28), b"D\0o\0m\0a\0i\0n\0");
    assert_eq!(field(&message, 36), b"U\0s\0e\0r\0");
    assert_eq!(field(&message, 52), b"", "no session key is exchanged");
    let response = field(&message, 20);
    assert!(
        response
            .windows(20)
            .any(|window| window[..4] == [10, 0, 16, 0] && window[4..] == [0x5a; 16])
    );
    let target: Vec<u8> = "HTTP/lab-dc.michamen.com"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(response.windows(target.len()).any(|window| window == target));
}

#[test]
fn a_server_that_tells_its_time_gets_that_time_and_an_integrity_code() {
    let mut info = target_info();
    info.truncate(info.len() - 4);
    info.extend([7, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    info.extend([0; 4]);
    let challenge = challenge(&info);
    let answer = |now| {
        let (begun, _) = NtlmLogin::begin();
        let login = Login { now, ..login() };
        begun.answer(&account(), &challenge, &login).unwrap()
    };
    let message = answer(FileTime(0));
    assert_eq!(message, answer(FileTime(77)), "our own time is of no account");
    assert_eq!(field(&message, 12), [0; 24], "no LMv2");
    let response = field(&message, 20);
    assert_eq!(response[16 + 8..16 + 16], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(
        response
            .windows(8)
            .any(|window| window == [6, 0, 4, 0, 2, 0, 0, 0]),
        "the flag of the code"
    );
    assert_ne!(message[72..88], [0; 16]);
}

#[test]
fn damaged_challenges_are_refused_with_the_field_and_never_panic() {
    let whole = challenge_of_the_specification();
    for length in 0..whole.len() {
        match Challenge::from_bytes(&whole[..length]) {
            Err(NtlmError::Truncated { .. }) => {}
            other => panic!("{length}: {other:?}"),
        }
    }
    for index in 0..whole.len() {
        for value in [0, 0x7f, 0xff] {
            let mut changed = whole.clone();
            changed[index] = value;
            drop(Challenge::from_bytes(&changed));
        }
    }
    assert_eq!(
        Challenge::from_bytes(&vec![0; MAX_CHALLENGE + 1]),
        Err(NtlmError::TooLong)
    );
    let mut other = whole.clone();
    other[8] = 1;
    assert_eq!(Challenge::from_bytes(&other), Err(NtlmError::NotAChallenge));
}

#[test]
fn unknown_flags_of_the_server_are_no_reason_to_fail() {
    let mut message = challenge_of_the_specification();
    message[20..24].copy_from_slice(&[0xff; 4]);
    Challenge::from_bytes(&message).unwrap();
}

#[test]
fn the_channel_binding_is_the_md5_of_the_gss_structure() {
    // A value computed with Python: hashlib.md5(bytes(16) + struct.pack("<I", 53) + b"tls-server-end-point:" + bytes(range(32)))
    let hash: Vec<u8> = (0..32).collect();
    assert_eq!(
        ChannelBindingToken::of_certificate_hash(&hash).0,
        CHANNEL_BINDING_OF_PYTHON
    );
}

#[test]
fn reads_the_header_of_its_own_scheme_only() {
    assert_eq!(from_header("NTLM"), Ok(None));
    assert_eq!(from_header("Negotiate AAAA"), Ok(None));
    assert_eq!(from_header("ntlm AAAA"), Ok(Some(vec![0; 3])));
    assert_eq!(from_header("NTLM ?"), Err(NtlmError::NotBase64));
    assert_eq!(to_header(&[0; 3]), "NTLM AAAA");
}
