//! Digest with a challenge of the server (RFC 7616): its right answer, and wrong ones.

use super::super::bench::{Bench, Made, base64, open, read};
use super::{Needs, Rule, rule};
use crate::device_fuzz::case::{Hex, Layer, Step};
use crate::device_fuzz::live::{Change, Login};

pub(super) const RULES: &[Rule] = &[rule(Layer::Header, Needs::Digest, "digest login", digest_login)];

type Entry = (&'static str, Vec<Step>);

fn digest_login(bench: &mut Bench<'_>) -> Made {
    let talk = Talk::new(bench);
    let table = [
        talk.right(),
        talk.counts_and_nonces(),
        talk.for_something_else(),
        talk.parameters(),
        talk.quotes(),
    ]
    .concat();
    let (what, script) = bench.turn(&table).cloned().unwrap_or_default();
    Made::new(format!("the answer to a Digest challenge: {what}"), script)
}

/// A request, the challenge that it gets, and the request again with an answer.
struct Talk {
    /// Without credentials.
    plain: Vec<u8>,
    head: Vec<u8>,
    body: Vec<u8>,
    /// The right one.
    login: Login,
}

impl Talk {
    fn new(bench: &mut Bench<'_>) -> Self {
        let operation = bench.first_enrolment();
        let request = base64(&bench.certification_request());
        let draft = bench.post(operation, "application/pkcs10", request);
        let draft = draft.without("Authorization").framed();
        let cnonce = hex::encode(bench.octets(12));
        let (user, password) = match &bench.settings().credentials {
            Some(credentials) => (credentials.user(), credentials.password()),
            None => ("fuzz", "fuzz"),
        };
        let login = Login {
            challenged: None,
            user: user.to_owned(),
            password: password.to_owned(),
            method: "POST".to_owned(),
            uri: String::from_utf8_lossy(&draft.target).into_owned(),
            cnonce,
            count: 1,
            nonce_suffix: String::new(),
            changes: Vec::new(),
        };
        Self {
            plain: [draft.head(), draft.body.clone()].concat(),
            head: draft.open_head(),
            body: draft.body,
            login,
        }
    }

    fn answer(&self, change: impl FnOnce(&mut Login)) -> Step {
        let mut login = self.login.clone();
        change(&mut login);
        Step::SendDigest {
            head: Hex(self.head.clone()),
            body: Hex(self.body.clone()),
            login,
        }
    }

    /// The challenge, and this answer to it.
    fn once(&self, change: impl FnOnce(&mut Login)) -> Vec<Step> {
        vec![
            open(),
            Step::send(self.plain.clone()),
            read(),
            self.answer(change),
        ]
    }

    /// The challenge, and answers that have used it so often.
    fn counts(&self, counts: &[u32]) -> Vec<Step> {
        let mut script = vec![open(), Step::send(self.plain.clone())];
        for count in counts {
            script.extend([read(), self.answer(|login| login.count = *count)]);
        }
        script
    }

    /// The right answer, with this replaced in it.
    fn replaced(&self, from: &str, to: &str) -> Vec<Step> {
        self.once(|login| {
            login.changes.push(Change {
                from: from.to_owned(),
                to: to.to_owned(),
            });
        })
    }

    fn right(&self) -> Vec<Entry> {
        let mut elsewhere = vec![open(), Step::send(self.plain.clone()), read(), open()];
        elsewhere.push(self.answer(|login| login.challenged = Some(0)));
        vec![
            ("the right one", self.counts(&[1])),
            ("the right one, on another connection", elsewhere),
            ("the right one, and the next right one", self.counts(&[1, 2])),
        ]
    }

    fn counts_and_nonces(&self) -> Vec<Entry> {
        vec![
            ("the same one twice", self.counts(&[1, 1])),
            ("the same one three times", self.counts(&[1, 1, 1])),
            ("a count that goes back", self.counts(&[2, 1])),
            ("a count of 0", self.counts(&[0])),
            ("the largest count, and the first", self.counts(&[u32::MAX, 1])),
            (
                "a nonce with a character more",
                self.once(|login| login.nonce_suffix = "x".to_owned()),
            ),
            (
                "a nonce with 2000 characters more",
                self.once(|login| login.nonce_suffix = "x".repeat(2000)),
            ),
            (
                "a nonce that is not that of its response",
                self.replaced("nonce=\"", "nonce=\"x"),
            ),
            ("an empty client nonce", self.once(|login| login.cnonce.clear())),
            (
                "a client nonce of 5000 characters",
                self.once(|login| login.cnonce = "c".repeat(5000)),
            ),
        ]
    }

    /// Answers that are right for another request or for somebody else.
    fn for_something_else(&self) -> Vec<Entry> {
        vec![
            (
                "for another password",
                self.once(|login| login.password.push('x')),
            ),
            ("for another user", self.once(|login| login.user.push('x'))),
            ("for an empty user", self.once(|login| login.user.clear())),
            ("for GET", self.once(|login| login.method = "GET".to_owned())),
            (
                "for cacerts",
                self.once(|login| login.uri = "/.well-known/est/cacerts".to_owned()),
            ),
            (
                "for a target with a query",
                self.once(|login| login.uri.push_str("?x")),
            ),
        ]
    }

    fn parameters(&self) -> Vec<Entry> {
        vec![
            ("no qop", self.replaced("qop=auth, ", "")),
            ("qop=auth-int", self.replaced("qop=auth", "qop=auth-int")),
            ("a qop in quotes", self.replaced("qop=auth", "qop=\"auth\"")),
            ("a qop of nothing", self.replaced("qop=auth", "qop=")),
            ("another opaque", self.replaced("opaque=\"", "opaque=\"x")),
            ("an opaque more", self.replaced("", ", opaque=\"x\"")),
            ("another realm", self.replaced("realm=\"", "realm=\"x")),
            (
                "MD5, as it says",
                self.replaced("algorithm=SHA-256", "algorithm=MD5"),
            ),
            (
                "a session, as it says",
                self.replaced("algorithm=SHA-256", "algorithm=SHA-256-sess"),
            ),
            ("no algorithm", self.replaced("algorithm=SHA-256, ", "")),
            (
                "a user name in the form for other alphabets",
                self.replaced("username=\"", "username*=\"UTF-8''"),
            ),
            (
                "a count that is not the one of its response",
                self.replaced("nc=0000000", "nc=0000001"),
            ),
            (
                "a second header",
                self.replaced("", "\r\nAuthorization: Basic eDp5"),
            ),
            (
                "a parameter of 3000 bytes",
                self.replaced("", &format!(", x=\"{}\"", "y".repeat(3000))),
            ),
        ]
    }

    fn quotes(&self) -> Vec<Entry> {
        vec![
            (
                "a realm whose quotes do not begin",
                self.replaced("realm=\"", "realm="),
            ),
            (
                "a nonce whose quotes do not begin",
                self.replaced(" nonce=\"", " nonce="),
            ),
            (
                "a response whose quotes do not end",
                self.replaced("\", algorithm", ", algorithm"),
            ),
            ("quotes at the end that do not end", self.replaced("", ", x=\"")),
            ("a backslash at the end", self.replaced("", ", x=\"\\")),
            (
                "a quote within the user name",
                self.replaced("username=\"", "username=\"\\\""),
            ),
        ]
    }
}
