//! What one path label is made of.

use std::sync::Arc;

use pki_common::trust_store::TrustStore;

use super::csr_attributes::CsrAttributesPolicy;
use super::full_cmc::FullCmcSettings;
use super::layout::ResponseLayout;
use super::path::Operation;
use super::proof_of_possession::ProofOfPossession;
use super::server_key_generation::ServerKeyGenerationSettings;
use super::simple_reenroll::ReenrollmentPolicy;
use crate::auth::{AuthenticationRequirement, Authenticator};
use crate::ca::CertificateAuthority;
use crate::wire::csr::{CsrLimits, VerificationPolicy};

/// The largest body of an enrolment request, in bytes: base64 of the largest certification request that is
/// accepted ([`DEFAULT_MAX_CSR_LENGTH`](crate::wire::csr::DEFAULT_MAX_CSR_LENGTH)), with room for line ends and armour.
pub const DEFAULT_MAX_ENROLL_BODY: usize = 64 * 1024;

/// The largest body of a `fullcmc` request, in bytes: a few certification requests, the signer's chain and signature.
pub const DEFAULT_MAX_CMC_BODY: usize = 256 * 1024;

/// A path label: its certificate authority, and how requests under it are treated.
///
/// Labels may share an authority, or have authorities that share a key and differ in policy.
#[derive(Debug, Clone)]
pub struct LabelService {
    /// Issues the certificates.
    pub authority: Arc<dyn CertificateAuthority>,
    /// How requests are treated.
    pub settings: LabelSettings,
    /// Who checks passwords under this label; `None`: the one of the server.
    pub authenticator: Option<Arc<dyn Authenticator>>,
}

impl LabelService {
    /// A label over this authority, with the users of the server.
    #[must_use]
    pub fn new(authority: Arc<dyn CertificateAuthority>, settings: LabelSettings) -> Self {
        Self {
            authority,
            settings,
            authenticator: None,
        }
    }

    /// The same label with users of its own, of which other labels know nothing.
    #[must_use]
    pub fn with_authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.authenticator = Some(authenticator);
        self
    }
}

/// How requests under a label are treated.
///
/// # Defaults
/// A client certificate (any that TLS accepts) or HTTP Basic suffices, no proof of possession beyond the request's own signature is asked for, a
/// re-enrolment demands the certificate that it renews, no attributes are asked for, keys are not made here, full CMC
/// is not offered, limits and verification of the wire layer, base64 as [`ResponseLayout`] says, realm `EST`.
#[derive(Debug, Clone)]
pub struct LabelSettings {
    /// What an enrolment demands of its client. `cacerts` and `csrattrs` demand nothing (RFC 7030, sections 4.1.1 and
    /// 4.5.1).
    pub authentication: AuthenticationRequirement,
    /// Under whose anchors the certificate of a client must be; `None`: what the TLS handshake accepted is enough.
    ///
    /// The handshake comes before the label is known, so it accepts the certificates of all labels. Without anchors of
    /// its own, a label takes those that another label's authority has issued under a weaker policy. A certificate that
    /// leads to none of these anchors is no certificate here: it neither authenticates nor can it be renewed.
    pub client_anchors: Option<Arc<TrustStore>>,
    /// Whether a request must be tied to the TLS connection it comes in (RFC 7030, section 3.5).
    pub proof_of_possession: ProofOfPossession,
    /// What `simplereenroll` demands (RFC 7030, section 4.2.2).
    pub reenrollment: ReenrollmentPolicy,
    /// What `csrattrs` answers, `None` for 204.
    pub csr_attributes: Option<CsrAttributesPolicy>,
    /// How `serverkeygen` makes keys, `None`: not offered.
    pub server_key_generation: Option<ServerKeyGenerationSettings>,
    /// How `fullcmc` answers, `None`: not offered.
    pub full_cmc: Option<FullCmcSettings>,
    /// The largest body of a request that holds a PKCS #10, in bytes.
    pub enroll_body: usize,
    /// The largest body of a `fullcmc` request, in bytes.
    pub cmc_body: usize,
    /// Bounds on a certification request.
    pub csr_limits: CsrLimits,
    /// Which signatures on a certification request are accepted.
    pub verification: VerificationPolicy,
    /// How the base64 of responses is broken into lines.
    pub layout: ResponseLayout,
    /// Whether responses carry `Content-Transfer-Encoding: base64`. RFC 7030 demands it and clients of its time look
    /// for it; RFC 8951 has receivers ignore it. Sending it serves both.
    pub content_transfer_encoding: bool,
    /// The realm of a password challenge: the name by which a person knows which password is meant.
    pub realm: String,
}

impl LabelSettings {
    /// The realm when none is set.
    pub const REALM: &'static str = "EST";

    /// Whether the label has the operation.
    #[must_use]
    pub const fn offers(&self, operation: Operation) -> bool {
        match operation {
            Operation::CaCerts
            | Operation::SimpleEnroll
            | Operation::SimpleReenroll
            | Operation::CsrAttrs => true,
            Operation::ServerKeyGen => self.server_key_generation.is_some(),
            Operation::FullCmc => self.full_cmc.is_some(),
        }
    }

    /// The largest body of a request for the operation, in bytes; 0 when the body means nothing.
    #[must_use]
    pub const fn body_limit(&self, operation: Operation) -> usize {
        match operation {
            Operation::CaCerts | Operation::CsrAttrs => 0,
            Operation::FullCmc => self.cmc_body,
            Operation::SimpleEnroll | Operation::SimpleReenroll | Operation::ServerKeyGen => self.enroll_body,
        }
    }
}

impl Default for LabelSettings {
    fn default() -> Self {
        Self {
            authentication: AuthenticationRequirement::default(),
            client_anchors: None,
            proof_of_possession: ProofOfPossession::default(),
            reenrollment: ReenrollmentPolicy::default(),
            csr_attributes: None,
            server_key_generation: None,
            full_cmc: None,
            enroll_body: DEFAULT_MAX_ENROLL_BODY,
            cmc_body: DEFAULT_MAX_CMC_BODY,
            csr_limits: CsrLimits::default(),
            verification: VerificationPolicy::default(),
            layout: ResponseLayout::default(),
            content_transfer_encoding: true,
            realm: Self::REALM.to_owned(),
        }
    }
}
