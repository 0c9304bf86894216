//! Requests that wait for approval.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use est::ca::{CaFuture, CertificateAuthority, EnrollOutcome, EnrollRequest};
use rustls_pki_types::CertificateDer;

use crate::exchange::Exchange;
use crate::lab::P256;

/// Lets every request wait twice, and remembers what was asked.
#[derive(Debug)]
struct Hesitant {
    authority: Arc<dyn CertificateAuthority>,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl CertificateAuthority for Hesitant {
    fn ca_certificates(&self) -> CaFuture<'_, Arc<[CertificateDer<'static>]>> {
        self.authority.ca_certificates()
    }

    fn enroll(&self, request: EnrollRequest) -> CaFuture<'_, EnrollOutcome> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(request.csr.der().to_vec());
        if asked.len() <= 2 {
            let retry_after = Duration::from_secs(7);
            return Box::pin(async move { Ok(EnrollOutcome::Pending { retry_after }) });
        }
        self.authority.enroll(request)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_keeps_its_key_until_the_certificate_is_fetched() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let mut pending_keys = None;
    let record = Arc::clone(&asked);
    let opened = Exchange::open_with(
        |_, settings| pending_keys = Some(Arc::clone(&settings.pending_keys)),
        |authority| {
            Arc::new(Hesitant {
                authority,
                asked: record,
            })
        },
    );
    let Some(exchange) = opened.await else { return };
    let pending_keys = pending_keys.unwrap();
    exchange.form(P256, &[]);
    for _ in 0..2 {
        let answer = exchange.ask();
        assert_eq!(answer.status, "202");
        assert!(
            answer.head.to_ascii_lowercase().contains("retry-after: 7\r\n"),
            "{}",
            answer.head
        );
        assert_eq!(pending_keys.count(), 1);
    }
    assert_eq!(exchange.ask().status, "200");
    assert_eq!(pending_keys.count(), 0);
    exchange.split();
    exchange.lab.write("key.der", &exchange.lab.read("part0"));
    exchange.check_pair();
    {
        let asked = asked.lock().unwrap();
        assert!(asked.len() == 3 && asked.iter().all(|csr| *csr == asked[0]));
    }
    // The next request has a key of its own.
    assert_eq!(exchange.ask().status, "200");
    {
        let asked = asked.lock().unwrap();
        assert_ne!(asked[3], asked[0]);
    }
    exchange.server.stop().await;
}
