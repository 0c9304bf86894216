//! The trap table: what EST software in the field was seen to stumble over, one row a test. Where a test stands in
//! another file, the table names it there; a case of a table of requests is named by its text.
//!
//! What our server was asked, because other servers failed at it:
//!
//! | seen elsewhere | file | test |
//! |---|---|---|
//! | a 401 without WWW-Authenticate | authentication/schemes.rs | offers_each_scheme_in_a_header_of_its_own_and_the_strongest_first |
//! | two differing Content-Length accepted | server_bad_requests.rs | two lengths |
//! | Content-Length beside chunked, the rest answered as a second request | server_bad_input.rs | bytes_behind_a_body_of_two_lengths_are_not_answered |
//! | `cacerts%00.txt` answered as cacerts | server_bad_requests.rs | NUL in the path |
//! | bytes behind the request accepted | server_bad_requests.rs | bytes behind |
//! | no 100 Continue | server_bad_input.rs | continues_when_a_client_asks_before_it_sends |
//! | 405 without Allow | server_bad_requests.rs | GET on simpleenroll |
//! | a body of 1 MiB answered 500 | server/traps.rs | a_body_of_a_mebibyte_is_refused_before_it_is_read |
//! | a stalled body held for over a minute | server_bad_input.rs | a_client_that_stalls_is_cut_off_and_counted |
//! | a header of 64 KiB accepted | server_bad_requests.rs | giant header |
//! | five idle TLS connections block the server | server/traps.rs | idle_tls_connections_keep_nobody_out |
//! | five silent connections block the server | server_bad_input.rs | silent_connections_do_not_keep_others_from_the_handshake |
//! | a multipart that is longer than its Content-Length | server/traps.rs | the_content_length_of_a_multipart_is_its_length |
//! | a bad signature of the request | server_bad_requests.rs | wrong signature |
//! | RSA-512 and RSA-1024 keys accepted | server/traps.rs | rsa_keys_of_512_and_1024_bits_are_refused |
//! | requested alternative names dropped | issuance/certificate.rs | copies_alternative_names_byte_for_byte |
//! | extensions silently dropped | issuance/policy.rs | drops_an_unlisted_extension_only_when_told_to |
//! | repeated parts of a name dropped | issuance/certificate.rs | openssl_shows_the_subject_with_all_its_repeated_parts |
//! | certificates that outlive their authority | issuance/certificate.rs | never_outlives_the_authority_and_starts_a_little_early |
//! | re-enrolment with another subject | server/reenrollment.rs | refuses_another_subject_and_shows_both |
//! | re-enrolment with other alternative names | server/reenrollment.rs | refuses_other_alternative_names_and_shows_both |
//! | re-enrolment by password, without the certificate | server/traps.rs | a_password_alone_does_not_renew |
//! | one line in base64 without a final newline | server/traps.rs | an_answer_is_one_line_that_ends_with_a_newline |
//! | four certificates on one line sent to libest | ../../interop/tests/interoperability/libest/estclient.rs | reads_four_ca_certificates |
//! | lines of 64 or 76 columns sent to strongSwan | server/labels.rs | libest_gets_lines_and_everybody_else_one_line |
//! | no way to choose the layout | server_bad_input.rs | the_base64_layout_of_answers_is_a_setting |
//! | header names compared with case | server/traps.rs | header_names_are_spelt_as_in_their_standards |
//! | a one-line request without newline refused | server/http_forms.rs | every_body_enrols_over_every_transport |
//! | chunked bodies refused | server/http_forms.rs | every_body_enrols_over_every_transport |
//! | PEM and lines of 64 columns refused | server/http_forms.rs | every_body_enrols_over_every_transport |
//! | Content-Type compared with case | server/http_forms.rs | a_media_type_is_read_in_any_case_with_parameters_in_any_order |
//! | Content-Transfer-Encoding demanded | server/http_forms.rs | the_content_transfer_encoding_means_nothing |
//! | bodies over 8192 bytes refused | server/traps.rs | a_request_of_more_than_8192_bytes_is_taken |
//! | csrattrs that end with a NUL | server/traps.rs | csrattrs_end_without_a_nul |
//! | a Hello Retry Request, which strongSwan 5.9.8 fails at | server/traps.rs | the_first_key_share_of_a_client_is_taken |
//! | a line end inside tls-unique | server/tls_exporter.rs | white_space_in_the_binding_changes_nothing |
//! | a binding of another connection | server/proof_of_possession.rs | a_request_that_python_ties_to_its_connection_is_accepted_and_from_another_connection_refused |
//! | odd signature algorithms | issuance/csr.rs | refuses_weak_keys_and_signatures_by_default |
//! | a reader that copied past its buffer | issuance/csr.rs | refuses_a_request_cut_off_at_any_byte |
//! | missing smime-type=certs-only | server_bad_input.rs | bodies_arrive_in_every_shape_that_clients_send |
//!
//! What our client was answered, because other servers answer so:
//!
//! | seen elsewhere | file | test |
//! |---|---|---|
//! | one line without newline | client/traps.rs | reads_one_line_without_a_newline |
//! | four certificates on one line | client/traps.rs | reads_four_certificates_on_one_line |
//! | 64 columns | client/traps.rs | reads_lines_of_64_columns |
//! | 76 columns with CR LF | client/traps.rs | reads_lines_of_76_columns_with_crlf |
//! | requests that libest refuses: no newline, chunks, Content-Type in another case, over 8192 bytes, Expect | client/traps.rs | the_request_is_such_that_libest_takes_it |
//! | csrattrs that end with a NUL | client/traps.rs | ignores_the_nul_behind_csrattrs |
//! | HTTP/1.0 | client/traps.rs | lives_with_http_1_0 |
//! | a 401 without WWW-Authenticate | client/traps.rs | a_401_without_a_challenge_is_answered_by_basic |
//! | two differing Content-Length | client/traps.rs | refuses_two_lengths_that_differ |
//! | a stalled body | client/traps.rs | a_body_that_stalls_runs_into_the_time_out |
//! | chunked answers | client/traps.rs | reads_a_chunked_answer |
//! | a multipart that is longer than its Content-Length | ../../interop/tests/interoperability/libest/estserver.rs | makes_a_key |
//! | requested names dropped | client/traps.rs | a_dropped_alternative_name_is_named |
//! | the subject changed | client/traps.rs | a_changed_subject_is_named |
//! | extensions dropped | client/traps.rs | a_dropped_extension_is_named |
//! | certificates that outlive their authority | client/answers.rs | a_certificate_that_ends_too_soon_or_outlives_its_issuer_is_told |
//! | chains in any order | client/traps.rs | finds_the_certificate_among_others_in_any_order |
//! | duplicates | client/traps.rs | takes_a_duplicate_certificate_once |
//! | BER with indefinite lengths | client/traps.rs | reads_ber_with_indefinite_lengths |
//! | missing smime-type=certs-only | client/traps.rs | does_without_certs_only_in_the_content_type |
//! | Content-Transfer-Encoding | client/traps.rs | ignores_content_transfer_encoding |
//! | confusion when a chain of cacerts is verified | client/answers.rs | a_chain_is_followed_in_any_order_and_a_stranger_is_not_trusted |
//! | redirects to another origin | client/exchange.rs | another_origin_is_reported_by_its_name_and_gets_nothing |
//! | a binding made for another connection | client/session.rs | the_binding_is_that_of_the_connection_whatever_the_server_closes |

use std::path::Path;
use std::sync::Arc;

use est::ca::policy::IssuancePolicy;
use est::operation::{
    DirectKeyGenerator, KeyPackageSigner, LabelSettings, Operation, ProofOfPossession,
    ServerKeyGenerationSettings,
};
use est::request::KeyAndRequest;
use est::server::own_identity;
use pki_common::identity::NewKey;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::support::peers::find_or_skip;
use crate::support::raw::{
    CACERTS, ENROLL, ask, base64, csr, get, good_headers, post, read_answer, tls, unharmed,
};
use crate::support::{PATIENCE, Setup, TestServer, embedded_authority};

#[test]
fn every_row_of_the_table_names_a_test_that_exists() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut rows = 0;
    for line in include_str!("traps.rs").lines() {
        let Some(row) = line.strip_prefix("//! | ") else {
            continue;
        };
        let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
        let [trap, file, test] = cells[..] else {
            panic!("{line}")
        };
        if file == "file" {
            continue;
        }
        let source =
            std::fs::read_to_string(tests.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let is_test = source.contains(&format!("fn {test}("));
        let is_case = source.contains(&format!("            \"{test}\",\n"))
            || source.contains(&format!("case(\"{test}\","));
        assert!(is_test || is_case, "{trap}: {file} has no {test}");
        rows += 1;
    }
    assert!(rows > 60, "{rows}");
}

/// Everything that the server answers until it closes the connection.
async fn ask_to_the_end(server: &TestServer, request: &str) -> (String, Vec<u8>) {
    let mut stream = tls(server).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the server closes")
        .unwrap();
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head, answer[end + 4..].to_vec())
}

/// `request` with `Connection: close`.
fn closing(request: &str) -> String {
    request.replacen("\r\n\r\n", "\r\nConnection: close\r\n\r\n", 1)
}

fn content_length(head: &str) -> usize {
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_refused_before_it_is_read() {
    let server = TestServer::start(Setup::default()).await;
    let head = format!(
        "POST {ENROLL} HTTP/1.1\r\nHost: x\r\n{}Content-Length: 1048576\r\n\r\n",
        good_headers()
    );
    let answer = ask(&server, &head).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("larger than the 65536 bytes"), "{answer}");
    unharmed(&server).await;
    server.stop().await;
}

#[tokio::test]
async fn idle_tls_connections_keep_nobody_out() {
    let server = TestServer::start(Setup::default()).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(tls(&server).await);
    }
    unharmed(&server).await;
    let answer = ask(&server, &post(&good_headers(), &base64(&csr()))).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // Those that idled are served, too, when they speak.
    let mut last = idle.pop().unwrap();
    last.write_all(get(CACERTS).as_bytes()).await.unwrap();
    assert!(read_answer(&mut last).await.starts_with("HTTP/1.1 200 "));
    drop(idle);
    drop(last);
    server.stop().await;
}

#[tokio::test]
async fn the_content_length_of_a_multipart_is_its_length() {
    let authority = embedded_authority(IssuancePolicy::default());
    let subject = "CN=signer".parse().unwrap();
    let signer = own_identity(&*authority, subject, Vec::new(), NewKey::EcP256)
        .await
        .unwrap();
    let signer = KeyPackageSigner::with_identity(&signer);
    let settings = LabelSettings {
        server_key_generation: Some(ServerKeyGenerationSettings::new(
            Arc::new(DirectKeyGenerator),
            signer,
        )),
        ..LabelSettings::default()
    };
    let server = TestServer::start(Setup {
        settings,
        ..Setup::default()
    })
    .await;
    let request = post(&good_headers(), &base64(&csr())).replace("simpleenroll", "serverkeygen");
    let (head, body) = ask_to_the_end(&server, &closing(&request)).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(content_length(&head), body.len());
    let boundary = head.split("boundary=").nth(1).unwrap().lines().next().unwrap();
    assert!(body.ends_with(format!("--{boundary}--\r\n").as_bytes()));
    server.stop().await;
}

/// Made by openssl; see testdata/csr/make.sh.
const WEAK: [(&[u8], &str); 2] = [
    (include_bytes!("../../testdata/csr/rsa512.der"), "512"),
    (include_bytes!("../../testdata/csr/rsa1024.der"), "1024"),
];

#[tokio::test]
async fn rsa_keys_of_512_and_1024_bits_are_refused() {
    let server = TestServer::start(Setup::default()).await;
    for (request, bits) in WEAK {
        let answer = ask(&server, &post(&good_headers(), &base64(request))).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains(bits), "{answer}");
    }
    assert_eq!(
        server
            .handle
            .statistics()
            .answers(Some(Operation::SimpleEnroll), 200),
        0
    );
    server.stop().await;
}

#[tokio::test]
async fn a_password_alone_does_not_renew() {
    let server = TestServer::start(Setup::default()).await;
    let request = post(&good_headers(), &base64(&csr())).replace("simpleenroll", "simplereenroll");
    let answer = ask(&server, &request).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("rule re-enrollment"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn an_answer_is_one_line_that_ends_with_a_newline() {
    let server = TestServer::start(Setup::default()).await;
    for request in [get(CACERTS), post(&good_headers(), &base64(&csr()))] {
        let (head, body) = ask_to_the_end(&server, &closing(&request)).await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let ends = body.iter().filter(|byte| byte.is_ascii_whitespace()).count();
        assert_eq!((ends, body.last()), (1, Some(&b'\n')), "{head}");
    }
    server.stop().await;
}

/// The client of libest looks for them so.
#[tokio::test]
async fn header_names_are_spelt_as_in_their_standards() {
    let server = TestServer::start(Setup::default()).await;
    let (head, _) = ask_to_the_end(&server, &closing(&get(CACERTS))).await;
    for name in [
        "Content-Type",
        "Content-Length",
        "Content-Transfer-Encoding",
        "Connection",
        "Date",
    ] {
        assert!(head.contains(&format!("\r\n{name}: ")), "{name}: {head}");
    }
    let body = base64(&csr());
    for (request, name) in [
        (
            post("Content-Type: application/pkcs10\r\n", &body),
            "WWW-Authenticate",
        ),
        (get(ENROLL), "Allow"),
    ] {
        let (head, _) = ask_to_the_end(&server, &closing(&request)).await;
        assert!(head.contains(&format!("\r\n{name}: ")), "{name}: {head}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_of_more_than_8192_bytes_is_taken() {
    let server = TestServer::start(Setup::default()).await;
    let label = "a-label-that-fills-the-request";
    let names = (0..100).map(|number| {
        format!("DNS:{label}.{label}.n{number}.example.com")
            .parse()
            .unwrap()
    });
    let made = KeyAndRequest::generate("CN=x".parse().unwrap(), names.collect(), NewKey::EcP256).unwrap();
    let body = base64(made.csr_der());
    assert!(body.len() > 8192, "{}", body.len());
    let answer = ask(&server, &post(&good_headers(), &body)).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn csrattrs_end_without_a_nul() {
    let settings = LabelSettings {
        proof_of_possession: ProofOfPossession::Required,
        ..LabelSettings::default()
    };
    let server = TestServer::start(Setup {
        settings,
        ..Setup::default()
    })
    .await;
    let (head, body) = ask_to_the_end(&server, &closing(&get("/.well-known/est/csrattrs"))).await;
    assert_eq!(content_length(&head), body.len());
    assert!(body.ends_with(b"==\n"), "{body:?}");
    server.stop().await;
}

/// strongSwan sends one key share, x25519 or P-256 first by its configuration, and cannot be asked for another.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_key_share_of_a_client_is_taken() {
    if find_or_skip("openssl").is_none() {
        return;
    }
    let server = TestServer::start(Setup::default()).await;
    for groups in ["X25519:P-256:P-384", "P-256:X25519:P-384", "P-384:P-256:X25519"] {
        let output = tokio::process::Command::new("openssl")
            .args([
                "s_client",
                "-connect",
                &server.address.to_string(),
                "-tls1_3",
                "-msg",
            ])
            .args(["-groups", groups])
            .stdin(std::process::Stdio::null())
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("New, TLSv1.3"), "{groups}: {said}");
        // A second one would answer a Hello Retry Request.
        assert_eq!(said.matches(", ClientHello").count(), 1, "{groups}: {said}");
    }
    server.stop().await;
}
