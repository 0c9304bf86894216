//! Header fields: their syntax, their number, their size; `Host`.

use super::super::bench::{Bench, Made};
use super::super::request::Field;
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::Layer;

pub(super) const RULES: &[Rule] = &[
    rule(Layer::Header, Needs::Nothing, "broken line", broken_line),
    rule(Layer::Header, Needs::Nothing, "long lines", long_lines),
    rule(Layer::Header, Needs::Nothing, "many lines", many_lines),
    rule(Layer::Header, Needs::Nothing, "host", host),
    rule(Layer::Header, Needs::Nothing, "odd fields", odd_fields),
];

fn field(name: &[u8], colon: &[u8], value: &[u8], end: &[u8]) -> Field {
    Field {
        name: name.to_vec(),
        colon: colon.to_vec(),
        value: value.to_vec(),
        end: end.to_vec(),
    }
}

fn broken_line(bench: &mut Bench<'_>) -> Made {
    let table: [(&str, Field); 22] = [
        ("a blank before the colon", field(b"X-A", b" : ", b"b", b"\r\n")),
        ("a tab before the colon", field(b"X-A", b"\t:", b"b", b"\r\n")),
        ("a blank in the name", field(b"X A", b": ", b"b", b"\r\n")),
        ("a blank before the name", field(b" X-A", b": ", b"b", b"\r\n")),
        ("no name", field(b"", b": ", b"b", b"\r\n")),
        ("no colon", field(b"X-A", b"", b"", b"\r\n")),
        ("two colons", field(b"X-A", b"::", b"b", b"\r\n")),
        ("no blank behind the colon", field(b"X-A", b":", b"b", b"\r\n")),
        ("blanks for a value", field(b"X-A", b":    ", b"\t  ", b"\r\n")),
        ("a NUL in the name", field(b"X\0A", b": ", b"b", b"\r\n")),
        ("a NUL in the value", field(b"X-A", b": ", b"b\0c", b"\r\n")),
        (
            "a carriage return in the value",
            field(b"X-A", b": ", b"b\rc", b"\r\n"),
        ),
        (
            "control characters in the value",
            field(b"X-A", b": ", b"\x01\x08\x1b[2J", b"\r\n"),
        ),
        ("DEL in the value", field(b"X-A", b": ", b"\x7f", b"\r\n")),
        (
            "octets above 127 in the value",
            field(b"X-A", b": ", b"\xff\xfe\x80", b"\r\n"),
        ),
        (
            "octets above 127 in the name",
            field(b"X-\xc3\xa4", b": ", b"b", b"\r\n"),
        ),
        ("a name of delimiters", field(b"(){}[]<>@", b": ", b"b", b"\r\n")),
        ("a folded value", field(b"X-A", b": ", b"b\r\n c", b"\r\n")),
        (
            "a value folded by a tab",
            field(b"X-A", b": ", b"b\r\n\tc", b"\r\n"),
        ),
        (
            "a value folded a thousand times",
            field(b"X-A", b": ", &b"b\r\n ".repeat(1000), b"\r\n"),
        ),
        (
            "a folded line that hides a field",
            field(b"X-A", b": ", b"b\r\n Host: other.example", b"\r\n"),
        ),
        ("a line end of LF alone", field(b"X-A", b": ", b"b", b"\n")),
    ];
    let Some((what, line)) = bench.turn(&table).cloned() else {
        return Made::new("nothing", Vec::new());
    };
    let mut draft = bench.any().framed();
    let (place, position) = match bench.lap(table.len()) % 3 {
        0 => ("last", draft.fields.len()),
        1 => ("first", 0),
        _ => ("in the middle", draft.fields.len() / 2),
    };
    draft.fields.insert(position, line);
    Made::sent(format!("a header line with {what}, {place}"), draft.bytes())
}

fn long_lines(bench: &mut Bench<'_>) -> Made {
    const SIZES: &[usize] = &[1000, 8000, 16_300, 16_500, 65_536, 250_000];
    let size = bench.turn(SIZES).copied().unwrap_or(8000).min(bench.room());
    let long = vec![b'a'; size];
    let (what, line) = match bench.lap(SIZES.len()) % 4 {
        0 => ("value", Field::new("X-A", &long)),
        1 => ("name", Field::new(&long, "b")),
        2 => ("cookie", Field::new("Cookie", long)),
        _ => ("row of blanks", field(b"X-A", b":", &vec![b' '; size], b"\r\n")),
    };
    let mut draft = bench.cacerts();
    draft.fields.push(line);
    Made::sent(format!("a header with a {what} of {size} bytes"), draft.bytes())
}

fn many_lines(bench: &mut Bench<'_>) -> Made {
    const COUNTS: &[usize] = &[50, 98, 99, 100, 101, 500, 5000, 25_000];
    let count = bench.turn(COUNTS).copied().unwrap_or(100).min(bench.room() / 10);
    let mut draft = bench.cacerts();
    let kind = bench.lap(COUNTS.len()) % 3;
    for number in 0..count {
        draft.fields.push(match kind {
            0 => Field::new(format!("X{number}"), "y"),
            1 => Field::new("X", "y"),
            _ => field(b"a", b":", b"", b"\r\n"),
        });
    }
    let what = ["different", "equal", "empty"]
        .get(kind)
        .copied()
        .unwrap_or("empty");
    Made::sent(format!("{count} {what} headers"), draft.bytes())
}

fn host(bench: &mut Bench<'_>) -> Made {
    let own = bench.settings().host.clone();
    let long = "h".repeat(5000);
    let table: [(&str, Vec<&str>); 21] = [
        ("none", vec![]),
        ("two equal", vec![&own, &own]),
        ("two different", vec![&own, "other.example"]),
        ("an empty one", vec![""]),
        ("another name", vec!["other.example"]),
        ("a blank within", vec!["a b"]),
        ("a comma", vec!["a, b"]),
        ("a user", vec!["user@localhost"]),
        ("a path", vec!["localhost/x"]),
        ("a query", vec!["localhost?x"]),
        ("a fragment", vec!["localhost#x"]),
        ("a backslash", vec!["localhost\\x"]),
        ("port 99999", vec!["localhost:99999"]),
        ("a port that is none", vec!["localhost:x"]),
        ("two ports", vec!["localhost:1:2"]),
        ("an unclosed bracket", vec!["[::1"]),
        ("an address with a zone", vec!["[fe80::1%25eth0]"]),
        ("a NUL", vec!["localhost\0"]),
        ("an escape of nothing", vec!["local%zzhost"]),
        ("letters above 127", vec!["l\u{f6}calhost"]),
        ("5000 bytes", vec![&long]),
    ];
    let (what, values) = bench.turn(&table).cloned().unwrap_or_default();
    let mut draft = bench.any().without("Host");
    for value in values.into_iter().rev() {
        draft.fields.insert(0, Field::new("Host", value));
    }
    Made::sent(format!("Host: {what}"), draft.bytes())
}

fn odd_fields(bench: &mut Bench<'_>) -> Made {
    const FIELDS: &[(&str, &str)] = &[
        ("Connection", "close, keep-alive"),
        ("Connection", "Content-Length, Host, Authorization"),
        ("Connection", ",,,, ,,"),
        ("Keep-Alive", "timeout=99999999999999999999"),
        ("Content-Encoding", "gzip"),
        ("Content-Encoding", "deflate, gzip, br"),
        ("Content-Length ", "0"),
        ("Accept", "text/html;q=0"),
        ("Accept-Encoding", "gzip;q=1.0, *;q=0"),
        ("Accept-Encoding", "identity;q=0"),
        ("Range", "bytes=0-0,1-1,2-2,-99999999999999999999"),
        ("If-None-Match", "*"),
        ("If-Match", "\"x\""),
        ("If-Modified-Since", "Thu, 32 Foo 99999 99:99:99 GMT"),
        ("TE", "trailers, deflate;q=0.5"),
        ("Trailer", "Content-Length"),
        ("Max-Forwards", "0"),
        ("Via", "1.1 a, 1.1 b"),
        ("X-Forwarded-For", "' OR 1=1 --"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("User-Agent", "libest 3.2.0p"),
        ("User-Agent", "${jndi:ldap://127.0.0.1/x}"),
        ("Content-Transfer-Encoding", "binary"),
        ("Date", "yesterday"),
        ("Proxy-Authorization", "Basic eDp5"),
        ("Cookie", "a=b; a=b; =; ;;"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Early-Data", "1"),
        ("Content-Length", "00"),
        ("Transfer-Encoding", ""),
    ];
    let (name, value) = bench.turn(FIELDS).copied().unwrap_or(("Accept", "*/*"));
    let draft = bench.any().with(name, value);
    Made::sent(format!("{name}: {value}"), draft.bytes())
}
