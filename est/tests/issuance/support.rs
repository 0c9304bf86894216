//! What the tests share.

/// The rule for peers that are not installed; one file for all crates.
#[path = "../../../interop/src/peers.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "written for a library, and each test uses a part of it"
)]
pub(crate) mod peers;

use std::future::Future;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use est::ca::issuer::Issuer;
use est::ca::policy::IssuancePolicy;
use est::ca::{EnrollError, IssuedCertificate, PolicyRefusal, issue};
use est::wire::csr::{CsrLimits, UnverifiedCsr, VerificationPolicy, VerifiedCsr};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, UnixTime};

/// 2026-11-21 20:00:00 UTC.
pub(crate) const NOW: u64 = 1_795_291_200;

pub(crate) const DAY: u64 = 24 * 60 * 60;

pub(crate) fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW))
}

pub(crate) fn test_data(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A request from `testdata/csr`, verified.
pub(crate) fn csr(name: &str) -> VerifiedCsr {
    UnverifiedCsr::from_der(&test_data(&format!("csr/{name}.der")), &CsrLimits::default())
        .unwrap()
        .verify(&VerificationPolicy::default())
        .unwrap()
}

/// An authority with a key from `testdata/ca`, valid for ten years.
pub(crate) fn issuer(key: &str) -> Issuer {
    let key = PrivateKeyDer::from_pem_slice(&test_data(&format!("ca/{key}.key.pem"))).unwrap();
    let validity = Duration::from_secs(3650 * DAY);
    let provider = pki_common::tls::crypto_provider().unwrap();
    Issuer::self_signed(
        "CN=Lab Root,OU=pki,DC=example,DC=com",
        key,
        validity,
        now(),
        provider,
    )
    .unwrap()
}

pub(crate) fn issue_with(policy: &IssuancePolicy, name: &str) -> Result<IssuedCertificate, EnrollError> {
    let issuer = issuer("p256");
    issue::issue(
        &issuer,
        &csr(name),
        policy,
        issuer.random_serial().unwrap(),
        now(),
    )
}

pub(crate) fn refusal(outcome: Result<IssuedCertificate, EnrollError>) -> PolicyRefusal {
    match outcome {
        Err(EnrollError::RejectedByPolicy(refusal)) => refusal,
        other => panic!("expected a refusal by the policy, got {other:?}"),
    }
}

/// Runs `openssl`; `None`, with a word about it, when it is not installed.
pub(crate) fn openssl(arguments: &[&str]) -> Option<Output> {
    let openssl = peers::find_or_skip("openssl")?;
    Some(
        Command::new(openssl)
            .args(arguments)
            .output()
            .expect("openssl can be started"),
    )
}

struct Signal(mpsc::Sender<()>);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        // The receiver is gone once the future has ended.
        self.0.send(()).unwrap_or_default();
    }
}

/// Drives a future on this thread, without a runtime. A future that is never woken fails after a minute.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let (sender, woken) = mpsc::channel();
    let waker = Waker::from(Arc::new(Signal(sender)));
    let mut future = Box::pin(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        woken
            .recv_timeout(Duration::from_secs(60))
            .expect("the future was never woken");
    }
}
