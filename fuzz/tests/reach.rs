//! A corpus whose files are all refused fuzzes the refusals only. These tests ask for what lies behind each decoder.

use std::fs;
use std::path::Path;

use est::auth::digest::{DigestChallenge, DigestCredentials};
use est::auth::{AuthenticationMethod, AuthenticationMethods, Credentials};
use est::request::server_key::{ServerKeyLimits, read_answer};
use est::wire::certs_only::{self, CertsOnlyLimits};
use est::wire::cmc::{CertificateRequestMessage, CmcLimits, Control, PkiData, PkiResponse};
use est::wire::cms::CmsLimits;
use est::wire::cms::enveloped_data::{DecryptionKey, EnvelopedData, KeyEncryptionKey};
use est::wire::cms::signed_data::SignedData;
use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy};
use est::wire::csr_attributes::{CsrAttributes, CsrAttributesLimits};
use est::wire::server_key::open_key_package;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use pki_common::Certificate;
use pki_common::authlist::{AuthList, AuthListFormat};
use pki_common::identity::{KeyDecryptionLimits, parse_private_key, parse_private_key_within};
use pki_common::revocation::RevocationLists;
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

/// Files of a corpus.
fn files(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(folder).expect("a readable folder");
    entries
        .map(|entry| fs::read(entry.expect("a readable folder").path()).expect("a readable file"))
        .collect()
}

/// Asks for at least `least` files of which `holds` says yes.
fn reaches(target: &str, least: usize, what: &str, holds: impl Fn(&[u8]) -> bool) {
    let found = files(target).iter().filter(|file| holds(file)).count();
    assert!(
        found >= least,
        "{target} has {found} files with {what}, {least} are wanted"
    );
}

fn header(name: http::HeaderName, value: &[u8]) -> Option<HeaderMap> {
    let value = HeaderValue::from_bytes(value).ok()?;
    Some(HeaderMap::from_iter([(name, value)]))
}

#[test]
fn the_corpus_of_web_enrolment_holds_every_page() {
    use est::adcs::page::{self, Retrieved, Verdict};
    let verdict = |wanted: fn(&Verdict) -> bool| {
        move |file: &[u8]| page::verdict(file).is_ok_and(|found| wanted(&found))
    };
    reaches(
        "certsrv_page",
        3,
        "an issued request",
        verdict(|found| matches!(found, Verdict::Issued { .. })),
    );
    reaches(
        "certsrv_page",
        2,
        "a pending request",
        verdict(|found| matches!(found, Verdict::Pending { .. })),
    );
    reaches(
        "certsrv_page",
        3,
        "a denied request",
        verdict(|found| matches!(found, Verdict::Denied { .. })),
    );
    reaches(
        "certsrv_page",
        1,
        "a request that failed",
        verdict(|found| matches!(found, Verdict::Failed { .. })),
    );
    reaches("certsrv_page", 1, "templates", |file| {
        page::templates(file).is_ok_and(|found| !found.is_empty())
    });
    reaches("certsrv_page", 1, "renewals", |file| page::renewals(file).is_ok());
    reaches("certsrv_page", 6, "certificates", |file| {
        page::certificates(file).is_ok()
    });
    reaches("certsrv_page", 3, "a disposition", |file| {
        matches!(page::retrieved(file), Ok(Retrieved::NotIssued(_)))
    });
}

#[test]
fn the_corpus_of_header_fields_holds_every_scheme() {
    for method in [
        AuthenticationMethod::Basic,
        AuthenticationMethod::Digest,
        AuthenticationMethod::Bearer,
    ] {
        reaches("est_authorization", 1, &format!("{method:?}"), |file| {
            header(AUTHORIZATION, file).is_some_and(|headers| {
                let accepted = AuthenticationMethods::only(method);
                matches!(Credentials::from_headers(&headers, accepted), Ok(Some(_)))
            })
        });
    }
    reaches("est_digest", 3, "an answer", |file| {
        matches!(DigestCredentials::parse(file), Ok(Some(_)))
    });
    reaches("est_digest", 3, "a challenge", |file| {
        header(WWW_AUTHENTICATE, file)
            .is_some_and(|headers| matches!(DigestChallenge::strongest(&headers), Ok(Some(_))))
    });
}

#[test]
fn the_corpus_of_bodies_holds_what_is_accepted() {
    reaches("est_base64", 4, "base64", |file| {
        est::wire::base64::decode(file, file.len()).is_ok()
    });
    reaches("est_certs_only", 4, "certificates", |file| {
        certs_only::decode(file, &CertsOnlyLimits::default()).is_ok_and(|found| !found.is_empty())
    });
    for (what, encrypted) in [("a key in the clear", false), ("an encrypted key", true)] {
        reaches("est_multipart", 1, what, |file| {
            let limits = ServerKeyLimits::default();
            read_answer("multipart/mixed; boundary=b", file, limits)
                .is_ok_and(|answer| answer.is_encrypted() == encrypted)
        });
    }
    let limits = CsrLimits::default();
    reaches("est_csr", 15, "a request that is signed", |file| {
        UnverifiedCsr::from_body(file, &limits)
            .or_else(|_| UnverifiedCsr::from_der(file, &limits))
            .is_ok_and(|csr| csr.verify(&VerificationPolicy::default()).is_ok())
    });
    reaches("est_csr_attributes", 8, "attributes", |file| {
        CsrAttributes::from_der(file, &CsrAttributesLimits::default())
            .is_ok_and(|attributes| !attributes.is_empty())
    });
    reaches("est_csr_attributes", 1, "a template", |file| {
        let limits = CsrAttributesLimits::default();
        CsrAttributes::from_der(file, &limits).is_ok_and(|attributes| attributes.template().is_some())
    });
}

#[test]
fn the_corpus_of_cmc_holds_every_control_and_request() {
    let limits = CmcLimits::default();
    let known = |controls: &[est::wire::cmc::TaggedAttribute]| {
        let read = controls.iter().filter_map(|control| control.control().ok());
        read.filter(|control| !matches!(control, Control::Other { .. }))
            .count()
    };
    reaches("est_cmc", 1, "all controls in a request", |file| {
        PkiData::from_der(file, &limits).is_ok_and(|request| known(request.controls()) == 21)
    });
    reaches("est_cmc", 1, "all controls in a response", |file| {
        PkiResponse::from_der(file, &limits).is_ok_and(|response| known(&response.controls) == 21)
    });
    reaches("est_cmc", 1, "three statuses", |file| {
        PkiResponse::from_der(file, &limits)
            .is_ok_and(|response| response.statuses().is_ok_and(|found| found.len() == 3))
    });
    reaches("est_cmc", 2, "a CRMF request that is signed", |file| {
        CertificateRequestMessage::from_der(file)
            .ok()
            .and_then(|message| message.to_request(&CsrLimits::default()).ok())
            .is_some_and(|csr| csr.verify(&VerificationPolicy::default()).is_ok())
    });
}

#[test]
fn the_corpus_of_cms_holds_what_verifies_and_what_decrypts() {
    let limits = CmsLimits::default();
    reaches("est_signed_data", 4, "a good signature", |file| {
        SignedData::parse(file, &limits)
            .is_ok_and(|message| message.verify(&[], VerificationPolicy::default()).is_ok())
    });
    let shared = KeyEncryptionKey::new(vec![1, 2, 3, 4], Zeroizing::new(vec![0x42; 32])).unwrap();
    let private = |key: &[u8]| DecryptionKey::private_key(&PrivatePkcs8KeyDer::from(key), None).unwrap();
    let keys = [
        ("a shared key", DecryptionKey::key_encryption_key(shared), 3),
        ("RSA", private(include_bytes!("../keys/rsa.key.der")), 3),
        ("EC", private(include_bytes!("../keys/ec.key.der")), 2),
    ];
    for (kind, key, least) in &keys {
        let what = format!("content for {kind}");
        reaches("est_enveloped_data", *least, &what, |file| {
            EnvelopedData::parse(file, &limits).is_ok_and(|message| message.decrypt(key).is_ok())
        });
    }
    for (what, signed) in [
        ("a signed key package", true),
        ("a key that nobody signed", false),
    ] {
        reaches("est_enveloped_data", 1, what, |file| {
            keys.iter().any(|(_, key, _)| {
                open_key_package(file, key, VerificationPolicy::default(), &limits)
                    .is_ok_and(|package| package.signers.is_empty() != signed)
            })
        });
    }
}

#[test]
fn the_corpus_of_the_trust_layer_holds_what_is_accepted() {
    reaches("authlist_import", 5, "a list", |file| {
        let text = String::from_utf8_lossy(file);
        AuthListFormat::ALL
            .iter()
            .any(|format| AuthList::import(*format, &text).is_ok())
    });
    reaches("pki_certificate", 20, "a certificate", |file| {
        Certificate::from_der(file).is_ok()
    });
    reaches("pki_certificate", 2, "certificates in PEM", |file| {
        Certificate::all_from_pem(file).is_ok()
    });
    reaches("pki_revocation_list", 4, "a list", |file| {
        RevocationLists::empty("test").add_der(file).is_ok()
    });
    reaches("pki_private_key", 5, "a key in the clear", |file| {
        parse_private_key(file, None, "test").is_ok()
    });
    reaches("pki_private_key", 4, "an encrypted key", |file| {
        let passphrase: &[u8] = b"the passphrase of the fuzz corpus";
        let limits = KeyDecryptionLimits {
            iterations: 20_000,
            scrypt_memory: 4 * 1024 * 1024,
        };
        parse_private_key(file, None, "test").is_err()
            && parse_private_key_within(file, Some(passphrase), &limits, "test").is_ok()
    });
}

#[test]
fn the_corpus_of_chains_holds_what_is_trusted() {
    use pki_common::trust_store::{TrustStore, Usage};
    use rustls_pki_types::{CertificateDer, UnixTime};

    let mut store = TrustStore::empty("test");
    store
        .add(&Certificate::from_der(include_bytes!("../keys/root.der")).unwrap())
        .unwrap();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_900_000_000));
    reaches("pki_chain", 3, "a chain to the root", |file| {
        // One certificate behind the other; a length of two octets each.
        let mut certificates = Vec::new();
        let mut rest = file;
        while let [0x30, 0x82, high, low, ..] = rest {
            let length = 4 + usize::from(*high) * 256 + usize::from(*low);
            let (certificate, behind) = rest.split_at(length.min(rest.len()));
            certificates.push(CertificateDer::from(certificate));
            rest = behind;
        }
        let Some((first, others)) = certificates.split_first() else {
            return false;
        };
        Certificate::from_der(first)
            .is_ok_and(|first| store.validate(&first, others, Usage::Client, now).is_ok())
    });
}

#[test]
fn the_corpus_of_connections_reaches_every_event_in_both_roles() {
    use nmsp::proto::oracle::{Reached, script};

    type Reaches = fn(&Reached) -> bool;
    let table: [(&str, Reaches, usize); 8] = [
        ("capabilities", |reached| reached.established, 2),
        ("a subscription", |reached| reached.subscription, 1),
        ("a request", |reached| reached.request, 2),
        ("a response", |reached| reached.response, 1),
        ("a notification", |reached| reached.notification, 1),
        ("an unknown message", |reached| reached.unsupported, 1),
        ("a request that times out", |reached| reached.timed_out, 2),
        ("a goodbye", |reached| reached.goodbye, 2),
    ];
    for (what, holds, least) in table {
        reaches("nmsp_connection", least, what, |file| holds(&script(file)));
    }
}

#[test]
fn the_corpus_of_captures_and_sessions_holds_what_is_read_to_the_end() {
    use nmsp::capture::{Capture, Item, Options};
    use nmsp::session_file::SessionReader;

    let count = |file: &[u8], wanted: fn(&Item) -> bool| {
        let Ok(mut capture) = Capture::new(file, Options::default()) else {
            return 0;
        };
        let mut found = 0;
        while let Some(item) = capture.next_item() {
            found += usize::from(wanted(&item));
        }
        found
    };
    let is_message = |item: &Item| matches!(item, Item::Message(_));
    reaches("nmsp_capture", 6, "messages over a link of its own", |file| {
        count(file, is_message) == 4
    });
    let is_alert = |item: &Item| matches!(item, Item::Alert { .. });
    reaches("nmsp_capture", 1, "a session that is decrypted", |file| {
        count(file, is_alert) == 2
    });
    reaches("nmsp_session_file", 3, "messages", |file| {
        SessionReader::new(file)
            .is_ok_and(|mut session| session.next_entry().is_some_and(|entry| entry.is_ok()))
    });
}

#[test]
fn the_corpus_of_the_est_server_reaches_every_answer() {
    use est::operation::Operation;
    use fuzz::est_server::script;

    let answered = |operation, status| {
        let what = format!("status {status} to {operation:?}");
        reaches("est_server", 1, &what, |file| {
            script(file).answers.contains(&(Some(operation), status))
        });
    };
    for status in [
        200, 202, 400, 401, 403, 404, 405, 408, 413, 415, 422, 429, 500, 503,
    ] {
        answered(Operation::SimpleEnroll, status);
    }
    for (operation, status) in [
        (Operation::CaCerts, 200),
        (Operation::CsrAttrs, 200),
        (Operation::CsrAttrs, 204),
        (Operation::SimpleReenroll, 200),
        (Operation::SimpleReenroll, 403),
        (Operation::ServerKeyGen, 200),
        (Operation::ServerKeyGen, 202),
        (Operation::FullCmc, 200),
        (Operation::FullCmc, 202),
        (Operation::FullCmc, 503),
    ] {
        answered(operation, status);
    }
}

#[test]
fn the_corpus_of_exchanges_reaches_every_way_on() {
    use fuzz::est_exchange::{Reached, script};

    type Reaches = fn(&Reached) -> bool;
    let table: [(&str, Reaches, usize); 6] = [
        ("an answer", |reached| reached.done, 10),
        ("certificates", |reached| reached.certificates, 5),
        ("credentials", |reached| reached.authorized, 5),
        ("a redirect that is followed", |reached| reached.redirected, 2),
        ("a wait", |reached| reached.waited, 2),
        ("a request that is sent again", |reached| reached.sent > 1, 8),
    ];
    for (what, holds, least) in table {
        reaches("est_exchange", least, what, |file| holds(&script(file)));
    }
}

#[test]
fn the_corpus_of_trust_reaches_every_judgement() {
    use fuzz::est_trust::{Reached, script};

    type Reaches = fn(&Reached) -> bool;
    let table: [(&str, Reaches, usize); 5] = [
        ("a new root that is trusted", |reached| reached.added == 1, 5),
        ("several of them", |reached| reached.added > 1, 4),
        ("a root that is not trusted", |reached| reached.refused > 0, 5),
        ("a certificate as it was asked for", |reached| reached.issued, 2),
        ("another one for the same key", |reached| reached.differs, 6),
    ];
    for (what, holds, least) in table {
        reaches("est_trust", least, what, |file| holds(&script(file)));
    }
}

#[test]
fn the_corpus_of_renewals_reaches_every_outcome_in_machine_and_daemon() {
    use fuzz::est_renewal::{Reached, script};

    type Reaches = fn(&Reached) -> bool;
    let of_machine: [(&str, Reaches, usize); 3] = [
        ("a renewal", |reached| reached.renewed > 1, 4),
        ("a request that waits", |reached| reached.pending > 0, 1),
        ("a failure", |reached| reached.failed > 0, 4),
    ];
    let of_daemon: [(&str, Reaches, usize); 5] = [
        ("renewals of both", |reached| reached.renewed > 3, 4),
        ("a request that waits", |reached| reached.pending > 1, 1),
        ("failures", |reached| reached.failed > 3, 3),
        ("a full disk", |reached| reached.disk_failures > 0, 2),
        ("a restart", |reached| reached.starts > 2, 2),
    ];
    for (odd, table) in [(0, &of_machine[..]), (1, &of_daemon)] {
        for (what, holds, least) in table {
            reaches("est_renewal", *least, what, |file| {
                file.first().is_some_and(|first| first % 2 == odd) && holds(&script(file))
            });
        }
    }
}

#[test]
fn the_corpora_of_short_texts_hold_what_is_accepted() {
    use est::adcs::CertsrvUrl;
    use est::adcs::ntlm::Challenge;
    use est::exchange::ServerUrl;
    use est::operation::EstPath;
    use pki_common::channel_binding::ChannelBindings;

    reaches("est_ntlm", 5, "a challenge", |file| {
        Challenge::from_bytes(file).is_ok()
    });
    let text = |file: &[u8]| String::from_utf8_lossy(file).into_owned();
    reaches("est_url", 6, "an EST server", |file| {
        text(file).parse::<ServerUrl>().is_ok()
    });
    reaches("est_url", 6, "web enrolment", |file| {
        text(file).parse::<CertsrvUrl>().is_ok()
    });
    reaches("est_url", 2, "a path of EST", |file| {
        EstPath::parse(&text(file)).is_some()
    });
    reaches("pki_channel_binding", 4, "a channel binding", |file| {
        ChannelBindings::new(Some([0x5a; 12]), Some([0xa5; 32]))
            .check(&text(file))
            .is_ok()
    });
    let kinds: std::collections::BTreeSet<_> = files("est_inspect")
        .iter()
        .map(|file| est::inspect::inspect(file, rustls_pki_types::UnixTime::now()).kind)
        .collect();
    assert!(kinds.len() >= 15, "{kinds:?}");
}
