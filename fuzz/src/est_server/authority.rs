//! The certificate authority behind the server under test: the embedded one, with an operator, with moods, and with a
//! notary who writes down what was issued and refuses to believe that it may be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use est::ca::database::MemoryLog;
use est::ca::embedded::EmbeddedCertificateAuthority;
use est::ca::policy::IssuancePolicy;
use est::ca::{
    CaFuture, CertificateAuthority, ChannelBindingState, EnrollError, EnrollOperation, EnrollOutcome,
    EnrollRequest, IssuedCertificate, PolicyRefusal, PolicyRule, RevokeRequest, ServerKeyDecision,
    ServerKeyRequest,
};
use pki_common::KnownCause;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::allowed::{Allowed, Label};

/// How long an operator has a client wait.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(300);

/// Longer than the server waits for an answer.
const TOO_LONG: Duration = Duration::from_secs(60);

/// What the authority does next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mood {
    #[default]
    Well,
    Slow,
    Unavailable,
    Broken,
    /// What it asks itself fails.
    Upstream,
    /// What it asks itself says no.
    Denied,
    Unsupported,
    /// The fault is another's, and it says when to come back.
    Busy,
}

/// What an operator said about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Yes,
    No,
}

#[derive(Debug, Default)]
struct Book {
    mood: Mood,
    /// What the request that is under way may lead to.
    allowed: Option<Allowed>,
    /// Requests that wait for the operator, by what makes them the same.
    asked: BTreeMap<Vec<u8>, Said>,
    /// The answers to approved ones.
    given: BTreeMap<Vec<u8>, IssuedCertificate>,
    serials: BTreeSet<String>,
    issued: Vec<CertificateDer<'static>>,
}

fn upstream(cause: KnownCause, retry_after: Option<Duration>) -> EnrollError {
    EnrollError::Upstream {
        failure: Box::new(cause.failure("the script says so")),
        retry_after,
    }
}

#[derive(Debug)]
pub(super) struct Authority {
    inner: EmbeddedCertificateAuthority,
    book: Mutex<Book>,
}

impl Authority {
    pub(super) fn new() -> Arc<Self> {
        let provider = pki_common::tls::crypto_provider().expect("the feature aws-lc-rs is on");
        let inner = EmbeddedCertificateAuthority::new(
            crate::new_issuer(UnixTime::now()),
            IssuancePolicy::default(),
            Arc::new(MemoryLog::new(provider)),
            pki_common::clock::system_clock(),
        );
        Arc::new(Self {
            inner,
            book: Mutex::default(),
        })
    }

    /// The CA certificate.
    pub(super) fn root(&self) -> &CertificateDer<'static> {
        self.inner.ca_certificate()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        act(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_mood(&self, mood: Mood) {
        self.with(|book| book.mood = mood);
    }

    /// Before a request: what it may lead to.
    pub(super) fn allow(&self, allowed: Allowed) {
        self.with(|book| book.allowed = Some(allowed));
    }

    /// All that was issued so far.
    pub(super) fn issued(&self) -> Vec<CertificateDer<'static>> {
        self.with(|book| book.issued.clone())
    }

    /// The operator decides about one of the requests that wait.
    pub(super) fn decide(&self, which: usize, said: Said) {
        self.with(|book| {
            let count = book.asked.len().max(1);
            if let Some(answer) = book.asked.values_mut().nth(which % count)
                && *answer == Said::Nothing
            {
                *answer = said;
            }
        });
    }

    async fn mood(&self) -> Result<(), EnrollError> {
        match self.with(|book| book.mood) {
            Mood::Well => Ok(()),
            Mood::Slow => {
                tokio::time::sleep(TOO_LONG).await;
                Ok(())
            }
            Mood::Unavailable => Err(EnrollError::Unavailable {
                reason: "the script says so".to_owned(),
                retry_after: Duration::from_secs(10),
            }),
            Mood::Broken => Err(EnrollError::Internal {
                reason: "the script says so".to_owned(),
            }),
            Mood::Upstream => Err(upstream(KnownCause::ConnectionRefused, None)),
            Mood::Denied => Err(upstream(KnownCause::RequestDenied, None)),
            Mood::Busy => Err(upstream(KnownCause::ServerFailed, Some(RETRY_AFTER))),
            Mood::Unsupported => Err(EnrollError::Unsupported {
                what: "such certificates".to_owned(),
            }),
        }
    }

    /// What the operator has said about this request, which is put to them if it is new.
    fn ask(&self, identity: Vec<u8>) -> Result<Said, EnrollError> {
        let said = self.with(|book| *book.asked.entry(identity).or_insert(Said::Nothing));
        if said == Said::No {
            return Err(EnrollError::RejectedByPolicy(PolicyRefusal {
                rule: PolicyRule::Approval,
                text: "the operator said no".to_owned(),
            }));
        }
        Ok(said)
    }

    async fn decided(&self, request: EnrollRequest) -> Result<EnrollOutcome, EnrollError> {
        let label = Label::of(request.label.as_ref());
        self.with(|book| {
            let allowed = book.allowed.expect("an authority is asked within a request");
            allowed.check(label, request.operation, &request.requester);
            if label == Label::Bound {
                let verified = matches!(request.channel_binding, ChannelBindingState::Verified(_));
                assert!(
                    verified,
                    "a request without proof of possession reached the authority"
                );
            }
        });
        self.mood().await?;
        if label != Label::Approved || request.operation == EnrollOperation::ServerKeyGen {
            return self.issue(request).await;
        }
        let identity = [
            request.csr.public_key().spki_der(),
            request.requester.name.as_bytes(),
        ]
        .concat();
        if let Some(given) = self.with(|book| book.given.get(&identity).cloned()) {
            return Ok(EnrollOutcome::Issued(given));
        }
        if self.ask(identity.clone())? == Said::Nothing {
            return Ok(EnrollOutcome::Pending {
                retry_after: RETRY_AFTER,
            });
        }
        let outcome = self.issue(request).await?;
        if let EnrollOutcome::Issued(issued) = &outcome {
            self.with(|book| book.given.insert(identity, issued.clone()));
        }
        Ok(outcome)
    }

    async fn issue(&self, request: EnrollRequest) -> Result<EnrollOutcome, EnrollError> {
        let outcome = self.inner.enroll(request).await?;
        if let EnrollOutcome::Issued(issued) = &outcome {
            self.with(|book| {
                assert!(
                    book.serials.insert(issued.serial.to_string()),
                    "a serial number was given twice"
                );
                book.issued.push(issued.certificate.clone());
            });
        }
        Ok(outcome)
    }
}

impl CertificateAuthority for Authority {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        Box::pin(async {
            self.mood().await?;
            self.inner.ca_certificates().await
        })
    }

    fn revocation_list(&self) -> CaFuture<'_, Option<Bytes>> {
        Box::pin(async {
            self.mood().await?;
            Ok(crate::keys::LISTS
                .first()
                .map(|(list, _)| Bytes::from_static(list)))
        })
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        Box::pin(self.decided(request))
    }

    fn revoke(&self, request: RevokeRequest) -> CaFuture<'_, ()> {
        Box::pin(async move {
            let label = Label::of(request.label.as_ref());
            self.with(|book| {
                let allowed = book.allowed.expect("an authority is asked within a request");
                allowed.check_revocation(label, request.serial);
            });
            self.mood().await?;
            self.inner.revoke(request).await
        })
    }

    fn approve_server_key(&self, request: ServerKeyRequest) -> CaFuture<'_, ServerKeyDecision> {
        Box::pin(async move {
            if Label::of(request.label.as_ref()) == Label::Approved
                && self.ask(request.identity().to_vec())? == Said::Nothing
            {
                return Ok(ServerKeyDecision::Pending {
                    retry_after: RETRY_AFTER,
                });
            }
            Ok(ServerKeyDecision::MakeKey)
        })
    }
}
