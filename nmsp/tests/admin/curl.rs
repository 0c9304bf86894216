//! The same by curl.

use std::path::Path;
use std::process::Command;

use nmsp::admin::AdminConfig;
use serde_json::Value;

use crate::http::Answer;
use crate::support::Lab;
use crate::{Admin, ROOT, peers};

async fn curl(program: &Path, arguments: &[&str], url: String) -> Answer {
    let mut command = Command::new(program);
    command.args(["-sS", "--include", "--noproxy", "*", "--max-time", "20"]);
    command.args(arguments).arg(url);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Answer::parse(&output.stdout)
}

#[tokio::test]
async fn curl_reads_lists_entries_and_leaves_and_is_refused_the_rest() {
    let Some(program) = peers::find_or_skip("curl") else {
        return;
    };
    let lab = Lab::start(|_| {}).await;
    let admin = Admin::start(&lab.handle, AdminConfig::default()).await;
    let client = lab.connect().await;
    let json = ["-H", "Accept: application/yang-data+json"];
    for (arguments, path, status, expected) in [
        (
            &json[..],
            "/cmx-connection=127.0.0.1/active",
            200,
            "{\"Cisco-IOS-XE-wireless-nmsp-oper:active\":true}",
        ),
        (
            &json,
            "/cmx-connection=127%2e0.0.1/peer-ip",
            200,
            "{\"Cisco-IOS-XE-wireless-nmsp-oper:peer-ip\":\"127.0.0.1\"}",
        ),
        (
            &json,
            "/statistics/srv-stats/srv-restarts",
            200,
            "{\"Cisco-IOS-XE-wireless-nmsp-oper:srv-restarts\":\"0\"}",
        ),
        (
            &[],
            "/cmx-connection=127.0.0.1/con-stats/connections",
            200,
            "{\"Cisco-IOS-XE-wireless-nmsp-oper:connections\":\"1\"}",
        ),
        (&json, "/cmx-connection=192.0.2.1", 404, ""),
        (&json, "?depth=1", 400, ""),
        (&["-H", "Accept: application/xml"], "", 406, ""),
        (&["-X", "DELETE"], "", 405, ""),
        (&["-d", "{}"], "/statistics", 405, ""),
    ] {
        let answer = curl(
            &program,
            arguments,
            format!("http://{}{ROOT}{path}", admin.address),
        )
        .await;
        assert_eq!(answer.status, status, "{arguments:?} {path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/yang-data+json");
        if status == 200 {
            assert_eq!(answer.text(), expected);
        } else {
            let errors: Value = serde_json::from_slice(&answer.body).unwrap();
            let error = &errors["ietf-restconf:errors"]["error"][0];
            for member in ["error-type", "error-tag", "error-message"] {
                assert!(error[member].is_string(), "{path}: {errors}");
            }
        }
        let allowed = if status == 405 { "GET, HEAD" } else { "" };
        assert_eq!(answer.header("allow"), allowed);
    }
    client.close().await.unwrap();
    lab.stop().await;
}

#[tokio::test]
async fn curl_gets_the_headers_alone_by_head() {
    let Some(program) = peers::find_or_skip("curl") else {
        return;
    };
    let lab = Lab::start(|_| {}).await;
    let admin = Admin::start(&lab.handle, AdminConfig::default()).await;
    for path in [ROOT, "/metrics", "/healthz", "/state", "/"] {
        let url = format!("http://{}{path}", admin.address);
        let get = curl(&program, &[], url.clone()).await;
        let head = curl(&program, &["--head"], url).await;
        assert_eq!((get.status, head.status), (200, 200), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert!(head.body.is_empty() && !get.body.is_empty(), "{path}");
        assert!(!head.header("content-length").is_empty(), "{path}");
    }
    lab.stop().await;
}
