//! Requests that wait for approval.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use est::ca::{
    CaFuture, CertificateAuthority, EnrollOutcome, EnrollRequest, ServerKeyDecision, ServerKeyRequest,
};
use est::operation::{KeyFuture, KeyGenerator, ServerKeyKind};
use est::wire::csr::PublicKeyKind;
use rustls_pki_types::CertificateDer;

use crate::exchange::Exchange;
use crate::lab::P256;

/// Lets every form wait twice, and remembers what was asked.
#[derive(Debug)]
struct Hesitant {
    authority: Arc<dyn CertificateAuthority>,
    asked: Arc<Mutex<Vec<ServerKeyRequest>>>,
}

impl CertificateAuthority for Hesitant {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        self.authority.ca_certificates()
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        self.authority.enroll(request)
    }

    fn approve_server_key(&self, request: ServerKeyRequest) -> CaFuture<'_, ServerKeyDecision> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(request);
        if asked.len() <= 2 {
            let retry_after = Duration::from_secs(7);
            return Box::pin(async move { Ok(ServerKeyDecision::Pending { retry_after }) });
        }
        Box::pin(async { Ok(ServerKeyDecision::MakeKey) })
    }
}

/// Counts the keys that it makes.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl KeyGenerator for Counting {
    fn generate(&self, kind: ServerKeyKind) -> KeyFuture<'_> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move { kind.generate() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_made_before_the_approval() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let generator = Arc::new(Counting::default());
    let (record, counting) = (Arc::clone(&asked), Arc::clone(&generator));
    let opened = Exchange::open_with(
        |_, settings| settings.generator = counting,
        |authority| {
            Arc::new(Hesitant {
                authority,
                asked: record,
            })
        },
    );
    let Some(exchange) = opened.await else { return };
    for _ in 0..2 {
        // Another key signs the form each time, which means nothing.
        exchange.form(P256, &[]);
        let answer = exchange.ask();
        assert_eq!(answer.status, "202");
        assert!(
            answer.head.to_ascii_lowercase().contains("retry-after: 7\r\n"),
            "{}",
            answer.head
        );
        assert_eq!(generator.0.load(Ordering::SeqCst), 0);
    }
    assert_eq!(exchange.ask().status, "200");
    assert_eq!(generator.0.load(Ordering::SeqCst), 1);
    exchange.split();
    exchange.lab.write("key.der", &exchange.lab.read("part0"));
    exchange.check_pair();
    {
        let asked = asked.lock().unwrap();
        assert_eq!(asked.len(), 3);
        assert!(asked.iter().all(|one| one.identity() == asked[0].identity()));
        assert_ne!(asked[0].form.der(), asked[1].form.der());
        assert_eq!(*asked[0].form.public_key().kind(), PublicKeyKind::EcP256);
        assert_eq!(asked[0].form.subject_text(), "CN=device-7,DC=example");
    }
    exchange.server.stop().await;
}
