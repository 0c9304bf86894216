//! What each fuzz target does with its bytes: one call of an oracle, of a library or of a module here.
//!
//! An oracle panics when an invariant of its decoder is broken. [`TARGETS`] is the list that the test which replays the
//! committed corpora walks; `fuzz_targets/` holds one file for each entry. `README.md` says how to run them.
//!
//! ```text
//! fuzz::nmsp_frame(b"\x01\x00\x00\x01");
//! ```

pub mod der_mutator;

pub mod est_exchange;
pub mod est_renewal;
pub mod est_server;
pub mod est_trust;

mod est_attributes;
mod est_wire;
mod keys;
mod logs;
mod pki;
mod script;
mod texts;

/// The reader of logs. `interop` stands on top of everything, so that nothing may depend on it; its files are read here.
#[path = "../../interop/src/explain/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "written for a library, of which the target uses the way in"
)]
mod explain;

/// Private to the listener of DTLS, which needs OpenSSL; this part of it needs nothing.
#[path = "../../nmsp/src/transport/openssl/dtls/hello.rs"]
mod dtls_hello;

use std::sync::OnceLock;
use std::time::Duration;

use est::ca::issuer::Issuer;
use est::wire::csr::{CsrLimits, UnverifiedCsr};
use pki_common::identity::{NewKey, generate_key};
use rustls_pki_types::UnixTime;

pub use est_attributes::est_csr_attributes;
pub use est_exchange::est_exchange;
pub use est_renewal::est_renewal;
pub use est_server::{est_http, est_server};
pub use est_trust::est_trust;
pub use est_wire::{
    est_authorization, est_base64, est_certs_only, est_enveloped_data, est_multipart, est_signed_data,
};
pub use logs::explain_log;
pub use pki::{pki_certificate, pki_chain, pki_private_key, pki_revocation_list};
pub use texts::{est_inspect, est_ntlm, est_url, nmsp_dtls_hello, pki_channel_binding};

/// What a target runs. It panics when an invariant is broken.
pub type Oracle = fn(&[u8]);

/// Every target: its name, which is also the name of its corpus folder, and what it runs.
pub const TARGETS: &[(&str, Oracle)] = &[
    ("authlist_import", authlist_import),
    ("certsrv_page", certsrv_page),
    ("est_authorization", est_authorization),
    ("est_base64", est_base64),
    ("est_certs_only", est_certs_only),
    ("est_cmc", est_cmc),
    ("est_csr", est_csr),
    ("est_csr_attributes", est_csr_attributes),
    ("est_digest", est_digest),
    ("est_enveloped_data", est_enveloped_data),
    ("est_exchange", est_exchange),
    ("est_http", est_http),
    ("est_inspect", est_inspect),
    ("est_multipart", est_multipart),
    ("est_ntlm", est_ntlm),
    ("est_renewal", est_renewal),
    ("est_server", est_server),
    ("est_signed_data", est_signed_data),
    ("est_trust", est_trust),
    ("est_url", est_url),
    ("explain_log", explain_log),
    ("nmsp_capture", nmsp_capture),
    ("nmsp_connection", nmsp_connection),
    ("nmsp_dtls_hello", nmsp_dtls_hello),
    ("nmsp_frame", nmsp_frame),
    ("nmsp_profile", nmsp_profile),
    ("nmsp_session_file", nmsp_session_file),
    ("pki_certificate", pki_certificate),
    ("pki_chain", pki_chain),
    ("pki_channel_binding", pki_channel_binding),
    ("pki_private_key", pki_private_key),
    ("pki_revocation_list", pki_revocation_list),
];

/// An authlist in each of the five formats: no text panics, and what is imported survives an export.
pub fn authlist_import(data: &[u8]) {
    pki_common::authlist::import_oracle(&String::from_utf8_lossy(data));
}

/// A page or file of AD CS web enrolment: no bytes panic, bounds hold, and a number that is read is the one of the link.
pub fn certsrv_page(data: &[u8]) {
    est::adcs::page::oracle::oracle(data);
}

/// The body of a `simpleenroll` request: no bytes panic, an accepted request consists of the parts it was taken apart
/// into, and a certificate issued for it has its subject and key.
pub fn est_csr(data: &[u8]) {
    est::wire::csr::oracle::oracle(data);
    let limits = CsrLimits::default();
    if let Ok(csr) =
        UnverifiedCsr::from_body(data, &limits).or_else(|_| UnverifiedCsr::from_der(data, &limits))
    {
        let request = csr.unverified_contents();
        let subject = request.subject_text();
        assert!(
            !subject.chars().any(char::is_control),
            "{subject:?} goes to a terminal"
        );
        if let Some(password) = request.challenge_password() {
            assert!(password.expose().len() < 12 || !format!("{request:?}").contains(password.expose()));
        }
    }
    est::ca::oracle::oracle(issuer(), data, keys::NOW);
}

/// A PKIData or PKIResponse of CMC, with the CRMF in it: no bytes panic, and what is read survives a second trip.
pub fn est_cmc(data: &[u8]) {
    est::wire::cmc::oracle::oracle(data);
}

/// A header of HTTP Digest, of either side: no bytes panic, and a challenge that is read can be answered.
pub fn est_digest(data: &[u8]) {
    est::auth::digest::oracle::check(data);
}

/// An authority with a new key, made once per process.
fn issuer() -> &'static Issuer {
    static ISSUER: OnceLock<Issuer> = OnceLock::new();
    ISSUER.get_or_init(|| new_issuer(keys::NOW))
}

/// An authority with a new key.
fn new_issuer(now: UnixTime) -> Issuer {
    let provider = pki_common::tls::crypto_provider().expect("the feature aws-lc-rs is on");
    let key = generate_key(NewKey::EcP256).expect("the provider makes P-256 keys");
    let ten_years = Duration::from_secs(10 * 365 * 24 * 3600);
    let subject = "CN=Fuzz Root,DC=example,DC=com";
    Issuer::self_signed(subject, key.into(), ten_years, now, provider).expect("a valid subject")
}

/// A capture file (pcap, pcapng), with a key log behind it after a line "KEYS": no bytes panic, limits hold, and every message
/// that comes out is one.
pub fn nmsp_capture(data: &[u8]) {
    nmsp::capture::oracle::capture(data);
}

/// A recorded session: no bytes panic, what is read survives being written, and either side of it can be played.
pub fn nmsp_session_file(data: &[u8]) {
    nmsp::session_file::oracle::session_file(data);
}

/// A script for an NMSP connection of either role: what arrives, what the application does, how time passes. What is sent
/// is whole messages of its role, each request has one end, tables keep their bounds, and pieces make no difference.
pub fn nmsp_connection(data: &[u8]) {
    let _reached = nmsp::proto::oracle::script(data);
}

/// A stream of NMSP frames under several wire profiles: an accepted frame re-encodes to the same bytes, however the stream
/// is cut; its parts cover it; its values survive a second trip.
pub fn nmsp_frame(data: &[u8]) {
    nmsp::wire::oracle::decode_encode(data);
}

/// A wire profile file: what is accepted survives being written, and decodes without losing a byte; refusals name lines that
/// exist.
pub fn nmsp_profile(data: &[u8]) {
    nmsp::wire::oracle::profile_file(&String::from_utf8_lossy(data));
}
