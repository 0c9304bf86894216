//! The server under test: a real [`EstService`] over the authority, with a user, a token and six labels.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use est::auth::digest::{DigestAlgorithm, DigestSecret, DigestSettings, DigestVerifier, NonceKey};
use est::auth::{
    AuthenticationRequirement, Authenticator, AuthenticatorUnavailable, BasicCredentials, BearerToken,
    TokenVerdict, Verdict, VerdictFuture,
};
use est::operation::{
    CsrAttributesPolicy, DirectKeyGenerator, FullCmcSettings, KeyPackageSigner, LabelService, LabelSettings,
    Operations, ProofOfPossession, RecipientCertificate, ServerKeyGenerationSettings, ServerKeyKind,
    SharedSecrets,
};
use est::server::{EstService, Server, ServerConfig, ServerHandle, ServerLimits};
use est::wire::csr_attributes::{CsrAttributes, CsrAttributesLimits};
use pki_common::Certificate;
use pki_common::tls::ServerTls;
use pki_common::trust_store::TrustStore;
use tokio::runtime::Runtime;

use super::allowed::Label;
use super::authority::Authority;

pub(super) const USER: &str = "phone";
pub(super) const PASSWORD: &str = "correct horse";
/// Whose password is looked up by a thread, as argon2 would be.
pub(super) const OTHER_USER: &str = "desk";
/// Whose password another server checks.
pub(super) const FAR_USER: &str = "far";
/// What that server is not asked about, and with what it cannot be reached.
pub(super) const NOT_ASKED: &str = "once more";
pub(super) const NOT_REACHED: &str = "no way";
pub(super) const TOKEN: &str = "dG9rZW4gb2YgdGhlIGZ1enogY29ycHVz";
/// Which is looked up by a thread.
pub(super) const OTHER_TOKEN: &str = "YW5vdGhlciB0b2tlbiBvZiB0aGUgZnV6eg";
pub(super) const ENDED_TOKEN: &str = "dG9rZW4gdGhhdCBoYXMgZW5kZWQgYWxyZWFkeQ";
/// What proves an identity in full CMC, and by which name.
pub(super) const SECRET: &str = "sixteen characters";
pub(super) const IDENTIFICATION: &str = "device-1";
/// The same secret for one subject alone.
pub(super) const IDENTIFICATION_OF_ONE: &str = "device-3";

/// By which a request names the certificate that keys can be encrypted for.
pub(super) const RECIPIENT: &[u8] = b"recipient";

/// Where the revocation list is.
pub(super) const LIST: &str = "/root.crl";

/// The largest body that is taken, in bytes: small, so that it is reached.
pub(super) const MAX_BODY: usize = 4096;

/// One user without argon2, which would take all the time there is.
#[derive(Debug)]
struct OneUser(Arc<DigestVerifier>);

impl Authenticator for OneUser {
    fn recall(&self, credentials: &BasicCredentials, _now: Instant) -> Option<bool> {
        (![OTHER_USER, FAR_USER].contains(&credentials.user())).then(|| is_right(credentials))
    }

    fn check(&self, credentials: &BasicCredentials, _now: Instant) -> Result<bool, AuthenticatorUnavailable> {
        if credentials.password() == NOT_REACHED {
            return Err(AuthenticatorUnavailable::new("the script says so"));
        }
        Ok(is_right(credentials))
    }

    fn check_elsewhere<'a>(&'a self, credentials: &'a BasicCredentials) -> Option<VerdictFuture<'a>> {
        (credentials.user() == FAR_USER).then(|| -> VerdictFuture<'a> {
            Box::pin(async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                match credentials.password() {
                    PASSWORD => Ok(Verdict::Right),
                    NOT_ASKED => Ok(Verdict::NotAsked {
                        retry_after: Duration::from_secs(30),
                    }),
                    NOT_REACHED => Err(AuthenticatorUnavailable::new("the script says so")),
                    _ => Ok(Verdict::Wrong),
                }
            })
        })
    }

    fn digest(&self) -> Option<Arc<DigestVerifier>> {
        Some(Arc::clone(&self.0))
    }

    fn digest_secret(&self, user: &str, realm: &str, algorithm: DigestAlgorithm) -> Option<DigestSecret> {
        (user == USER).then(|| DigestSecret::new(algorithm, user, realm, PASSWORD))
    }

    fn recall_token(&self, token: &BearerToken, _now: SystemTime) -> Option<TokenVerdict> {
        match token.as_str() {
            TOKEN => Some(TokenVerdict::Valid {
                user: USER.to_owned(),
            }),
            OTHER_TOKEN | ENDED_TOKEN => None,
            _ => Some(TokenVerdict::Invalid),
        }
    }

    fn check_token(
        &self,
        token: &BearerToken,
        _now: SystemTime,
    ) -> Result<TokenVerdict, AuthenticatorUnavailable> {
        Ok(match token.as_str() {
            OTHER_TOKEN => TokenVerdict::Valid {
                user: OTHER_USER.to_owned(),
            },
            _ => TokenVerdict::Invalid,
        })
    }
}

fn is_right(credentials: &BasicCredentials) -> bool {
    [USER, OTHER_USER].contains(&credentials.user()) && credentials.password() == PASSWORD
}

/// A server with nothing issued yet.
pub(super) struct World {
    pub(super) authority: Arc<Authority>,
    handle: ServerHandle,
}

impl World {
    pub(super) async fn new() -> Self {
        let authority = Authority::new();
        // The socket is let go at once; requests come by the service.
        let server = Server::bind(([127, 0, 0, 1], 0).into(), config(&authority, false))
            .await
            .expect("loopback has a free port, and the configuration is one");
        let handle = server.handle();
        Self { authority, handle }
    }

    /// The label `Open` is closed, or opened again.
    pub(super) fn reload(&self, shut: bool) {
        let config = config(&self.authority, shut);
        self.handle.reload(config).expect("the configuration is one");
    }

    pub(super) fn service(&self) -> EstService {
        self.handle.service()
    }
}

fn config(authority: &Arc<Authority>, shut: bool) -> ServerConfig {
    let verifier = DigestVerifier::new(DigestSettings::default(), NonceKey::from_bytes([7; 32]));
    ServerConfig {
        tls: ServerTls::new(Arc::clone(crate::keys::signer())),
        operations: operations(authority, shut),
        authenticator: Arc::new(OneUser(Arc::new(verifier))),
        limits: ServerLimits {
            requests_per_connection: 20,
            ..ServerLimits::default()
        },
    }
}

fn operations(authority: &Arc<Authority>, shut: bool) -> Operations {
    let mut anchors = TrustStore::empty("the authority's own root");
    let root = Certificate::from_der(authority.root()).expect("a certificate");
    anchors.add(&root).expect("a root");
    let anchors = Arc::new(anchors);
    let lists = Operations::none().with_revocation_list(LIST, Arc::<Authority>::clone(authority));
    Label::ALL.into_iter().fold(lists, |operations, label| {
        let settings = settings(label, &anchors, shut);
        let service = LabelService::new(Arc::<Authority>::clone(authority), settings);
        match label.text() {
            _ if label == Label::Unknown => operations,
            None => operations.with_default(service),
            Some(text) => operations.with_label(text.parse().expect("a label"), service),
        }
    })
}

fn settings(label: Label, anchors: &Arc<TrustStore>, shut: bool) -> LabelSettings {
    let mut settings = LabelSettings {
        enroll_body: MAX_BODY,
        cmc_body: 2 * MAX_BODY,
        proof_of_possession: ProofOfPossession::Accepted,
        ..LabelSettings::default()
    };
    let any_of = |texts: &[&str]| AuthenticationRequirement::parse(texts).expect("methods");
    match label {
        Label::Open => {
            if shut {
                settings.authentication = AuthenticationRequirement::closed();
            }
            settings.server_key_generation = Some(server_keys());
            settings.full_cmc = Some(full_cmc(anchors));
        }
        Label::Bound => settings.proof_of_possession = ProofOfPossession::Required,
        Label::Strict => {
            settings.authentication = any_of(&["certificate+basic"]);
            settings.client_anchors = Some(Arc::clone(anchors));
            settings.csr_attributes = Some(attributes(shut));
            settings.reenrollment.registrars = true;
            settings.reenrollment.change_subject_name = true;
            settings.full_cmc = Some(FullCmcSettings {
                identity_proof_required: true,
                allow_revocation: true,
                ..full_cmc(anchors)
            });
        }
        Label::Approved => {
            settings.server_key_generation = Some(server_keys());
            settings.full_cmc = Some(FullCmcSettings {
                subject_must_match_signer: false,
                ..full_cmc(anchors)
            });
        }
        Label::Secret => {
            settings.authentication = any_of(&["digest", "bearer"]);
            settings.proof_of_possession = ProofOfPossession::Off;
        }
        Label::Closed | Label::Unknown => settings.authentication = AuthenticationRequirement::closed(),
    }
    settings
}

/// For whoever HTTP lets in.
fn full_cmc(anchors: &Arc<TrustStore>) -> FullCmcSettings {
    let secrets = format!("{IDENTIFICATION}:{SECRET}\n{IDENTIFICATION_OF_ONE}:{SECRET}:CN=device-1\n");
    FullCmcSettings {
        secrets: Arc::new(SharedSecrets::parse(&secrets).expect("a secret")),
        identity_proof_required: false,
        ..FullCmcSettings::new(Arc::clone(crate::keys::signer()), Arc::clone(anchors))
    }
}

/// Keys on P-256 alone: an RSA key takes a second.
fn server_keys() -> ServerKeyGenerationSettings {
    let signer = KeyPackageSigner::with_identity(crate::keys::signer());
    ServerKeyGenerationSettings {
        kinds: vec![ServerKeyKind::EcP256],
        shared_keys: vec![crate::keys::shared_key()],
        recipients: vec![RecipientCertificate {
            identifier: RECIPIENT.to_vec(),
            certificate: crate::keys::recipient(),
        }],
        ..ServerKeyGenerationSettings::new(Arc::new(DirectKeyGenerator), signer)
    }
}

/// Asks for a challenge password: SEQUENCE { OBJECT IDENTIFIER 1.2.840.113549.1.9.7 }.
fn attributes(enforce: bool) -> CsrAttributesPolicy {
    const WANTED: &[u8] = b"\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x07";
    let wanted = CsrAttributes::from_der(WANTED, &CsrAttributesLimits::default()).expect("one attribute");
    CsrAttributesPolicy {
        attributes: wanted,
        enforce,
    }
}

/// Runs a script on one thread, under a clock that jumps whenever nothing else is left to do.
pub(crate) fn run<T>(script: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(script))
}
