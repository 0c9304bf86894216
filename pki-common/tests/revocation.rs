//! Revocation lists: which certificates they refuse, with which alert, and which lists are refused themselves.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops where something is wrong"
)]

mod tls_support;

use std::fs;
use std::sync::Arc;

use pki_common::Diagnose as _;
use pki_common::certificate::Certificate;
use pki_common::identity::Identity;
use pki_common::ladder::Alert;
use pki_common::revocation::{
    RevocationCheck, RevocationDepth, RevocationListError, RevocationLists, RevocationReason,
};
use pki_common::tls::{
    ClientAuthentication, ClientTls, PeerVerifier, RefusalRecorder, ServerTls, TlsVersions, alert_sent_for,
};
use pki_common::trust_store::{TrustError, TrustStore, Usage};
use rcgen::{CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, KeyUsagePurpose};
use tls_support::{Authority, RevocationListOptions, days_from, handshake, now, openssl, read, self_signed};

/// A root, an intermediate and a client below it.
struct Hierarchy {
    root: Authority,
    intermediate: Authority,
    client: Identity,
}

impl Hierarchy {
    fn new() -> Self {
        let root = Authority::root("Root");
        let intermediate = root.intermediate("Intermediate");
        let client = intermediate.issue("client", &[&intermediate.certificate], |_| {});
        Self {
            root,
            intermediate,
            client,
        }
    }

    fn lists(&self, by_root: &[&Certificate], by_intermediate: &[&Certificate]) -> RevocationLists {
        let mut lists = RevocationLists::empty("clients");
        lists.add_der(&self.root.revocation_list(by_root)).unwrap();
        lists
            .add_der(&self.intermediate.revocation_list(by_intermediate))
            .unwrap();
        lists
    }

    fn check(&self, check: &RevocationCheck) -> Result<(), TrustError> {
        self.root.store("clients").validate_unrevoked(
            self.client.certificate(),
            &self.client.chain()[1..],
            Usage::Client,
            now(),
            check,
        )
    }
}

#[test]
fn a_client_on_no_list_is_let_in_and_a_revoked_one_gets_alert_44() {
    let hierarchy = Hierarchy::new();
    let client_certificate = hierarchy.client.certificate().clone();
    for versions in [TlsVersions::Tls12, TlsVersions::Tls13] {
        for revoked in [false, true] {
            let on_list: Vec<&Certificate> = if revoked {
                vec![&client_certificate]
            } else {
                vec![]
            };
            let lists = hierarchy.lists(&[], &on_list);
            let verifier = PeerVerifier::trust_store(hierarchy.root.store("clients"))
                .with_revocation(RevocationCheck::by(lists));
            let mut server = ServerTls::new(Arc::new(self_signed()));
            server.client_authentication = ClientAuthentication::Required(verifier);
            server.versions = versions;
            let recorder = Arc::new(RefusalRecorder::default());
            let config = server
                .rustls_config_observed(Arc::<RefusalRecorder>::clone(&recorder))
                .unwrap();
            let trusted = tls_support::admitting(server.identity.certificate());
            let identity = Identity::from_parts(
                hierarchy.client.chain().to_vec(),
                hierarchy.client.private_key().clone_key(),
            );
            let client =
                ClientTls::new(PeerVerifier::authlist(trusted)).with_identity(Arc::new(identity.unwrap()));
            let outcome = handshake(&client.rustls_config().unwrap(), &config);
            assert_eq!(outcome.succeeded(), !revoked, "{versions:?} {outcome:?}");
            if let Some(error) = &outcome.server {
                assert_eq!(alert_sent_for(error), Some(Alert::CERTIFICATE_REVOKED));
                let told = recorder.refusal().unwrap().diagnose();
                assert!(
                    told.cause.contains("/CN=client was revoked by /CN=Intermediate"),
                    "{told}"
                );
                assert!(told.cause.contains("keyCompromise"), "{told}");
            }
        }
    }
}

#[test]
fn a_revoked_intermediate_refuses_what_it_issued_unless_only_the_end_entity_is_looked_up() {
    let hierarchy = Hierarchy::new();
    let lists = || hierarchy.lists(&[&hierarchy.intermediate.certificate], &[]);
    let error = hierarchy.check(&RevocationCheck::by(lists())).unwrap_err();
    assert!(
        matches!(&error, TrustError::Revoked { subject, reason, .. }
            if subject == "/CN=Intermediate" && *reason == RevocationReason(1)),
        "{error}"
    );
    let shallow = RevocationCheck::by(lists()).with_depth(RevocationDepth::EndEntity);
    assert_eq!(hierarchy.check(&shallow), Ok(()));
}

#[test]
fn without_a_list_of_every_issuer_nobody_is_let_in_unless_allowed() {
    let hierarchy = Hierarchy::new();
    let mut only_root = RevocationLists::empty("clients");
    only_root.add_der(&hierarchy.root.revocation_list(&[])).unwrap();
    let check = RevocationCheck::by(only_root);
    let error = hierarchy.check(&check).unwrap_err();
    assert!(
        matches!(&error, TrustError::RevocationUnknown { issuer, .. } if issuer == "/CN=Intermediate"),
        "{error}"
    );
    assert_eq!(hierarchy.check(&check.dangerous_accept_missing_list()), Ok(()));
}

#[test]
fn an_expired_list_refuses_unless_allowed_but_what_it_revokes_stays_revoked() {
    let hierarchy = Hierarchy::new();
    let old = RevocationListOptions {
        this_update: days_from(now(), -20),
        next_update: days_from(now(), -10),
        ..RevocationListOptions::default()
    };
    let lists = |revoked: &[&Certificate]| {
        let mut lists = RevocationLists::empty("clients");
        lists.add_der(&hierarchy.root.revocation_list(&[])).unwrap();
        let list = hierarchy.intermediate.revocation_list_with(revoked, &old);
        lists.add_der(&list).unwrap();
        lists
    };
    let error = hierarchy.check(&RevocationCheck::by(lists(&[]))).unwrap_err();
    assert!(
        matches!(&error, TrustError::RevocationListExpired { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("10 d ago"), "{error}");
    let tolerant = |lists| RevocationCheck::by(lists).dangerous_accept_expired_list();
    assert_eq!(hierarchy.check(&tolerant(lists(&[]))), Ok(()));
    let revoked = hierarchy.check(&tolerant(lists(&[hierarchy.client.certificate()])));
    assert!(matches!(revoked, Err(TrustError::Revoked { .. })), "{revoked:?}");
}

#[test]
fn a_list_from_the_future_tells_nothing_yet() {
    let hierarchy = Hierarchy::new();
    let early = RevocationListOptions {
        this_update: days_from(now(), 2),
        next_update: days_from(now(), 10),
        ..RevocationListOptions::default()
    };
    let mut lists = RevocationLists::empty("clients");
    let list = hierarchy.intermediate.revocation_list_with(&[], &early);
    lists.add_der(&list).unwrap();
    let error = hierarchy.check(&RevocationCheck::by(lists)).unwrap_err();
    assert!(error.to_string().contains("from the future"), "{error}");
}

#[test]
fn a_list_that_another_key_signed_in_the_name_of_the_issuer_does_not_count() {
    let hierarchy = Hierarchy::new();
    let impostor = Authority::root("Intermediate");
    let mut lists = RevocationLists::empty("clients");
    lists.add_der(&hierarchy.root.revocation_list(&[])).unwrap();
    lists.add_der(&impostor.revocation_list(&[])).unwrap();
    let check = RevocationCheck::by(lists.clone());
    let error = hierarchy.check(&check).unwrap_err();
    assert!(error.to_string().contains("does not verify"), "{error}");
    // Beside the true list it does no harm: it neither revokes nor replaces.
    let forged = impostor.revocation_list(&[hierarchy.client.certificate()]);
    lists
        .add_der(&hierarchy.intermediate.revocation_list(&[]))
        .unwrap();
    lists.add_der(&forged).unwrap();
    assert_eq!(hierarchy.check(&RevocationCheck::by(lists)), Ok(()));
}

#[test]
fn an_issuer_whose_key_usage_lacks_crl_sign_cannot_vouch_by_a_list() {
    let root = Authority::root_with("Root", |parameters| {
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    });
    let client = root.issue("client", &[], |_| {});
    let mut lists = RevocationLists::empty("clients");
    lists.add_der(&root.revocation_list(&[])).unwrap();
    let error = root
        .store("clients")
        .validate_unrevoked(
            client.certificate(),
            &[],
            Usage::Client,
            now(),
            &RevocationCheck::by(lists),
        )
        .unwrap_err();
    assert!(error.to_string().contains("cRLSign"), "{error}");
}

#[test]
fn the_newest_list_of_an_issuer_holds_in_whichever_order_they_come() {
    let hierarchy = Hierarchy::new();
    let at = |days| RevocationListOptions {
        this_update: days_from(now(), days),
        ..RevocationListOptions::default()
    };
    let client = hierarchy.client.certificate();
    let held = hierarchy.intermediate.revocation_list_with(&[client], &at(-3));
    let released = hierarchy.intermediate.revocation_list_with(&[], &at(-2));
    for order in [[&held, &released], [&released, &held]] {
        let mut lists = RevocationLists::empty("clients");
        lists.add_der(&hierarchy.root.revocation_list(&[])).unwrap();
        for list in order {
            lists.add_der(list).unwrap();
        }
        assert_eq!(lists.len(), 2);
        assert_eq!(hierarchy.check(&RevocationCheck::by(lists)), Ok(()));
    }
}

#[test]
fn a_list_for_some_certificates_does_not_speak_for_others() {
    let root = Authority::root("Root");
    let uri = |name: &str| format!("http://pki.example/{name}.crl");
    let partition = |name: &str, scope| RevocationListOptions {
        distribution_point: Some(CrlIssuingDistributionPoint {
            distribution_point: CrlDistributionPoint {
                uris: vec![uri(name)],
            },
            scope,
        }),
        ..RevocationListOptions::default()
    };
    let client = root.issue("client", &[], |parameters| {
        parameters.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![uri("a")] }];
    });
    for (name, scope, speaks) in [
        ("a", None, true),
        ("a", Some(CrlScope::UserCertsOnly), true),
        ("a", Some(CrlScope::CaCertsOnly), false),
        ("b", None, false),
    ] {
        let mut lists = RevocationLists::empty("clients");
        lists
            .add_der(&root.revocation_list_with(&[], &partition(name, scope)))
            .unwrap();
        let checked = root.store("clients").validate_unrevoked(
            client.certificate(),
            &[],
            Usage::Client,
            now(),
            &RevocationCheck::by(lists),
        );
        assert_eq!(checked.is_ok(), speaks, "{name} {scope:?} {checked:?}");
    }
}

#[test]
fn bad_lists_are_refused_with_the_file_and_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.crl");
    let good = Authority::root("Root").revocation_list(&[]);
    let mut trailing = good.clone();
    trailing.push(0);
    let cases: [(&[u8], &str); 4] = [
        (b"", "no revocation list"),
        (
            b"-----BEGIN X509 CRL-----\nMIIB\n-----END X509 CRL-----\n",
            "damaged",
        ),
        (&good[..good.len() - 3], "damaged"),
        (&trailing, "1 bytes after its end"),
    ];
    for (content, reason) in cases {
        fs::write(&path, content).unwrap();
        let error = RevocationLists::from_paths("clients", [&path]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(reason) && text.contains("list.crl"), "{text}");
    }
    let mut small = RevocationLists::empty("clients").with_max_bytes(16);
    fs::write(&path, &good).unwrap();
    assert!(matches!(
        small.add_path(&path),
        Err(RevocationListError::TooLarge { limit: 16, .. })
    ));
    fs::remove_file(&path).unwrap();
    assert!(matches!(
        RevocationLists::from_paths("clients", [folder.path()]),
        Err(RevocationListError::None { .. })
    ));
}

#[test]
fn every_damaged_byte_of_a_list_is_survived() {
    let root = Authority::root("Root");
    let client = root.issue("client", &[], |_| {});
    let list = root.revocation_list(&[client.certificate()]);
    for position in 0..list.len() {
        let mut damaged = list.clone();
        damaged[position] ^= 0x55;
        let mut lists = RevocationLists::empty("clients");
        if lists.add_der(&damaged).is_err() {
            continue;
        }
        let checked = root.store("clients").validate_unrevoked(
            client.certificate(),
            &[],
            Usage::Client,
            now(),
            &RevocationCheck::by(lists),
        );
        assert!(
            checked.is_err(),
            "byte {position}: a damaged list lets the revoked client in"
        );
    }
}

#[test]
fn lists_that_openssl_makes_are_understood_in_der_pem_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::write(
        at.join("ca.cnf"),
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=7\n\
         crl_extensions=x\n[x]\nauthorityKeyIdentifier=keyid\n",
    )
    .unwrap();
    fs::write(at.join("v3.cnf"), "basicConstraints=CA:FALSE\n").unwrap();
    fs::write(at.join("index.txt"), "").unwrap();
    fs::write(at.join("crlnumber"), "01\n").unwrap();
    let run = |line: &str| openssl(at, &line.split(' ').collect::<Vec<_>>());
    let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    let ca = format!("req -x509 {new_key} -keyout ca.key -out ca.pem -subj /CN=OpenSSL-CA -days 30");
    if run(&ca).is_none() {
        return;
    }
    for name in ["good", "bad"] {
        run(&format!(
            "req {new_key} -keyout {name}.key -out {name}.csr -subj /CN={name}"
        ));
        run(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile v3.cnf -out {name}.pem"
        ));
    }
    run("ca -config ca.cnf -cert ca.pem -keyfile ca.key -revoke bad.pem -crl_reason superseded");
    run("ca -config ca.cnf -cert ca.pem -keyfile ca.key -gencrl -out list.pem");
    run("crl -in list.pem -outform DER -out list.crl");
    let mut store = TrustStore::empty("clients");
    store
        .add(&Certificate::from_pem(&read(at, "ca.pem")).unwrap())
        .unwrap();
    for path in [at.join("list.pem"), at.join("list.crl"), at.to_path_buf()] {
        let lists = RevocationLists::from_paths("clients", [&path]).unwrap();
        let check = RevocationCheck::by(lists);
        let validate = |name: &str| {
            let certificate = Certificate::from_pem(&read(at, name)).unwrap();
            store.validate_unrevoked(&certificate, &[], Usage::Client, now(), &check)
        };
        assert_eq!(validate("good.pem"), Ok(()), "{}", path.display());
        let revoked = validate("bad.pem");
        assert!(
            matches!(&revoked, Err(TrustError::Revoked { reason, .. }) if reason.name() == Some("superseded")),
            "{revoked:?}"
        );
    }
}
