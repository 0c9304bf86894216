//! The table of what each error is known as.

use std::io;
use std::time::Duration;

use est::client::{ClientError, Step};
use est::operation::Refusal;
use nmsp::Error as NmspError;
use nmsp::proto::CloseReason;
use nmsp::wire::numbers::DisconnectReason;
use pki_common::tls::{HandshakeContext, diagnose_io, diagnose_tls};
use pki_common::trust_store::{ExpectedName, TrustError};
use pki_common::{Diagnose, KnownCause, Rung};
use rustls_pki_types::UnixTime;

#[track_caller]
fn known(error: &impl Diagnose, expected: KnownCause) {
    let failure = error.diagnose();
    assert_eq!(failure.known_cause, Some(expected), "{failure}");
    assert!(
        !failure.cause.is_empty() && !failure.remedy.is_empty(),
        "{failure}"
    );
}

fn moment(seconds: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(seconds))
}

#[test]
fn a_refused_certificate_has_the_name_of_its_fault() {
    let (subject, role) = (|| "CN=a".to_owned(), || "test".to_owned());
    let table = [
        (
            TrustError::NotYetValid {
                subject: subject(),
                not_before: moment(2),
                now: moment(1),
            },
            KnownCause::NotYetValid,
        ),
        (
            TrustError::Expired {
                subject: subject(),
                not_after: moment(1),
                now: moment(2),
            },
            KnownCause::Expired,
        ),
        (
            TrustError::SelfSignedNotTrusted {
                subject: subject(),
                role: role(),
                key_hash: "1278ff9083582f5a499d8e498abd7ab8038571ec45a1adfbae7f0bed7f5215a1"
                    .parse()
                    .unwrap(),
                anchors: 1,
            },
            KnownCause::SelfSigned,
        ),
        (
            TrustError::UnknownIssuer {
                subject: subject(),
                role: role(),
                missing_issuer: "CN=b".to_owned(),
                anchors: 0,
            },
            KnownCause::IssuerNotTrusted,
        ),
        (
            TrustError::WrongName {
                expected: ExpectedName::Server("ra.example".try_into().unwrap()),
                presented: vec!["DnsName(\"other.example\")".to_owned()],
            },
            KnownCause::NameMismatch,
        ),
    ];
    for (error, expected) in &table {
        known(error, *expected);
        // The same inside an error of rustls, without a recorder; only "self-signed" needs one.
        if *expected != KnownCause::SelfSigned {
            let inside = rustls::Error::InvalidCertificate(error.to_certificate_error());
            known(&diagnose_tls(&inside), *expected);
        }
    }
}

#[test]
fn an_alert_of_the_peer_has_the_name_of_what_it_means() {
    use rustls::AlertDescription as Alert;
    let plain = HandshakeContext::default();
    let controller = HandshakeContext::with_authlist("the controller");
    for (context, alert, expected) in [
        (
            &controller,
            Alert::CertificateUnknown,
            Some(KnownCause::AuthlistRefused),
        ),
        (&plain, Alert::CertificateUnknown, None),
        (&plain, Alert::UnknownCA, Some(KnownCause::IssuerNotTrusted)),
        (
            &plain,
            Alert::CertificateRevoked,
            Some(KnownCause::CertificateRevoked),
        ),
        (
            &plain,
            Alert::CertificateRequired,
            Some(KnownCause::CertificateRequired),
        ),
        (&plain, Alert::ProtocolVersion, Some(KnownCause::TlsNotCommon)),
        (&plain, Alert::UnrecognisedName, Some(KnownCause::NameMismatch)),
        (&plain, Alert::InternalError, None),
    ] {
        let failure = context.diagnose_tls(&rustls::Error::AlertReceived(alert), None);
        assert_eq!(failure.known_cause, expected, "{failure}");
    }
}

#[test]
fn what_the_operating_system_says_has_one_name_in_all_libraries() {
    for (kind, expected) in [
        (io::ErrorKind::ConnectionRefused, KnownCause::ConnectionRefused),
        (io::ErrorKind::ConnectionReset, KnownCause::ConnectionLost),
        (io::ErrorKind::TimedOut, KnownCause::ConnectionTimedOut),
        (io::ErrorKind::HostUnreachable, KnownCause::ConnectionTimedOut),
    ] {
        known(&diagnose_io(&kind.into()), expected);
        known(
            &NmspError::Connect {
                address: "192.0.2.1:16113".to_owned(),
                source: kind.into(),
            },
            expected,
        );
        known(
            &ClientError::Tcp {
                host: "ra.example port 443".to_owned(),
                cause: String::new(),
                kind,
            },
            expected,
        );
    }
}

#[test]
fn every_step_that_takes_too_long_has_the_name_of_its_rung() {
    let time = Duration::from_secs(10);
    for (rung, step, expected) in [
        (Rung::Tcp, Step::Connect, KnownCause::ConnectionTimedOut),
        (Rung::Body, Step::Response, KnownCause::AnswerTimedOut),
    ] {
        known(&ClientError::Timeout { step, time }, expected);
        known(
            &NmspError::TimedOut {
                what: "it",
                rung,
                after: time,
            },
            expected,
        );
    }
    known(
        &NmspError::TimedOut {
            what: "the resolution",
            rung: Rung::NameResolution,
            after: time,
        },
        KnownCause::NameNotResolved,
    );
    known(&CloseReason::CapabilityTimedOut(time), KnownCause::AnswerTimedOut);
}

#[test]
fn the_answers_of_an_est_server_have_names() {
    let status = |code: u16| ClientError::Status {
        status: http::StatusCode::from_u16(code).unwrap(),
        text: String::new(),
        retry_after: None,
    };
    known(&status(401), KnownCause::CredentialsRefused);
    known(&status(404), KnownCause::PageNotFound);
    known(&status(503), KnownCause::ServerFailed);
    known(
        &ClientError::Http {
            cause: "gone".to_owned(),
            lost: true,
        },
        KnownCause::ConnectionLost,
    );
    known(
        &ClientError::Http {
            cause: "not HTTP".to_owned(),
            lost: false,
        },
        KnownCause::AnswerNotUnderstood,
    );
    let proxy = ClientError::Proxy {
        proxy: "http://proxy.example:3128".to_owned(),
        cause: "it answers 403".to_owned(),
        status: Some(403),
    };
    known(&proxy, KnownCause::ProxyRefused);
    // The server's own view of the same.
    known(&Refusal::NotFound, KnownCause::PageNotFound);
    let policy = Refusal::Policy {
        cause: "rule key-type".to_owned(),
    };
    known(&policy, KnownCause::RequestDenied);
    let pending = Refusal::Pending {
        retry_after: Duration::from_secs(60),
    };
    known(&pending, KnownCause::RequestPending);
}

#[test]
fn the_endings_of_an_nmsp_connection_have_names() {
    let goodbye = |reason| CloseReason::Disconnected {
        reason,
        text: "".into(),
        retry_after: None,
    };
    known(
        &goodbye(DisconnectReason::NOT_AUTHORIZED),
        KnownCause::AuthlistRefused,
    );
    known(&CloseReason::ClosedByPeer, KnownCause::ConnectionLost);
    known(&CloseReason::EchoUnanswered(3), KnownCause::ConnectionLost);
    known(
        &NmspError::Closed(CloseReason::ClosedByPeer),
        KnownCause::ConnectionLost,
    );
}
