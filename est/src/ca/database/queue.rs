//! The queue of requests that wait for a person.
//!
//! ```text
//!            submit                 approve               submit again, issue
//! (nothing) --------> waiting --------------> approved ------------------> issued
//!                        |   reject                |                          |
//!                        +---------> rejected      | not picked up            | pick-up time over:
//!                        |   time over             v                          v the same request starts over
//!                        +---------------------> expired
//! ```
//!
//! The entry of a request is found by what was asked, by whom and where ([`request_key`]), so that a client that
//! asks again, also after a restart of the server or of itself, and with a proof of possession for another connection,
//! finds its own entry.

use std::time::Duration;

use pki_common::Certificate;
use sha2::{Digest as _, Sha256};

use super::record::{CertificateRecord, RequestOrigin};
use crate::ca::{EnrollOperation, Requester};
use crate::wire::csr::{CertificationRequest, PROOFS};
use crate::wire::label::PathLabel;

/// A request for the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// What its entry is found by: [`request_key`], or [`ServerKeyRequest::identity`](crate::ca::ServerKeyRequest::identity).
    pub key: [u8; 32],
    /// Whether its certificate leaves once and then is of no more use, because the server made the key and keeps none:
    /// the same request starts over then, and is approved anew.
    pub leaves_once: bool,
    /// The request, in DER.
    pub csr: Vec<u8>,
    /// Its subject as RFC 4514 writes it.
    pub subject: String,
    /// Where it came from.
    pub origin: RequestOrigin,
    /// The time, in seconds since the Unix epoch.
    pub now: u64,
    /// The bounds.
    pub rules: QueueRules,
}

/// Bounds of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueRules {
    /// How long an entry waits for a decision.
    pub waits: Duration,
    /// How long after the decision the requester can learn of it, and fetch the certificate.
    pub pick_up: Duration,
    /// Most entries that wait for a decision or are approved and not picked up.
    pub max_entries: u32,
    /// Most of them from one requester.
    pub max_per_requester: u32,
}

/// What the queue has to say about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueAnswer {
    /// It waits for a decision, since now or since an earlier time.
    Waiting {
        /// Its number, by which the operator names it.
        id: i64,
    },
    /// It is approved: issue it, and say so with
    /// [`record_issued_from_queue`](super::CertificateLog::record_issued_from_queue).
    Approved {
        /// Its number.
        id: i64,
    },
    /// It was approved and issued before.
    Issued(Box<CertificateRecord>),
    /// The operator refused.
    Rejected {
        /// The operator's words.
        reason: String,
    },
    /// Nobody decided in time, or nobody picked it up.
    Expired,
    /// There is no room.
    Full {
        /// The bound that was reached.
        limit: u32,
        /// Whether it is the one for a single requester.
        of_one_requester: bool,
    },
}

/// The state of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueState {
    /// Waits for a decision.
    Waiting,
    /// Approved, not picked up yet.
    Approved,
    /// Approved and issued.
    Issued,
    /// Refused.
    Rejected,
    /// Not decided or not picked up in time.
    Expired,
}

impl QueueState {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Approved,
        Self::Issued,
        Self::Rejected,
        Self::Expired,
    ];

    /// The word for it, in the database and for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved => "approved",
            Self::Issued => "issued",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }

    /// The state with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// An entry of the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueEntry {
    /// Its number.
    pub id: i64,
    /// What became of it.
    pub state: QueueState,
    /// The request, in DER.
    pub csr: Vec<u8>,
    /// Its subject as RFC 4514 writes it.
    pub subject: String,
    /// Where it came from.
    pub origin: RequestOrigin,
    /// When it was first made.
    pub submitted_at: u64,
    /// Until when it waits for a decision.
    pub expires_at: u64,
    /// When it left the state `waiting`.
    pub decided_at: Option<u64>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// The words that go with the decision.
    pub reason: Option<String>,
    /// The serial number of the certificate, in hexadecimal, once there is one.
    pub serial: Option<String>,
}

/// A decision of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The number of the entry.
    pub id: i64,
    /// Yes or no.
    pub approved: bool,
    /// Who decided.
    pub by: String,
    /// Why. The requester of a rejected request gets to read it.
    pub reason: Option<String>,
    /// The time, in seconds since the Unix epoch.
    pub now: u64,
}

/// What the entry of a request is found by: SHA-256 over everything that matters for the certificate (subject, public
/// key, requested extensions, attributes), the requester, the operation and the path label, each after its length so
/// that they cannot run into one another.
///
/// `challengePassword` and `estIdentityLinking` do not matter: a proof of possession is bound to one TLS connection
/// (RFC 7030 section 3.5), and the retry comes on another. Neither does the signature, which is another one each
/// time with most kinds of keys. A retry with the same key and names is thus found whether or not the client kept its
/// bytes.
pub fn request_key(request: &CertificationRequest, origin: &RequestOrigin) -> [u8; 32] {
    let mut parts = Parts(Sha256::new());
    parts.add(request.subject_der());
    parts.add(request.public_key().spki_der());
    parts.add_contents(request);
    parts.add(origin.requester.as_bytes());
    parts.add(origin.operation.as_bytes());
    parts.add(origin.label.as_deref().unwrap_or_default().as_bytes());
    parts.0.finalize().into()
}

/// The same for a request whose key the server makes; see [`ServerKeyRequest::identity`](crate::ca::ServerKeyRequest).
pub(crate) fn server_key_identity(
    request: &CertificationRequest,
    requester: &Requester,
    label: Option<&PathLabel>,
) -> [u8; 32] {
    let issuer = requester.certificate.as_ref().map(Certificate::issuer_der);
    let mut parts = Parts(Sha256::new());
    parts.add(request.subject_der());
    parts.add(request.public_key().kind().to_string().as_bytes());
    parts.add_contents(request);
    parts.add(requester.name.as_bytes());
    parts.add(requester.authentication.to_string().as_bytes());
    parts.add(issuer.unwrap_or_default());
    parts.add(EnrollOperation::ServerKeyGen.to_string().as_bytes());
    parts.add(label.map(ToString::to_string).unwrap_or_default().as_bytes());
    parts.0.finalize().into()
}

/// Parts, each after its length.
struct Parts(Sha256);

impl Parts {
    fn add(&mut self, part: &[u8]) {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        self.0.update(length.to_be_bytes());
        self.0.update(part);
    }

    fn add_contents(&mut self, request: &CertificationRequest) {
        for extension in request.requested_extensions() {
            self.add(extension.oid.as_bytes());
            self.add(&[u8::from(extension.critical)]);
            self.add(&extension.value);
        }
        // No part above is this long: what follows cannot be taken for extensions.
        self.add(&[0; 64]);
        let attributes = request.attributes().iter();
        for attribute in attributes.filter(|attribute| !PROOFS.contains(&attribute.oid)) {
            self.add(&attribute.to_der());
        }
        self.add(&[0; 64]);
    }
}

#[cfg(test)]
mod tests {
    use pki_common::identity::NewKey;

    use super::*;
    use crate::request::{BindingAttribute, RequestKey, RequestTemplate};
    use crate::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy, VerifiedCsr};

    fn request(key: &RequestKey, subject: &str, name: &str, binding: Option<&str>) -> VerifiedCsr {
        let template = RequestTemplate::new(subject.parse().unwrap(), &[name.parse().unwrap()]).unwrap();
        let binding = binding.map(|text| (BindingAttribute::ChallengePassword, text));
        let der = template.sign(key, binding).unwrap();
        let read = UnverifiedCsr::from_der(&der, &CsrLimits::default()).unwrap();
        read.verify(&VerificationPolicy::default()).unwrap()
    }

    fn origin(requester: &str, label: Option<&str>, operation: &str) -> RequestOrigin {
        RequestOrigin {
            requester: requester.to_owned(),
            label: label.map(ToOwned::to_owned),
            operation: operation.to_owned(),
            ..RequestOrigin::default()
        }
    }

    #[test]
    fn another_request_requester_operation_or_label_is_another_entry() {
        let own = RequestKey::generate(NewKey::EcP256).unwrap();
        let csr = request(&own, "CN=a", "DNS:a.example", None);
        let key = request_key(&csr, &origin("a", Some("b"), "simpleenroll"));
        assert_eq!(key, request_key(&csr, &origin("a", Some("b"), "simpleenroll")));
        for other in [
            origin("ab", None, "simpleenroll"),
            origin("b", Some("a"), "simpleenroll"),
            origin("a", None, "simpleenroll"),
            origin("a", Some("b"), "simplereenroll"),
        ] {
            assert_ne!(key, request_key(&csr, &other), "{other:?}");
        }
        let another = RequestKey::generate(NewKey::EcP256).unwrap();
        for other in [
            request(&own, "CN=b", "DNS:a.example", None),
            request(&own, "CN=a", "DNS:b.example", None),
            request(&another, "CN=a", "DNS:a.example", None),
        ] {
            assert_ne!(key, request_key(&other, &origin("a", Some("b"), "simpleenroll")));
        }
    }

    #[test]
    fn a_witness_for_another_cmc_message_is_the_same_entry() {
        let own = RequestKey::generate(NewKey::EcP256).unwrap();
        let alice = origin("alice", None, "fullcmc");
        let keys = [[4, 1, 1], [4, 1, 2]].map(|witness| {
            let mut template = RequestTemplate::new("CN=a".parse().unwrap(), &[]).unwrap();
            template.attributes.push(crate::wire::csr::Attribute {
                oid: crate::wire::cmc::oid::POP_LINK_WITNESS,
                values: vec![witness.to_vec()],
            });
            let der = template.sign(&own, None).unwrap();
            let read = UnverifiedCsr::from_der(&der, &CsrLimits::default()).unwrap();
            request_key(read.unverified_contents(), &alice)
        });
        assert_eq!(keys[0], keys[1]);
    }

    #[test]
    fn a_proof_for_another_connection_is_the_same_entry() {
        let own = RequestKey::generate(NewKey::EcP256).unwrap();
        let alice = origin("alice", None, "simpleenroll");
        let without = request(&own, "CN=a", "DNS:a.example", None);
        for binding in ["Zmlyc3Q=", "c2Vjb25k"] {
            let bound = request(&own, "CN=a", "DNS:a.example", Some(binding));
            assert_ne!(bound.der(), without.der());
            assert_eq!(request_key(&bound, &alice), request_key(&without, &alice));
        }
    }
}
