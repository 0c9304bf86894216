//! What the log keeps of a request and of a certificate. Times are in seconds since the Unix epoch.

use rustls_pki_types::CertificateDer;

use crate::ca::revocation::RevocationReason;
use crate::ca::serial::SerialNumber;

/// Where a request came from, as the log keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestOrigin {
    /// The path label, if any.
    pub label: Option<String>,
    /// The user name, or the subject of the client certificate.
    pub requester: String,
    /// How that was proven: the `Display` form of [`Authentication`](crate::ca::Authentication).
    pub authentication: String,
    /// The requester's IP address, when known.
    pub address: Option<String>,
    /// The operation: the `Display` form of [`EnrollOperation`](crate::ca::EnrollOperation).
    pub operation: String,
    /// The `Display` form of [`ChannelBindingState`](crate::ca::ChannelBindingState).
    pub channel_binding: String,
    /// The [`version`](crate::ca::policy::IssuancePolicy::version) of the policy that was asked. `None` for what a
    /// program before version 2 of the tables wrote.
    pub policy: Option<String>,
}

/// An issued certificate, as the log keeps it: at the same time the record of the request it answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRecord {
    /// The serial number.
    pub serial: SerialNumber,
    /// Start of the validity.
    pub not_before: u64,
    /// End of the validity.
    pub not_after: u64,
    /// The subject as RFC 4514 writes it.
    pub subject: String,
    /// SHA-256 over the SubjectPublicKeyInfo.
    pub public_key_sha256: [u8; 32],
    /// The certificate.
    pub certificate: CertificateDer<'static>,
    /// The request it was issued for, in DER.
    pub csr: Vec<u8>,
    /// Where the request came from.
    pub origin: RequestOrigin,
    /// When it was issued.
    pub issued_at: u64,
}

/// A request that was refused, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRequest {
    /// The request, in DER.
    pub csr: Vec<u8>,
    /// Where it came from.
    pub origin: RequestOrigin,
    /// When it was refused.
    pub refused_at: u64,
    /// The rule of the policy.
    pub rule: String,
    /// What the rule had to say.
    pub reason: String,
}

/// A policy that was in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRecord {
    /// Its [`version`](crate::ca::policy::IssuancePolicy::version).
    pub version: String,
    /// All of its rules, in words.
    pub description: String,
    /// When it was first in force.
    pub first_used: u64,
}

/// A revocation, as the log keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationRecord {
    /// The serial number of the certificate.
    pub serial: SerialNumber,
    /// When.
    pub revoked_at: u64,
    /// Why.
    pub reason: RevocationReason,
    /// Since when the key is known or suspected to be compromised.
    pub invalidity_date: Option<u64>,
    /// Who asked for it.
    pub requester: String,
    /// How that was proven.
    pub authentication: String,
    /// The requester's IP address, when known.
    pub address: Option<String>,
}

/// A certificate with what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateEntry {
    /// Its place in the log; later ones have larger numbers.
    pub sequence: i64,
    /// The certificate.
    pub record: CertificateRecord,
    /// Its revocation, if it is revoked.
    pub revocation: Option<RevocationRecord>,
}

/// Which certificates to read. Each field that is set leaves out what does not match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFilter {
    /// First hexadecimal digits of the serial number, at most 40.
    pub serial_prefix: String,
    /// The path label.
    pub label: Option<String>,
    /// The requester.
    pub requester: Option<String>,
    /// A part of the subject, in either case.
    pub subject: Option<String>,
    /// Whether it is revoked.
    pub revoked: Option<bool>,
    /// Those whose validity has not ended by then.
    pub not_expired_at: Option<u64>,
    /// Those whose validity has ended by then.
    pub expired_at: Option<u64>,
    /// Those issued then or later.
    pub issued_since: Option<u64>,
}
