//! Cases for an EST server (RFC 7030): valid requests, and what is done to them at every layer.
//!
//! | module | what it does |
//! |---|---|
//! | `rules` | what is done, one file for each layer; each rule walks through its own table |
//! | `bench` | what a rule has at hand: valid requests, random numbers, the budget |
//! | `request` | HTTP requests as parts, each of which can be wrong |
//! | `der` | DER, written in parts |
//! | `der_tree`, `der_change` | DER as a tree whose lengths can be wrong, and the changes of it |
//! | `key`, `certification_request`, `cms` | keys of the seed; PKCS #10 and CMC requests that are wrong and well signed |
//! | `live` of `device_fuzz` | what the rules leave to be made while a case is played: links and answers to challenges |
//! | `judge` | reads what was sent as RFC 9112 has it, and says which answers no server may give |
//!
//! Rules know nothing of the judge: what was forbidden follows from the bytes that were sent, so it is the same for a
//! case that has been made smaller.

mod bench;
mod certification_request;
mod cms;
mod der;
mod der_change;
mod der_tree;
mod judge;
mod key;
mod request;
mod rules;

use est::auth::BasicCredentials;
use est::operation::Operation;
use est::wire::label::PathLabel;
use fastrand::Rng;
use rustls_pki_types::CertificateDer;

use self::bench::Bench;
use self::key::RsaKeys;
use self::rules::{Needs, Rule};
use super::{CaseBudget, Grammar};
use crate::device_fuzz::case::Case;
use crate::device_fuzz::play::Observation;
use crate::device_fuzz::verdict::Judgement;

/// What the cases are made for.
///
/// # Defaults
/// [`Settings::new`] asks for every operation, without a label and without credentials.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What stands in `Host`: the name of the server, and its port if it has one.
    pub host: String,
    /// The label of the authority under test.
    pub label: Option<PathLabel>,
    /// The operations to ask for. Without one that takes a request for a certificate there is nothing to enrol with, and
    /// the rules that are about such requests are left out.
    pub operations: Vec<Operation>,
    /// An account of the server.
    pub credentials: Option<BasicCredentials>,
    /// Whether the server has refused a request for a certificate that came without name and password. Then none may be
    /// granted to wrong ones.
    pub demands_password: bool,
    /// The certificate with which the tester authenticates in TLS.
    pub certificate: Option<CertificateDer<'static>>,
    /// Whether requests must be linked to their connection (RFC 7030 section 3.5).
    pub demands_proof_of_possession: bool,
    /// Whether the server looks at the link of a request that has one, so that a wrong one must be refused. The TLS of the
    /// target must note channel bindings for this and for the one before.
    pub verifies_proof_of_possession: bool,
    /// Whether the account may log in by Digest, too.
    pub digest: bool,
    /// What one case may use up.
    pub budget: CaseBudget,
}

impl Settings {
    /// For a server of this name.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            label: None,
            operations: Operation::ALL.to_vec(),
            credentials: None,
            demands_password: false,
            certificate: None,
            demands_proof_of_possession: false,
            verifies_proof_of_possession: false,
            digest: false,
            budget: CaseBudget::default(),
        }
    }

    /// The path of an operation.
    #[must_use]
    pub fn path(&self, operation: Operation) -> String {
        let label = self.label.clone();
        est::operation::EstPath { label, operation }.to_string()
    }

    /// Whether requests are linked to their connection, so that TLS must note what they are linked by.
    #[must_use]
    pub const fn links(&self) -> bool {
        self.demands_proof_of_possession || self.verifies_proof_of_possession
    }

    fn enrols(&self) -> bool {
        self.operations
            .iter()
            .any(|operation| matches!(operation.method(), http::Method::POST))
    }
}

/// A certification request of this information, signed by the P-256 key of these octets.
pub(in crate::device_fuzz) fn signed_by(key: &[u8], info: &[u8]) -> Vec<u8> {
    use self::key::Key as _;

    let key = key::EcKey::of(key);
    certification_request::assemble(info, &key.algorithm(), &key.sign(info))
}

/// An element of DER.
pub(in crate::device_fuzz) fn der_element(tag: u8, content: &[u8]) -> Vec<u8> {
    der::element(tag, &[content])
}

/// Makes the cases, and judges the answers.
#[derive(Debug)]
pub struct Est {
    settings: Settings,
    rules: Vec<&'static Rule>,
    /// The same for every seed: they take long to make.
    rsa: RsaKeys,
}

impl Est {
    /// Cases under these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let fits = |rule: &&Rule| match rule.needs {
            Needs::Nothing => true,
            Needs::Enrolment => settings.enrols(),
            Needs::Cmc => settings.operations.contains(&Operation::FullCmc),
            Needs::Linking => settings.enrols() && settings.links(),
            Needs::Digest => settings.enrols() && settings.digest && settings.credentials.is_some(),
        };
        let rules = rules::all().filter(fits).collect();
        Self {
            settings,
            rules,
            rsa: RsaKeys::new(0),
        }
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A valid `simpleenroll` without name and password, by which a server shows whether it demands them.
    #[must_use]
    pub fn anonymous_enrolment(&self) -> Vec<u8> {
        let mut bench = Bench::new(self, super::random(0, 0), 0);
        let body = bench::base64(&bench.certification_request());
        let draft = bench.post(Operation::SimpleEnroll, "application/pkcs10", body);
        draft.without("Authorization").bytes()
    }

    /// How many cases it takes until each rule has had a turn.
    #[must_use]
    pub fn rules(&self) -> u64 {
        u64::try_from(self.rules.len()).unwrap_or(u64::MAX)
    }
}

impl Grammar for Est {
    fn name(&self) -> &'static str {
        "est"
    }

    /// The rules take turns, so that a short run has seen each of them; where the first begins depends on the seed.
    fn case(&self, seed: u64, index: u64) -> Case {
        let start = Rng::with_seed(seed).u64(..);
        let turn = start.wrapping_add(index);
        let number = usize::try_from(turn % self.rules().max(1)).unwrap_or_default();
        let round = usize::try_from(turn / self.rules().max(1) % 1_000_003).unwrap_or_default();
        let Some(rule) = self.rules.get(number) else {
            // There are rules that need nothing.
            return Case {
                index,
                seed,
                layer: crate::device_fuzz::case::Layer::Valid,
                name: String::new(),
                script: Vec::new(),
            };
        };
        let mut bench = Bench::new(self, super::random(seed, index), round);
        let made = (rule.make)(&mut bench);
        Case {
            index,
            seed,
            layer: rule.layer,
            name: format!("{}: {}", rule.name, made.name),
            script: made.script,
        }
    }

    fn judge(&self, case: &Case, observation: &Observation) -> Judgement {
        judge::judge(&self.settings, case, observation)
    }
}
