//! The request target: forms, percent encoding, dot segments, labels.

use est::operation::{Operation, WELL_KNOWN_EST};

use super::super::bench::{Bench, Made};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::Layer;

pub(super) const RULES: &[Rule] = &[
    rule(
        Layer::Http,
        Needs::Nothing,
        "paths around cacerts",
        paths_around_cacerts,
    ),
    rule(Layer::Http, Needs::Nothing, "target forms", target_forms),
    rule(Layer::Http, Needs::Nothing, "labels", labels),
    rule(Layer::Http, Needs::Nothing, "long targets", long_targets),
    rule(
        Layer::Http,
        Needs::Enrolment,
        "paths around an enrolment",
        paths_around_an_enrolment,
    ),
];

/// What is put behind the path of an operation.
const SUFFIXES: &[&str] = &[
    "%00",
    "%00.txt",
    "%00/x",
    "%0",
    "%",
    "%zz",
    "%u0000",
    "%0a",
    "%0d%0aX-Injected:%20x",
    "%20",
    "%2e",
    "%2f",
    "%c0%ae",
    "%ff",
    ".txt",
    ".",
    "/",
    "//",
    "/.",
    "/..",
    "/../cacerts",
    "/x/../../cacerts",
    ";x=1",
    "?",
    "?x=1",
    "?%00",
    "#x",
    "\0",
    "\0.txt",
    "\\",
    "~",
    "*",
    "\u{e4}",
    "\x7f",
    "s",
];

fn paths_around_cacerts(bench: &mut Bench<'_>) -> Made {
    around(bench, Operation::CaCerts)
}

fn paths_around_an_enrolment(bench: &mut Bench<'_>) -> Made {
    let operation = bench.enrolment();
    around(bench, operation)
}

fn around(bench: &mut Bench<'_>, operation: Operation) -> Made {
    let suffix = bench.turn(SUFFIXES).copied().unwrap_or("%00");
    let path = bench.settings().path(operation);
    let mut draft = match operation.method() == http::Method::GET {
        true => bench.get(operation),
        false => {
            let request = bench.certification_request();
            let body = super::super::bench::base64(&request);
            bench.post(operation, "application/pkcs10", body)
        }
    };
    draft.target = format!("{path}{suffix}").into_bytes();
    Made::sent(format!("{operation} with {suffix:?} behind it"), draft.bytes())
}

fn target_forms(bench: &mut Bench<'_>) -> Made {
    let host = bench.settings().host.clone();
    let path = bench.settings().path(Operation::CaCerts);
    let table: [(&str, String); 24] = [
        ("absolute, https", format!("https://{host}{path}")),
        ("absolute, http", format!("http://{host}{path}")),
        ("absolute, another host", format!("https://other.example{path}")),
        (
            "absolute, with a user",
            format!("https://user:secret@{host}{path}"),
        ),
        ("absolute, without a host", format!("https://{path}")),
        ("absolute, another scheme", format!("gopher://{host}{path}")),
        ("absolute, port 99999", format!("https://127.0.0.1:99999{path}")),
        ("absolute, an unclosed bracket", format!("https://[::1{path}")),
        ("authority", host.clone()),
        ("asterisk", "*".to_owned()),
        ("without a slash", path.trim_start_matches('/').to_owned()),
        ("with two slashes", format!("/{path}")),
        ("with a backslash", path.replace('/', "\\")),
        ("with a dot segment", path.replace("/est/", "/est/./")),
        ("with two dot segments", path.replace("/est/", "/est/x/../")),
        ("above the root", format!("/../../..{path}")),
        ("escaped dot segments", path.replace("/est/", "/est/%2e%2e/est/")),
        ("an escaped letter", path.replace("cacerts", "%63acerts")),
        ("an escaped slash", path.replace("/est/", "/est%2f")),
        ("upper case", path.to_uppercase()),
        ("a doubled slash within", path.replace("/est/", "/est//")),
        (
            "a file of the system",
            "/.well-known/est/../../../../etc/passwd".to_owned(),
        ),
        ("the folder", WELL_KNOWN_EST.to_owned()),
        ("an unknown operation", path.replace("cacerts", "cacert")),
    ];
    let (what, target) = bench.turn(&table).cloned().unwrap_or_default();
    let mut draft = bench.cacerts();
    draft.target = target.into_bytes();
    Made::sent(format!("a target: {what}"), draft.bytes())
}

fn labels(bench: &mut Bench<'_>) -> Made {
    let long = "l".repeat(4000);
    let middle = "l".repeat(65);
    let segments = "a/".repeat(1000) + "a";
    let table = [
        "nowhere",
        "cacerts",
        "simpleenroll",
        ".",
        "..",
        "...",
        "",
        " ",
        "%20",
        "%2e%2e",
        "%00",
        "a%00b",
        "a%2fb",
        "a/b",
        "\u{fc}ber",
        "%C3%BCber",
        "a;b",
        "a:b@c",
        "~",
        "%s%n",
        "'--",
        "$(id)",
        "{{7*7}}",
        "\0",
        long.as_str(),
        middle.as_str(),
        segments.as_str(),
    ];
    let label = bench.turn(&table).copied().unwrap_or("nowhere");
    let mut draft = bench.cacerts();
    draft.target = format!("{WELL_KNOWN_EST}/{label}/cacerts").into_bytes();
    let shown: String = label.chars().take(20).collect();
    Made::sent(
        format!("a label of {} bytes, {shown:?}", label.len()),
        draft.bytes(),
    )
}

fn long_targets(bench: &mut Bench<'_>) -> Made {
    let length = bench.turn(&[1000, 4096, 8192, 16_384, 65_536, 262_144]).copied();
    let length = length.unwrap_or(8192).min(bench.room());
    let path = bench.settings().path(Operation::CaCerts);
    let (what, target) = match bench.rng.usize(..4) {
        0 => ("path", format!("{path}/{}", "a".repeat(length))),
        1 => ("query", format!("{path}?{}", "a".repeat(length))),
        2 => ("row of escapes", format!("/{}", "%41".repeat(length / 3))),
        _ => ("row of dot segments", format!("/{}", "../".repeat(length / 3))),
    };
    let mut draft = bench.cacerts();
    draft.target = target.into_bytes();
    Made::sent(format!("a {what} of {} bytes", draft.target.len()), draft.bytes())
}
