//! Certificates that are trusted because they were seen before.

#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]
#![allow(clippy::unwrap_used, reason = "a test stops where something is wrong")]

mod tls_support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use pki_common::clock::FixedClock;
use pki_common::identity::Identity;
use pki_common::ladder::{Alert, Failure, Rung, Side, TlsFault};
use pki_common::pinning::{Pin, PinStore, PinStoreError};
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, RefusalRecorder, ServerTls};
use pki_common::{Diagnose as _, Fingerprint, HashAlgorithm};
use tls_support::{Outcome, days_from, handshake, now};

const NAME: &str = "wlc1.example";

fn self_signed() -> Arc<Identity> {
    Arc::new(tls_support::self_signed())
}

fn store(folder: &Path) -> Arc<PinStore> {
    Arc::new(PinStore::open(folder.join("pins")).unwrap())
}

fn fingerprint(identity: &Identity) -> Fingerprint {
    Fingerprint::of(HashAlgorithm::Sha256, identity.certificate())
}

/// One handshake of a client with this verifier; how it ended, and what the client says of a refusal.
fn try_handshake(verifier: PeerVerifier, server: &Arc<Identity>) -> (Outcome, Option<Failure>) {
    let server = ServerTls::new(Arc::clone(server)).rustls_config().unwrap();
    let recorder = Arc::new(RefusalRecorder::default());
    let client = ClientTls::new(verifier)
        .rustls_config_observed(Arc::<RefusalRecorder>::clone(&recorder))
        .unwrap();
    let outcome = handshake(&client, &server);
    (outcome, recorder.refusal().map(|refusal| refusal.diagnose()))
}

#[test]
fn the_first_certificate_is_pinned_and_another_one_refused_with_both_fingerprints() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let (first, second) = (self_signed(), self_signed());
    let verifier = PeerVerifier::dangerous_pin_on_first_use(Arc::clone(&store), NAME);
    assert!(try_handshake(verifier.clone(), &first).0.succeeded());
    let pinned = store.pin_of("WLC1.example").unwrap().unwrap();
    assert_eq!(pinned.pin, Pin::of(first.certificate()));
    assert!(try_handshake(verifier.clone(), &first).0.succeeded());

    let (outcome, refusal) = try_handshake(verifier, &second);
    assert_eq!(
        Outcome::received(outcome.server.as_ref()),
        Some(Alert::CERTIFICATE_UNKNOWN)
    );
    let refusal = refusal.unwrap();
    assert_eq!(refusal.rung, Rung::Tls(TlsFault::Chain));
    assert_eq!(refusal.refused_by, Some(Side::Local));
    for identity in [&first, &second] {
        let fingerprint = fingerprint(identity).to_string();
        assert!(refusal.cause.contains(&fingerprint), "{refusal}");
    }
    assert!(refusal.cause.contains("with another key"), "{refusal}");
    let place = format!("line {} of", pinned.line);
    assert!(refusal.remedy.contains(&place), "{refusal}");
    assert_eq!(
        store.pin_of(NAME).unwrap(),
        Some(pinned),
        "a refusal changes nothing"
    );
}

#[test]
fn a_renewed_certificate_of_the_same_key_is_refused_and_told_from_another_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let identity = self_signed();
    let mut earlier = Pin::of(identity.certificate());
    earlier.certificate = Fingerprint::of_der(HashAlgorithm::Sha256, b"the certificate before");
    store.add(NAME, earlier).unwrap();
    let (outcome, refusal) = try_handshake(PeerVerifier::pinned_in(store, NAME), &identity);
    assert!(!outcome.succeeded());
    assert!(refusal.unwrap().cause.contains("with the same key"));
}

#[test]
fn without_first_use_an_unknown_peer_is_refused_and_not_pinned() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let identity = self_signed();
    let verifier = PeerVerifier::pinned_in(Arc::clone(&store), NAME);
    let (outcome, refusal) = try_handshake(verifier.clone(), &identity);
    assert!(!outcome.succeeded());
    let refusal = refusal.unwrap();
    assert!(
        refusal.cause.contains(&fingerprint(&identity).to_string()),
        "{refusal}"
    );
    assert!(store.is_empty().unwrap());

    store.add(NAME, Pin::of(identity.certificate())).unwrap();
    assert!(try_handshake(verifier.clone(), &identity).0.succeeded());
    let elsewhere = verifier.for_peer("wlc2.example");
    assert!(
        !try_handshake(elsewhere, &identity).0.succeeded(),
        "pins belong to names"
    );
}

#[test]
fn a_pinned_certificate_that_expired_is_refused_as_expired() {
    let folder = tempfile::tempdir().unwrap();
    let identity = self_signed();
    let later = FixedClock(days_from(now(), 400));
    let verifier =
        PeerVerifier::dangerous_pin_on_first_use(store(folder.path()), NAME).with_clock(Arc::new(later));
    let (outcome, _) = try_handshake(verifier, &identity);
    assert_eq!(
        Outcome::received(outcome.server.as_ref()),
        Some(Alert::CERTIFICATE_EXPIRED)
    );
    assert!(
        store(folder.path()).is_empty().unwrap(),
        "what was refused is not pinned"
    );
}

/// It presents the certificate of another and signs with a key of its own.
#[test]
fn who_shows_a_certificate_without_its_key_is_not_pinned() {
    use rustls::sign::{CertifiedKey, SingleCertAndKey};
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let (shown, own) = (self_signed(), self_signed());
    let mut server = (*ServerTls::new(Arc::clone(&own)).rustls_config().unwrap()).clone();
    let provider = pki_common::tls::crypto_provider().unwrap();
    let key = provider.key_provider.load_private_key(own_key(&own)).unwrap();
    let stolen = CertifiedKey::new(vec![shown.certificate().der().clone()], key);
    server.cert_resolver = Arc::new(SingleCertAndKey::from(stolen));
    let verifier = PeerVerifier::dangerous_pin_on_first_use(Arc::clone(&store), NAME);
    let client = ClientTls::new(verifier).rustls_config().unwrap();
    assert!(!handshake(&client, &Arc::new(server)).succeeded());
    assert!(store.is_empty().unwrap());
}

fn own_key(identity: &Identity) -> rustls_pki_types::PrivateKeyDer<'static> {
    use rustls_pki_types::pem::PemObject as _;
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    identity
        .save(folder.path().join("certificate.pem"), &key)
        .unwrap();
    rustls_pki_types::PrivateKeyDer::from_pem_file(key).unwrap()
}

#[test]
fn a_file_of_pins_lets_no_client_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = ServerTls::new(self_signed());
    let verifier = PeerVerifier::dangerous_pin_on_first_use(store(folder.path()), NAME);
    server.client_authentication = ClientAuthentication::Required(verifier);
    let trusted = tls_support::admitting(server.identity.certificate());
    let client = ClientTls::new(PeerVerifier::authlist(trusted)).with_identity(self_signed());
    assert!(!handshake(&client.rustls_config().unwrap(), &server.rustls_config().unwrap()).succeeded());
    assert!(store(folder.path()).is_empty().unwrap());
}

#[test]
fn a_peer_whose_pin_cannot_be_written_is_refused_and_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").join("pins");
    let store = Arc::new(PinStore::open(&missing).unwrap());
    let verifier = PeerVerifier::dangerous_pin_on_first_use(store, NAME);
    let (outcome, refusal) = try_handshake(verifier, &self_signed());
    assert!(!outcome.succeeded());
    let refusal = refusal.unwrap();
    assert_eq!(refusal.rung, Rung::Local);
    assert!(refusal.cause.contains("missing"), "{refusal}");
}

#[cfg(unix)]
#[test]
fn the_file_is_for_its_owner_only_and_keeps_what_people_wrote_into_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins");
    fs::write(&path, "# the lab\n\n").unwrap();
    let store = PinStore::open(&path).unwrap();
    let pin = Pin::of(self_signed().certificate());
    assert_eq!(store.add(NAME, pin).unwrap().line, 3);
    assert_eq!(store.add("[2001:db8::1]:5", pin).unwrap().line, 4);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(store.remove(NAME).unwrap());
    assert!(!store.remove(NAME).unwrap());
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# the lab\n\n[2001:db8::1]:5 "), "{text}");
    assert_eq!(store.len().unwrap(), 1);
}

#[test]
fn a_line_that_somebody_takes_out_is_missed_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    store.add(NAME, Pin::of(self_signed().certificate())).unwrap();
    fs::write(store.path(), "# empty\n").unwrap();
    assert_eq!(store.pin_of(NAME).unwrap(), None);
    fs::remove_file(store.path()).unwrap();
    assert!(store.is_empty().unwrap());
}

#[test]
fn damaged_lines_are_refused_with_their_number() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins");
    let pin = Pin::of(self_signed().certificate());
    let good = format!("{NAME} {} {}", pin.certificate, pin.key);
    let sha1 = format!("{NAME} {} {}", "AA".repeat(20), pin.key);
    let table = [
        (format!("# ok\n{NAME} {}", pin.certificate), 2, "three columns"),
        (format!("{good} more"), 1, "three columns"),
        (format!("{good}\n{good}"), 2, "line 1 pins the same peer"),
        (format!("{NAME} xx {}", pin.key), 1, "no hexadecimal digit"),
        (format!("{NAME} {} 12", pin.certificate), 1, "key hash"),
        (sha1, 1, "SHA-256"),
    ];
    for (text, expected, reason) in table {
        fs::write(&path, &text).unwrap();
        let error = PinStore::open(&path).unwrap_err();
        let failure = error.diagnose();
        assert!(
            failure.cause.contains(reason) && !failure.remedy.is_empty(),
            "{failure}"
        );
        let PinStoreError::Line { line, .. } = error else {
            panic!("{failure}")
        };
        assert_eq!(line, expected, "{text}");
    }
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(matches!(PinStore::open(&path), Err(PinStoreError::Read { .. })));
    fs::write(&path, "").unwrap();
    for name in ["", "a b", "#a", "a\nb", &"a".repeat(300)] {
        let refused = PinStore::open(&path).unwrap().add(name, pin);
        assert!(matches!(refused, Err(PinStoreError::Name { .. })), "{name:?}");
    }
}

#[test]
fn a_file_that_is_none_of_pins_is_not_read_into_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins");
    let file = fs::File::create(&path).unwrap();
    file.set_len(pki_common::pinning::MAX_PIN_FILE_BYTES + 1).unwrap();
    assert!(matches!(
        PinStore::open(&path),
        Err(PinStoreError::FileTooLarge { .. })
    ));
}

/// The variable that turns a run of this test program into one of the writers.
const WRITER: &str = "PINNING_TEST_WRITER";

const PINS_PER_WRITER: usize = 20;

#[test]
fn processes_that_pin_at_the_same_time_lose_nothing_and_agree_on_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins");
    if let Ok(file) = std::env::var(WRITER) {
        write_pins(Path::new(&file));
        return;
    }
    let writers: Vec<_> = (0..4)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args([
                    "--exact",
                    "processes_that_pin_at_the_same_time_lose_nothing_and_agree_on_the_first",
                ])
                .env(WRITER, &path)
                .spawn()
                .unwrap()
        })
        .collect();
    for mut writer in writers {
        assert!(writer.wait().unwrap().success());
    }
    let store = PinStore::open(&path).unwrap();
    assert_eq!(store.len().unwrap(), 4 * PINS_PER_WRITER + 1);
}

fn write_pins(path: &Path) {
    let store = PinStore::open(path).unwrap();
    let pin = Pin::of(self_signed().certificate());
    let contested = store.add("contested", pin).unwrap();
    for number in 0..PINS_PER_WRITER {
        let name = format!("{}-{number}", std::process::id());
        assert_eq!(store.add(&name, pin).unwrap().pin, pin);
    }
    assert_eq!(store.add("contested", pin).unwrap().pin, contested.pin);
}

#[test]
fn the_recorder_of_a_connection_knows_the_accepted_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let identity = self_signed();
    let verifier = PeerVerifier::dangerous_pin_on_first_use(store(folder.path()), NAME);
    let recorder = Arc::new(RefusalRecorder::default());
    let client = ClientTls::new(verifier)
        .rustls_config_observed(Arc::<RefusalRecorder>::clone(&recorder))
        .unwrap();
    let server = ServerTls::new(Arc::clone(&identity)).rustls_config().unwrap();
    assert!(recorder.validated().is_none());
    assert!(handshake(&client, &server).succeeded());
    assert_eq!(recorder.validated().unwrap().der(), identity.certificate().der());
}
