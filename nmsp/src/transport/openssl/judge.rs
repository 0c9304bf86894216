//! OpenSSL asks about the peer's certificate; the code that answers is the same as behind rustls.

use std::sync::{Mutex, PoisonError};

use openssl::error::ErrorStack;
use openssl::x509::{X509StoreContextRef, X509VerifyResult};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError};

use pki_common::Alert;
use pki_common::tls::{MAX_PRESENTED_CERTIFICATES, PeerVerifier};

use super::codes::ReasonCodes;

/// Who is judged.
#[derive(Debug)]
pub(super) enum Peer {
    /// A location server.
    Client,
    /// The controller that was connected to by this name.
    Server(ServerName<'static>),
}

/// What was found.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    Accepted,
    Refused {
        reason: CertificateError,
        /// The alert that OpenSSL sends.
        sent: Alert,
    },
}

/// Judges the certificate of one connection, once.
#[derive(Debug)]
pub(super) struct Judge {
    verifier: PeerVerifier,
    peer: Peer,
    codes: &'static ReasonCodes,
    verdict: Mutex<Option<(Verdict, X509VerifyResult)>>,
}

impl Judge {
    pub(super) fn new(verifier: PeerVerifier, peer: Peer) -> Result<Self, ErrorStack> {
        Ok(Self {
            verifier,
            peer,
            codes: ReasonCodes::load()?,
            verdict: Mutex::default(),
        })
    }

    /// What was found; `None` if OpenSSL has not asked.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        verdict.as_ref().map(|(verdict, _)| verdict.clone())
    }

    /// OpenSSL's verify callback. It is called for each step of OpenSSL's own verification, which knows no anchor and
    /// whose opinion does not count; the first call finds the chain complete.
    pub(super) fn asked(&self, context: &mut X509StoreContextRef) -> bool {
        let mut verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        let (verdict, code) = verdict.get_or_insert_with(|| self.judge(context));
        context.set_error(*code);
        matches!(verdict, Verdict::Accepted)
    }

    fn judge(&self, context: &X509StoreContextRef) -> (Verdict, X509VerifyResult) {
        match self.verify(&presented_chain(context)) {
            Ok(()) => (Verdict::Accepted, X509VerifyResult::OK),
            Err(reason) => {
                let wanted = Alert(AlertDescription::from(reason.clone()).into());
                let (code, sent) = self.codes.for_alert(wanted);
                (Verdict::Refused { reason, sent }, code)
            }
        }
    }

    fn verify(&self, chain: &[CertificateDer<'_>]) -> Result<(), CertificateError> {
        let (end_entity, intermediates) = chain.split_first().ok_or(CertificateError::BadEncoding)?;
        let now = UnixTime::now();
        match &self.peer {
            Peer::Client => self.verifier.check_client(end_entity, intermediates, now),
            Peer::Server(name) => self.verifier.check_server(end_entity, intermediates, name, now),
        }
    }
}

/// The peer's certificate and those it sent that lead on from it.
fn presented_chain(context: &X509StoreContextRef) -> Vec<CertificateDer<'static>> {
    let chain = context.chain().into_iter().flatten();
    chain
        .take(MAX_PRESENTED_CERTIFICATES)
        .map_while(|certificate| certificate.to_der().ok())
        .map(CertificateDer::from)
        .collect()
}
