//! Keys in the clear within TLS.

use est::operation::{KeyEncryption, ServerKeyKind};

use crate::exchange::Exchange;
use crate::lab::{ED25519, P256, P384, P521, RSA};

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_key_comes_with_the_certificate_that_belongs_to_it() {
    let Some(exchange) = Exchange::open(|_, _| {}).await else {
        return;
    };
    let table = [
        (RSA, "Private-Key: (2048 bit"),
        (P256, "Private-Key: (256 bit"),
        (P384, "Private-Key: (384 bit"),
        (ED25519, "ED25519 Private-Key:"),
    ];
    for (kind, expected) in table {
        exchange.form(kind, &[]);
        let answer = exchange.ask();
        assert_eq!(answer.status, "200", "{}", String::from_utf8_lossy(&answer.body));
        let length = format!("content-length: {}\r\n", answer.body.len());
        assert!(
            answer.head.to_ascii_lowercase().contains(&length),
            "{}",
            answer.head
        );
        let types = exchange.split();
        assert_eq!(
            types,
            [
                "application/pkcs8",
                "application/pkcs7-mime; smime-type=certs-only"
            ]
        );
        exchange.lab.write("key.der", &exchange.lab.read("part0"));
        let found = exchange.check_pair();
        assert!(found.contains(expected), "{found}");
    }
    exchange.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_answers_never_hold_the_same_key() {
    let Some(exchange) = Exchange::open(|_, _| {}).await else {
        return;
    };
    exchange.form(P256, &[]);
    let mut keys = std::collections::HashSet::new();
    for _ in 0..3 {
        assert_eq!(exchange.ask().status, "200");
        exchange.split();
        assert!(keys.insert(exchange.lab.read("part0")));
    }
    exchange.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_may_fix_the_kind_of_key() {
    let opened = Exchange::open(|_, settings| settings.fixed_kind = Some(ServerKeyKind::EcP384)).await;
    let Some(exchange) = opened else { return };
    exchange.form(P521, &[]);
    assert_eq!(exchange.ask().status, "200");
    exchange.split();
    exchange.lab.write("key.der", &exchange.lab.read("part0"));
    assert!(exchange.check_pair().contains("384 bit"));
    exchange.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_is_not_made_is_refused_with_those_that_are() {
    let Some(exchange) = Exchange::open(|_, _| {}).await else {
        return;
    };
    exchange.form(P521, &[]);
    let answer = exchange.ask();
    assert_eq!(answer.status, "422");
    let text = String::from_utf8(answer.body).unwrap();
    assert!(
        text.contains("EC P-521") && text.contains("p256, p384, ed25519, rsa2048"),
        "{text}"
    );
    exchange.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_demands_encryption_sends_nothing_in_the_clear() {
    let opened = Exchange::open(|_, settings| settings.encryption = KeyEncryption::Required).await;
    let Some(exchange) = opened else { return };
    exchange.form(P256, &[]);
    let answer = exchange.ask();
    assert_eq!(answer.status, "422");
    let text = String::from_utf8(answer.body).unwrap();
    assert!(text.contains("DecryptKeyIdentifier"), "{text}");
    exchange.server.stop().await;
}
