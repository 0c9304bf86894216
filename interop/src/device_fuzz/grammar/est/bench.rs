//! What a rule has at hand.

use est::operation::Operation;
use est::wire::base64::{Base64Layout, encode};
use fastrand::Rng;

use super::certification_request::{Parts, dns_names};
use super::cms::{PkiData, Signed};
use super::key::{EcKey, RsaKeys};
use super::request::{Draft, Framing};
use super::{Est, Settings};
use crate::device_fuzz::case::{Hex, Step, Transport};

/// How long a script waits for an answer that it needs before it goes on, in milliseconds.
const READ: u64 = 3000;

/// What a rule made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) name: String,
    pub(super) script: Vec<Step>,
}

impl Made {
    pub(super) fn new(name: impl Into<String>, script: Vec<Step>) -> Self {
        Self {
            name: name.into(),
            script,
        }
    }

    /// One request, or what is passed off as such, on a connection of its own.
    pub(super) fn sent(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self::new(name, sent(bytes))
    }
}

/// See [`Made::sent`].
pub(super) fn sent(bytes: impl Into<Vec<u8>>) -> Vec<Step> {
    vec![open(), Step::send(bytes)]
}

pub(super) const fn open() -> Step {
    Step::Open {
        transport: Transport::Tls,
    }
}

pub(super) const fn open_tcp() -> Step {
    Step::Open {
        transport: Transport::Tcp,
    }
}

/// Waits for an answer.
pub(super) const fn read() -> Step {
    Step::Read {
        within_milliseconds: READ,
    }
}

/// One TLS record each, in TCP segments of these sizes.
pub(super) fn records(records: Vec<Vec<u8>>, segments: Vec<usize>) -> Step {
    Step::Send {
        records: records.into_iter().map(Hex).collect(),
        segments,
        stall_milliseconds: 0,
    }
}

/// See the module.
pub(super) struct Bench<'a> {
    grammar: &'a Est,
    pub(super) rng: Rng,
    /// How often the rule has had its turn.
    round: usize,
}

impl<'a> Bench<'a> {
    pub(super) fn new(grammar: &'a Est, rng: Rng, round: usize) -> Self {
        Self { grammar, rng, round }
    }

    pub(super) fn settings(&self) -> &'a Settings {
        &self.grammar.settings
    }

    pub(super) fn rsa(&self) -> &'a RsaKeys {
        &self.grammar.rsa
    }

    /// The entry whose turn it is.
    pub(super) fn turn<'t, T>(&self, table: &'t [T]) -> Option<&'t T> {
        table.get(self.number(table.len()))
    }

    /// The number whose turn it is, under `limit`.
    pub(super) fn number(&self, limit: usize) -> usize {
        self.round % limit.max(1)
    }

    /// How often a rule of a table of so many entries has been through it.
    pub(super) fn lap(&self, limit: usize) -> usize {
        self.round / limit.max(1)
    }

    /// Bytes that a request may still add to itself, with room for base64.
    pub(super) fn room(&self) -> usize {
        usize::try_from(self.settings().budget.bytes).unwrap_or(usize::MAX) / 2
    }

    /// The longest stall, in milliseconds.
    pub(super) fn stall(&self) -> u64 {
        self.settings().budget.stall_milliseconds
    }

    /// Connections that may be open at the same time.
    pub(super) fn connections(&self) -> usize {
        usize::try_from(self.settings().budget.connections).unwrap_or(usize::MAX)
    }

    /// Requests on one connection that wait for their answer.
    pub(super) fn requests(&self) -> usize {
        usize::try_from(self.settings().budget.requests).unwrap_or(usize::MAX)
    }

    /// So many octets, none of which means anything.
    pub(super) fn octets(&mut self, count: usize) -> Vec<u8> {
        let mut octets = vec![0; count];
        self.rng.fill(&mut octets);
        octets
    }

    /// Whether the operation is to be asked for.
    pub(super) fn may(&self, operation: Operation) -> bool {
        self.settings().operations.contains(&operation)
    }

    /// A request without body or credentials.
    pub(super) fn get(&self, operation: Operation) -> Draft {
        Draft::new("GET", self.settings().path(operation), &self.settings().host)
    }

    /// `cacerts`: what a server has to answer to everybody.
    pub(super) fn cacerts(&self) -> Draft {
        self.get(Operation::CaCerts)
    }

    /// A fresh key of the seed.
    pub(super) fn key(&mut self) -> EcKey {
        EcKey::new(&mut self.rng)
    }

    /// The name that is asked for.
    pub(super) fn common_name(&mut self) -> String {
        format!("fuzz-{:08x}", self.rng.u32(..))
    }

    /// The parts of a valid request for a certificate.
    pub(super) fn parts(&mut self, key: &EcKey) -> Parts {
        let name = self.common_name();
        Parts::new(&name, key).with_extensions(&[dns_names([format!("{name}.example").as_str()])])
    }

    /// A valid request for a certificate.
    pub(super) fn certification_request(&mut self) -> Vec<u8> {
        let key = self.key();
        self.parts(&key).sign(&key)
    }

    /// The operation with a PKCS #10 request whose turn it is: mostly `simpleenroll`.
    pub(super) fn enrolment(&mut self) -> Operation {
        let others = [Operation::SimpleReenroll, Operation::ServerKeyGen];
        let asked = match self.rng.usize(..8) {
            0 => Operation::SimpleReenroll,
            1 => Operation::ServerKeyGen,
            _ => Operation::SimpleEnroll,
        };
        if self.may(asked) {
            return asked;
        }
        let first = [Operation::SimpleEnroll]
            .into_iter()
            .chain(others)
            .find(|other| self.may(*other));
        first.unwrap_or(Operation::SimpleEnroll)
    }

    /// `simpleenroll`, if it may be asked for: the operation whose right requests are granted.
    pub(super) fn first_enrolment(&mut self) -> Operation {
        if self.may(Operation::SimpleEnroll) {
            Operation::SimpleEnroll
        } else {
            self.enrolment()
        }
    }

    /// A POST with the credentials, if there are some.
    pub(super) fn post(&self, operation: Operation, media_type: &str, body: impl Into<Vec<u8>>) -> Draft {
        let mut draft = self
            .get(operation)
            .with("Content-Type", media_type)
            .with_body(body);
        draft.method = b"POST".to_vec();
        draft.framing = Framing::Length;
        match &self.settings().credentials {
            Some(credentials) => draft.with("Authorization", credentials.to_header().as_str()),
            None => draft,
        }
    }

    /// A request for a certificate around this PKCS #10 request in DER.
    pub(super) fn enrol_with(&mut self, request: &[u8]) -> Draft {
        let operation = self.enrolment();
        self.post(operation, "application/pkcs10", base64(request))
    }

    /// A valid request for a certificate.
    pub(super) fn enrol(&mut self) -> Draft {
        let request = self.certification_request();
        self.enrol_with(&request)
    }

    /// A `fullcmc` request around this CMS message.
    pub(super) fn cmc_with(&self, message: &[u8]) -> Draft {
        let media_type = "application/pkcs7-mime; smime-type=CMC-request";
        self.post(Operation::FullCmc, media_type, base64(message))
    }

    /// A valid `fullcmc` message, with the key that signed it.
    pub(super) fn cmc(&mut self) -> (Signed, EcKey) {
        let key = self.key();
        let request = self.parts(&key).sign(&key);
        let nonce = self.octets(16);
        (Signed::new(PkiData::asking(&request, &nonce).der()), key)
    }

    /// Any valid request: one that needs credentials where that is possible, else `cacerts`.
    pub(super) fn any(&mut self) -> Draft {
        let enrols = self.settings().enrols();
        if enrols && self.rng.bool() {
            return self.enrol();
        }
        if self.may(Operation::CsrAttrs) && self.rng.usize(..4) == 0 {
            return self.get(Operation::CsrAttrs);
        }
        self.cacerts()
    }
}

/// In lines of 64 columns, which libest's server demands a line end of.
pub(super) fn base64(der: &[u8]) -> String {
    encode(der, Base64Layout::Columns64Lf)
}
