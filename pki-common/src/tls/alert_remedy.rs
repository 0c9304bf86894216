//! What an alert from the peer means for a person, and what to do.
//!
//! The names of alerts mislead: "certificate unknown" from a device with an authlist says that the list does
//! not admit us, and the device's own log says "no certificate returned" (F001-28).

use super::diagnose::HandshakeContext;
use crate::ladder::{Alert, KnownCause, TlsFault};

/// Rung, cause and remedy of an alert that the peer sent.
pub(super) struct AlertMeaning {
    pub(super) fault: TlsFault,
    pub(super) known_cause: Option<KnownCause>,
    pub(super) cause: String,
    pub(super) remedy: String,
}

pub(super) fn meaning_of_received(alert: Alert, context: &HandshakeContext) -> AlertMeaning {
    let (fault, cause, remedy) = match MEANINGS.iter().find(|(known, ..)| *known == alert) {
        _ if alert == Alert::CERTIFICATE_UNKNOWN => certificate_unknown(context.peer_has_authlist),
        Some((_, fault, cause, remedy)) => (*fault, *cause, *remedy),
        None => OTHER,
    };
    let fill = |template: &str| {
        // The peer's name comes last: it is free text and must not be searched for the other mark.
        template
            .replace("{alert}", &alert.to_string())
            .replace("{peer}", &context.peer)
    };
    AlertMeaning {
        fault,
        known_cause: known_cause(alert, context.peer_has_authlist),
        cause: fill(cause),
        remedy: fill(remedy),
    }
}

/// The stable name of what an alert means; `None` where it can mean several things.
fn known_cause(alert: Alert, peer_has_authlist: bool) -> Option<KnownCause> {
    match alert {
        Alert::CERTIFICATE_UNKNOWN if peer_has_authlist => Some(KnownCause::AuthlistRefused),
        Alert::ACCESS_DENIED => Some(KnownCause::AuthlistRefused),
        Alert::UNKNOWN_CA => Some(KnownCause::IssuerNotTrusted),
        Alert::CERTIFICATE_EXPIRED => Some(KnownCause::Expired),
        Alert::CERTIFICATE_REVOKED => Some(KnownCause::CertificateRevoked),
        Alert::CERTIFICATE_REQUIRED | Alert::NO_CERTIFICATE => Some(KnownCause::CertificateRequired),
        Alert::HANDSHAKE_FAILURE | Alert::PROTOCOL_VERSION | Alert::INSUFFICIENT_SECURITY => {
            Some(KnownCause::TlsNotCommon)
        }
        Alert::UNRECOGNIZED_NAME => Some(KnownCause::NameMismatch),
        Alert::USER_CANCELED | Alert::CLOSE_NOTIFY => Some(KnownCause::ConnectionLost),
        _ => None,
    }
}

fn certificate_unknown(peer_has_authlist: bool) -> (TlsFault, &'static str, &'static str) {
    if peer_has_authlist {
        return (
            TlsFault::AuthList,
            "our certificate is not in the authlist of {peer}, or the entry there differs",
            "Compare the MAC address, key hash and certificate type in the authlist of {peer} with our \
             `show server-auth-info`, digit by digit.",
        );
    }
    (
        TlsFault::Alert,
        "{peer} refused our certificate without saying why",
        "If {peer} has an authlist, compare the MAC address, key hash and certificate type there with ours; \
         otherwise read its log at this time.",
    )
}

const OTHER: (TlsFault, &str, &str) = (
    TlsFault::Protocol,
    "{peer} ended the handshake with {alert}",
    "Record the handshake, for example with Wireshark, and read the log of the peer at this time.",
);

/// Alert, rung, cause, remedy. `{peer}` and `{alert}` are filled in.
const MEANINGS: [(Alert, TlsFault, &str, &str); 18] = [
    (
        Alert::UNKNOWN_CA,
        TlsFault::Chain,
        "{peer} does not trust the issuer of our certificate",
        "Put the issuer of our certificate, or our self-signed certificate itself, into the trust store of \
         {peer}, or send the whole chain.",
    ),
    (
        Alert::CERTIFICATE_EXPIRED,
        TlsFault::Time,
        "for the clock of {peer} our certificate is expired or not yet valid",
        "Compare the clocks of both sides with NTP and look at the validity of our certificate.",
    ),
    (
        Alert::BAD_CERTIFICATE,
        TlsFault::Chain,
        "{peer} cannot read our certificate or finds another name in it than it expects",
        "Look at our certificate with `openssl x509 -text`; issue it with the name the peer expects.",
    ),
    (
        Alert::UNSUPPORTED_CERTIFICATE,
        TlsFault::Chain,
        "our certificate is not of a kind or purpose that {peer} accepts",
        "Issue our certificate with the right extended key usage (clientAuth or serverAuth), and with RSA-2048 \
         for old peers.",
    ),
    (
        Alert::CERTIFICATE_REVOKED,
        TlsFault::Chain,
        "for {peer} our certificate is revoked",
        "Ask the issuer why, and enrol again with a new key.",
    ),
    (
        Alert::ACCESS_DENIED,
        TlsFault::AuthList,
        "our certificate is valid, but {peer} does not admit us",
        "Add us to the access list of {peer}.",
    ),
    (
        Alert::CERTIFICATE_REQUIRED,
        TlsFault::Chain,
        "{peer} requires a certificate, and we sent none",
        "Configure our certificate and private key for this connection.",
    ),
    (
        Alert::NO_CERTIFICATE,
        TlsFault::Chain,
        "{peer} requires a certificate, and we sent none",
        "Configure our certificate and private key for this connection.",
    ),
    (
        Alert::HANDSHAKE_FAILURE,
        TlsFault::Protocol,
        "{peer} found no common cipher suite, curve or signature, or requires a certificate we did not send",
        "Check that our certificate is configured and compare the TLS versions and cipher suites of both sides; \
         devices that know only RSA key exchange or CBC suites need another transport.",
    ),
    (
        Alert::PROTOCOL_VERSION,
        TlsFault::Protocol,
        "{peer} speaks none of the TLS versions we offer",
        "Offer both TLS 1.2 and 1.3; a peer that knows only TLS 1.0 or 1.1 needs another transport.",
    ),
    (
        Alert::INSUFFICIENT_SECURITY,
        TlsFault::Protocol,
        "{peer} asks for stronger cipher suites or keys than ours",
        "Use TLS 1.3 and a key from RSA-3072 or EC P-256.",
    ),
    (
        Alert::DECRYPT_ERROR,
        TlsFault::Chain,
        "a signature of ours does not verify for {peer}",
        "Check that our certificate, its chain and the private key belong together.",
    ),
    (
        Alert::UNRECOGNIZED_NAME,
        TlsFault::Name,
        "{peer} has no service under the name we asked for",
        "Connect to the name the peer is configured with, letter for letter.",
    ),
    (
        Alert::NO_APPLICATION_PROTOCOL,
        TlsFault::Protocol,
        "{peer} speaks TLS, but not our application protocol (ALPN)",
        "Check the port: another service listens there.",
    ),
    (
        Alert::DECODE_ERROR,
        TlsFault::Protocol,
        "{peer} could not read a message of ours",
        "Check for a device in between that changes the traffic, and record the handshake.",
    ),
    (
        Alert::INTERNAL_ERROR,
        TlsFault::Alert,
        "{peer} failed by itself during the handshake",
        "Read the log of the peer at this time.",
    ),
    (
        Alert::USER_CANCELED,
        TlsFault::Alert,
        "{peer} ended the handshake without a reason",
        "Read the log of the peer at this time; it may be shutting down or at its connection limit.",
    ),
    (
        Alert::CLOSE_NOTIFY,
        TlsFault::Alert,
        "{peer} ended the handshake without a reason",
        "Read the log of the peer at this time; it may be shutting down or at its connection limit.",
    ),
];
