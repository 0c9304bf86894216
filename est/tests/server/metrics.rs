//! What monitoring reads from `est serve`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use est::operation::{LabelSettings, Operations};
use est::server::{Server, ServerError};

use crate::curl::{csr, curl, enroll, eventually, installed, run};
use crate::process::{Serving, laboratory};
use crate::support::peers::{find_or_skip, find_python_module_or_skip};
use crate::support::{Setup, TestServer};

/// Name and labels, and the value, as Python's parser prints them.
const PYTHON: &str = "
import sys
from prometheus_client.parser import text_string_to_metric_families as parse
for family in parse(sys.stdin.read()):
    assert family.documentation and family.type in ('counter', 'gauge'), family
    for sample in family.samples:
        print(sample.name, *('%s=%s' % label for label in sorted(sample.labels.items())), int(sample.value))
";

/// A server that says where its metrics are.
fn serving(folder: &Path) -> (Serving, String) {
    let path = folder.join("est.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("metrics-listen = \"127.0.0.1:0\"\n{config}")).unwrap();
    let mut server = Serving::start(folder);
    let line = server.next_line();
    let metrics = line.trim().strip_prefix("metrics at ").unwrap().to_owned();
    assert!(metrics.ends_with("/metrics"), "{metrics}");
    (server, metrics)
}

/// The samples by name and labels; read by a parser that we did not write.
fn samples(python: &Path, text: &str) -> BTreeMap<String, u64> {
    let mut parser = Command::new(python)
        .args(["-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ').unwrap();
        (series.to_owned(), value.parse().unwrap())
    };
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(sample)
        .collect()
}

#[test]
fn prometheus_client_reads_what_was_answered_and_what_failed() {
    let Some(python) = find_python_module_or_skip("prometheus_client") else {
        return;
    };
    if !installed() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    let (server, metrics) = serving(folder);
    csr(folder, "x", "/CN=x");
    for _ in 0..2 {
        assert_eq!(enroll(folder, &server, "simpleenroll", "x").0, 200);
    }
    assert_eq!(curl(folder, &[&format!("{}/elsewhere", server.url)]).0, 404);
    let plain = server.url.replace("https", "http");
    assert_eq!(curl(folder, &[&plain]).0, 0, "no TLS, no answer");
    let counted = "est_handshake_failures_total{reason=\"not-tls\"} 1\n";
    let (status, headers, text) = eventually(
        || curl(folder, &[&metrics]),
        |(_, _, text)| text.contains(counted),
    );
    assert_eq!(status, 200, "{text}");
    assert!(
        headers.contains("content-type: text/plain; version=0.0.4"),
        "{headers}"
    );
    let found = samples(&python, &text);
    for (series, value) in [
        ("est_requests_total operation=simpleenroll status=200", 2),
        ("est_requests_total operation= status=404", 1),
        ("est_handshakes_total", 3),
        ("est_connections_total", 4),
        ("est_handshake_failures_total reason=not-tls", 1),
        ("est_handshake_failures_total reason=timeout", 0),
    ] {
        assert_eq!(found.get(series), Some(&value), "{series}: {text}");
    }
    assert!(found["est_tasks"] > 0 && found["est_start_time_seconds"] > 1_700_000_000);
    let end = found["est_server_certificate_not_after_timestamp_seconds"];
    assert!(end > found["est_start_time_seconds"]);
}

#[test]
fn the_address_of_the_metrics_answers_nothing_else() {
    if find_or_skip("curl").is_none() {
        return;
    }
    let laboratory = laboratory();
    let folder = laboratory.path();
    let (_server, metrics) = serving(folder);
    let root = metrics.strip_suffix("/metrics").unwrap();
    for path in ["/", "/.well-known/est/cacerts", "/metrics/", "/crl/ca.crl"] {
        assert_eq!(curl(folder, &[&format!("{root}{path}")]).0, 404, "{path}");
    }
    let (status, headers, _) = curl(folder, &["--data", "x", &metrics]);
    assert!(
        status == 405 && headers.contains("allow: get, head"),
        "{status} {headers}"
    );
    let head = run(folder, "curl", &["-sSI", "--max-time", "60", &metrics]);
    assert!(String::from_utf8_lossy(&head.stdout).starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn an_address_that_other_machines_reach_has_to_be_asked_for_by_its_name() {
    let test = TestServer::start(Setup::default()).await;
    let operations = Operations::new(Arc::clone(&test.authority), LabelSettings::default());
    let address = "127.0.0.1:0".parse().unwrap();
    let mut server = Server::bind(address, test.config(operations)).await.unwrap();
    let anywhere = "0.0.0.0:0".parse().unwrap();
    let refused = server.listen_for_metrics(anywhere).await.unwrap_err();
    assert!(
        matches!(refused, ServerError::MetricsNotLoopback { address } if address == anywhere),
        "{refused}"
    );
    assert!(
        server
            .listen_for_metrics("[::ffff:127.0.0.1]:0".parse().unwrap())
            .await
            .is_ok()
    );
    assert!(
        server
            .dangerous_listen_for_metrics_anywhere(anywhere)
            .await
            .is_ok()
    );
    test.stop().await;
}
