//! One case, asked of the trust store.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use pki_common::certificate::Certificate;
use pki_common::revocation::{RevocationCheck, RevocationDepth, RevocationLists};
use pki_common::trust_store::{ExpectedName, TrustStore, Usage};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::result::{ActualResult, CaseResult};
use super::suite::{Case, PeerName};

/// How long a case may take. All but those that aim at the validator's patience take milliseconds.
pub const HANG_AFTER: Duration = Duration::from_secs(60);

/// The role of the trust store in error messages.
const ROLE: &str = "limbo";

/// What our trust store says of a case.
///
/// A chain is asked of [`TrustStore::validate`] or, with revocation lists, of [`TrustStore::validate_unrevoked`], and the
/// name of [`TrustStore::check_name`]: what a client of this project does with the certificate of a server. A case that asks
/// for a setting that we do not have is skipped.
#[must_use]
pub fn evaluate(case: &Case) -> CaseResult {
    if let Some(reason) = not_offered(case) {
        return CaseResult::new(case, ActualResult::Skipped, Some(reason));
    }
    let (sender, receiver) = mpsc::channel();
    let own = case.clone();
    // A validator that does not end cannot be stopped, but it can be left behind.
    let started = thread::Builder::new().spawn(move || drop(sender.send(validate(&own))));
    let verdict = match started {
        Ok(_) => receiver.recv_timeout(HANG_AFTER),
        Err(_) => Ok(validate(case)),
    };
    match verdict {
        Ok(Ok(())) => CaseResult::new(case, ActualResult::Success, None),
        Ok(Err(Refusal::Chain(reason))) => CaseResult::new(case, ActualResult::Failure, Some(reason)),
        Ok(Err(Refusal::NotOffered(reason))) => {
            CaseResult::new(case, ActualResult::Skipped, Some(reason.to_owned()))
        }
        Err(mpsc::RecvTimeoutError::Timeout) => CaseResult::new(
            case,
            ActualResult::Hang,
            Some(format!("no verdict in {} s", HANG_AFTER.as_secs())),
        ),
        Err(mpsc::RecvTimeoutError::Disconnected) => CaseResult::new(
            case,
            ActualResult::Hang,
            Some("the validation panicked".to_owned()),
        ),
    }
}

/// What the case asks for and we have no setting for.
fn not_offered(case: &Case) -> Option<String> {
    let reason = if case.max_chain_depth.is_some() {
        "the length of a chain has no setting; rustls-webpki allows six intermediate certificates"
    } else if !case.signature_algorithms.is_empty() {
        "the set of signature algorithms is fixed"
    } else if !case.key_usage.is_empty() {
        "the key usage to demand is fixed by the purpose"
    } else {
        return None;
    };
    Some(reason.to_owned())
}

enum Refusal {
    Chain(String),
    NotOffered(&'static str),
}

impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Chain(error.to_string())
    }
}

fn validate(case: &Case) -> Result<(), Refusal> {
    let usage = usage(case)?;
    let now = moment(case)?;
    let store = anchors(case);
    let peer = Certificate::from_pem(case.peer_certificate.as_bytes())?;
    let intermediates = case
        .untrusted_intermediates
        .iter()
        .map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()))
        .collect::<Result<Vec<_>, _>>()?;
    if case.crls.is_empty() {
        store.validate(&peer, &intermediates, usage, now)?;
    } else {
        let mut lists = RevocationLists::empty(ROLE);
        for list in &case.crls {
            lists.add_der(&CertificateRevocationListDer::from_pem_slice(list.as_bytes())?)?;
        }
        let check = RevocationCheck::by(lists).with_depth(RevocationDepth::EndEntity);
        store.validate_unrevoked(&peer, &intermediates, usage, now, &check)?;
    }
    for name in case.expected_peer_name.iter().chain(&case.expected_peer_names) {
        store.check_name(&peer, &expected_name(name)?)?;
    }
    Ok(())
}

/// The purpose that the extended key usages of the case amount to.
fn usage(case: &Case) -> Result<Usage, Refusal> {
    match case
        .extended_key_usage
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["serverAuth"] => Ok(Usage::Server),
        ["clientAuth"] => Ok(Usage::Client),
        [] if case.validation_kind == "CLIENT" => Ok(Usage::Client),
        [] => Ok(Usage::Server),
        _ => Err(Refusal::NotOffered(
            "only the purposes of a TLS client and of a TLS server can be asked for",
        )),
    }
}

/// The store of the case. An anchor that cannot be one vouches for nobody.
fn anchors(case: &Case) -> TrustStore {
    let mut store = TrustStore::empty(ROLE);
    for pem in &case.trusted_certs {
        match Certificate::from_pem(pem.as_bytes()) {
            Ok(anchor) => {
                if let Err(error) = store.add(&anchor) {
                    tracing::debug!(case = case.id, %error, "a certificate cannot be an anchor");
                }
            }
            Err(error) => tracing::debug!(case = case.id, %error, "an anchor cannot be read"),
        }
    }
    store
}

fn moment(case: &Case) -> Result<UnixTime, Refusal> {
    let Some(text) = &case.validation_time else {
        return Ok(UnixTime::now());
    };
    let time = OffsetDateTime::parse(text, &Rfc3339)?;
    let seconds = u64::try_from(time.unix_timestamp())
        .map_err(|_| Refusal::NotOffered("a moment before 1970 cannot be asked for"))?;
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

fn expected_name(name: &PeerName) -> Result<ExpectedName, Refusal> {
    match name.kind.as_str() {
        "DNS" | "IP" => Ok(ExpectedName::server(&name.value)?),
        _ => Err(Refusal::NotOffered(
            "names of mail addresses are not compared: no peer of this project has one",
        )),
    }
}
