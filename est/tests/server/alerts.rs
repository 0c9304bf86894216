//! Refusals in the handshake: the alert arrives, whatever the client has sent meanwhile.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use pki_common::identity::{Identity, SelfSigned};
use pki_common::tls::{ClientTls, PeerVerifier};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;

use crate::support::{Setup, TestServer};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_has_begun_its_request_still_learns_why_its_certificate_is_refused() {
    let server = TestServer::start(Setup::default()).await;
    let stranger = Identity::self_signed(SelfSigned::new("0200.0000.0009".parse().unwrap())).unwrap();
    let anchors = Arc::clone(&server.anchors);
    let tls = ClientTls::new(PeerVerifier::trust_store(anchors)).with_identity(Arc::new(stranger));
    let connector = TlsConnector::from(tls.rustls_config().unwrap());
    for _ in 0..5 {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let name = server.address.ip().into();
        // In TLS 1.3 the client is through before the server has seen its certificate.
        let mut stream = connector.connect(name, stream).await.unwrap();
        // A client that cannot write any more does not look for what it could read: the refusal comes in between.
        for _ in 0..20 {
            stream.write_all(&[b'x'; 1000]).await.unwrap();
            stream.flush().await.unwrap();
            sleep(Duration::from_millis(5)).await;
        }
        let mut answer = Vec::new();
        let told = stream.read_to_end(&mut answer).await.unwrap_err();
        assert_eq!(told.kind(), ErrorKind::InvalidData, "{told}");
        assert!(told.to_string().contains("fatal alert"), "{told}");
    }
    server.stop().await;
}
