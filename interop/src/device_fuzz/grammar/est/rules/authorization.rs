//! `Authorization`: malformed Basic, Digest and Bearer; wrong names and passwords.

use super::super::bench::{Bench, Made};
use super::super::request::{Draft, Field};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::Layer;

pub(super) const RULES: &[Rule] = &[
    rule(
        Layer::Header,
        Needs::Enrolment,
        "malformed basic",
        malformed_basic,
    ),
    rule(Layer::Header, Needs::Enrolment, "wrong password", wrong_password),
    rule(Layer::Header, Needs::Enrolment, "digest", digest),
    rule(Layer::Header, Needs::Enrolment, "other schemes", other_schemes),
];

/// A request for a certificate with this header in the place of the right one.
fn with_authorization(bench: &mut Bench<'_>, values: &[&[u8]]) -> Draft {
    let mut draft = bench.enrol().without("Authorization");
    for value in values {
        draft.fields.push(Field::new("Authorization", value));
    }
    draft
}

fn basic(user_and_password: &[u8]) -> Vec<u8> {
    let layout = est::wire::base64::Base64Layout::SingleLine;
    let encoded = est::wire::base64::encode(user_and_password, layout);
    format!("Basic {}", encoded.trim_end()).into_bytes()
}

fn malformed_basic(bench: &mut Bench<'_>) -> Made {
    let long = vec![b'a'; 6000];
    let named = [b"x:".as_slice(), &long].concat();
    let table: [(&str, Vec<u8>); 22] = [
        ("no credentials", b"Basic".to_vec()),
        ("a blank for credentials", b"Basic ".to_vec()),
        ("an empty text", basic(b"")),
        ("no colon", basic(b"user")),
        ("a colon alone", basic(b":")),
        ("an empty user", basic(b":password")),
        ("an empty password", basic(b"user:")),
        ("two colons", basic(b"user:pass:word")),
        ("a NUL", basic(b"user\0:pass\0word")),
        ("line ends", basic(b"user:pass\r\nX: y")),
        ("octets that are not UTF-8", basic(b"\xff\xfe:\xc0\x80")),
        ("a password of 6000 bytes", basic(&named)),
        ("a user of 6000 bytes", basic(&[long.as_slice(), b":x"].concat())),
        ("a format string", basic(b"%s%n:%s%n")),
        ("a path", basic(b"../../etc/passwd:x")),
        ("text of a query", basic(b"' OR '1'='1:x")),
        ("no base64", b"Basic !!!!".to_vec()),
        ("base64 cut off", b"Basic dXNlcjpw\x41".to_vec()),
        ("base64 with padding in the middle", b"Basic dXNl=cjpw".to_vec()),
        ("the alphabet of URLs", b"Basic _-_-_-_-".to_vec()),
        ("two words", b"Basic dXNlcjpw dXNlcjpw".to_vec()),
        ("a comma", b"Basic dXNlcjpw, Basic dXNlcjpw".to_vec()),
    ];
    let (what, value) = bench.turn(&table).cloned().unwrap_or_default();
    let bytes = with_authorization(bench, &[&value]).bytes();
    Made::sent(format!("Basic credentials: {what}"), bytes)
}

/// The account of the settings, or one that is nobody's, with a password that is not its own.
fn wrong_password(bench: &mut Bench<'_>) -> Made {
    let (user, password) = match &bench.settings().credentials {
        Some(credentials) => (
            credentials.user().as_bytes().to_vec(),
            credentials.password().as_bytes().to_vec(),
        ),
        None => (b"fuzz".to_vec(), b"fuzz".to_vec()),
    };
    let pair = |user: &[u8], password: &[u8]| basic(&[user, b":", password].concat());
    let cut = password
        .get(..password.len().saturating_sub(1))
        .unwrap_or_default();
    let behind = |more: &[u8]| [password.as_slice(), more].concat();
    let right = pair(&user, &password);
    let wrong = pair(&user, b"not this");
    let table: [(&str, Vec<Vec<u8>>); 11] = [
        ("a wrong password", vec![wrong.clone()]),
        ("no password", vec![pair(&user, b"")]),
        ("the password but for its last character", vec![pair(&user, cut)]),
        ("the password and a NUL", vec![pair(&user, &behind(b"\0"))]),
        ("the password, a NUL and more", vec![pair(&user, &behind(b"\0x"))]),
        ("the password and more", vec![pair(&user, &behind(b"x"))]),
        (
            "the user and a NUL",
            vec![pair(&[user.as_slice(), b"\0"].concat(), &password)],
        ),
        ("another user", vec![pair(b"nobody-of-this-name", &password)]),
        (
            "two headers, the right one first",
            vec![right.clone(), wrong.clone()],
        ),
        ("two headers, the right one last", vec![wrong, right.clone()]),
        ("the same header twice", vec![right.clone(), right]),
    ];
    let (what, values) = bench.turn(&table).cloned().unwrap_or_default();
    let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
    let bytes = with_authorization(bench, &values).bytes();
    Made::sent(format!("credentials: {what}"), bytes)
}

fn digest(bench: &mut Bench<'_>) -> Made {
    let user = match &bench.settings().credentials {
        Some(credentials) => credentials.user().to_owned(),
        None => "fuzz".to_owned(),
    };
    let good = format!(
        "Digest username=\"{user}\", realm=\"EST\", nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
         uri=\"/.well-known/est/simpleenroll\", algorithm=SHA-256, qop=auth, nc=00000001, cnonce=\"f2/wE4q74E6zIJEt\", \
         response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\", opaque=\"x\""
    );
    let table = [nonces_and_counts(&good, &user), other_parameters(&good)].concat();
    let (what, value) = bench.turn(&table).cloned().unwrap_or_default();
    let bytes = with_authorization(bench, &[value.as_bytes()]).bytes();
    Made::sent(format!("Digest credentials: {what}"), bytes)
}

/// Without what must be there, and with other nonces, responses and counts.
fn nonces_and_counts(good: &str, user: &str) -> Vec<(&'static str, String)> {
    let swap = |from: &str, to: &str| good.replace(from, to);
    vec![
        ("a nonce that nobody gave", good.to_owned()),
        ("nothing", "Digest".into()),
        ("commas", format!("Digest {}", ",".repeat(4000))),
        ("no user", swap(&format!("username=\"{user}\", "), "")),
        (
            "no nonce",
            swap("nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", ", ""),
        ),
        ("no response", swap("response=", "resp=")),
        ("no uri", swap("uri=", "ur=")),
        (
            "an empty response",
            swap(
                "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
                "",
            ),
        ),
        ("a response that is not hexadecimal", swap("753927fa", "zzzzzzzz")),
        ("a response of another length", swap("753927fa", "7539")),
        (
            "an empty nonce",
            swap("7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", ""),
        ),
        (
            "a nonce of 8000 bytes",
            swap("7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", &"n".repeat(8000)),
        ),
        ("a count of 0", swap("nc=00000001", "nc=00000000")),
        ("a count of ffffffff", swap("nc=00000001", "nc=ffffffff")),
        ("a negative count", swap("nc=00000001", "nc=-0000001")),
        ("a count of one digit", swap("nc=00000001", "nc=1")),
        (
            "a count of 20 digits",
            swap("nc=00000001", "nc=10000000000000000001"),
        ),
    ]
}

/// With other algorithms and names, and with what cannot be read.
fn other_parameters(good: &str) -> Vec<(&'static str, String)> {
    let swap = |from: &str, to: &str| good.replace(from, to);
    vec![
        ("qop=auth-int", swap("qop=auth", "qop=auth-int")),
        ("an unknown algorithm", swap("SHA-256", "MD4")),
        ("a session algorithm", swap("SHA-256", "MD5-sess")),
        ("another uri", swap("/.well-known/est/simpleenroll", "/other")),
        ("another realm", swap("realm=\"EST\"", "realm=\"other\"")),
        ("a quote that is not closed", swap("opaque=\"x\"", "opaque=\"x")),
        ("a quoted NUL", swap("opaque=\"x\"", "opaque=\"\\\0\"")),
        ("a backslash at the end", swap("opaque=\"x\"", "opaque=\"x\\")),
        ("a parameter twice", format!("{good}, nc=00000002")),
        ("a parameter without a value", format!("{good}, stale=")),
        (
            "an extended user name",
            swap("username=", "username*=UTF-8''%00%ff"),
        ),
    ]
}

fn other_schemes(bench: &mut Bench<'_>) -> Made {
    let none = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJmdXp6In0.";
    let long = format!("Bearer {}", "a".repeat(7000));
    let table: [(&str, &[u8]); 13] = [
        ("an unsigned token", none.as_bytes()),
        ("an empty token", b"Bearer "),
        ("a token of 7000 bytes", long.as_bytes()),
        ("a token of dots", b"Bearer ....."),
        ("NTLM, cut off", b"NTLM TlRMTVNTUAA="),
        ("NTLM, the third message first", b"NTLM TlRMTVNTUAADAAAA"),
        ("Negotiate", b"Negotiate YII="),
        ("an unknown scheme", b"Fuzz a=b, c=d"),
        ("an empty header", b""),
        ("blanks", b"   \t "),
        ("a NUL", b"\0"),
        ("a colon", b":"),
        ("a scheme of other characters", b"(Basic) eDp5"),
    ];
    let (what, value) = bench.turn(&table).copied().unwrap_or_default();
    let bytes = with_authorization(bench, &[value]).bytes();
    Made::sent(format!("credentials of another scheme: {what}"), bytes)
}
