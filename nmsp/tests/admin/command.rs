//! `nmsp show`.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};

use nmsp::admin::{AdminClientError, AdminConfig, fetch_state};
use nmsp::show::{self, State};
use nmsp::wire::Services;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::Admin;
use crate::support::Lab;

async fn run(arguments: &str, admin: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nmsp"));
    command.arg("show").args(arguments.split_whitespace());
    command.args(["--admin", admin]).env_remove("RUST_LOG");
    let output = tokio::task::spawn_blocking(move || command.output()).await;
    output.unwrap().unwrap()
}

async fn succeed(arguments: &str, admin: SocketAddr) -> String {
    let output = run(arguments, &admin.to_string()).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Exit status 1 with the three lines.
async fn fail(arguments: &str, admin: &str) -> String {
    let output = run(arguments, admin).await;
    let report = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments}: {report}");
    let lines: Vec<&str> = report
        .lines()
        .map(|line| line.split(':').next().unwrap())
        .collect();
    assert_eq!(lines, ["rung", "cause", "remedy"], "{report}");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn each_text_is_that_of_the_state_and_each_json_its_data() {
    let lab = Lab::start(|_| {}).await;
    let admin = Admin::start(&lab.handle, AdminConfig::default()).await;
    let client = lab.connect().await;
    client.subscribe(Services::RSSI_MS).await.unwrap();
    let state = fetch_state(&admin.address.to_string(), true).await.unwrap();
    let ip = "127.0.0.1".parse().unwrap();
    for (arguments, text) in [
        ("status", show::status(&state)),
        ("statistics summary", show::statistics_summary(&state)),
        ("statistics connection", show::statistics_connection(&state)),
        ("capability", show::capability(&state)),
        ("subscription summary", show::subscription_summary(&state)),
        (
            "subscription detail 127.0.0.1",
            show::subscription_detail(&state, ip).unwrap(),
        ),
        (
            "subscription group summary",
            show::subscription_group_summary(&state, None).unwrap(),
        ),
        ("notification interval", show::notification_interval(&state)),
        ("auth-list", show::auth_list(&state)),
    ] {
        assert_eq!(succeed(arguments, admin.address).await, text, "{arguments}");
    }
    for (arguments, pointer, expected) in [
        ("status --json", "/0/peer-ip", "127.0.0.1"),
        ("statistics summary --json", "/ssl-stats/accept-success", "1"),
        ("statistics summary --json", "/srv-stats/srv-restarts", "0"),
        ("statistics connection --json", "/0/con-stats/connections", "1"),
        ("capability --json", "/0", "rssi-ms"),
        ("subscription summary --json", "/0/subscriptions/0", "rssi-ms"),
        (
            "subscription detail 127.0.0.1 --json",
            "/tunnels/0/active",
            "true",
        ),
        ("auth-list --json", "/0/mac", "00:50:56:9c:34:89"),
    ] {
        let json: Value = serde_json::from_str(&succeed(arguments, admin.address).await).unwrap();
        let found = json
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{arguments}: {json}"));
        let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        assert_eq!(found, expected, "{arguments}");
    }
    let report = fail("subscription detail 192.0.2.1", &admin.address.to_string()).await;
    assert!(
        report.contains("no location server has connected from 192.0.2.1"),
        "{report}"
    );
    client.close().await.unwrap();
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_listens_the_report_says_what_to_start() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let report = fail("status", &address).await;
    let parts = [
        "rung: TCP",
        "no admin listener answers",
        &address,
        "[admin] listen",
    ];
    assert!(parts.iter().all(|part| report.contains(part)), "{report}");
    let report = fail("status", "no-port").await;
    assert!(report.contains("rung: name resolution"), "{report}");
}

/// A server that answers the first bytes of every connection with these.
async fn impostor(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 1024];
                drop(stream.read(&mut request).await);
                drop(stream.write_all(answer).await);
                tokio::time::sleep(crate::support::PATIENCE).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_of_something_else_is_named_for_what_it_is() {
    for (answer, rung, cause) in [
        (
            &b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"[..],
            "body",
            "something else than the state",
        ),
        (
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nno\x1b[2J\r\n\n",
            "status",
            "404",
        ),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "body", "does not answer in HTTP"),
    ] {
        let report = fail("status", &impostor(answer).await).await;
        assert!(
            report.contains(&format!("rung: {rung}\n")) && report.contains(cause),
            "{report}"
        );
        assert!(!report.contains('\u{1b}'), "{report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_is_not_read_to_its_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        drop(stream.read(&mut request).await);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let blanks = vec![b' '; 1 << 20];
        while stream.write_all(&blanks).await.is_ok() {}
    });
    let error = fetch_state(&address, false).await.unwrap_err();
    assert!(matches!(error, AdminClientError::TooLong { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_given_up() {
    let address = impostor(b"").await;
    let error = fetch_state(&address, false).await.unwrap_err();
    assert!(matches!(error, AdminClientError::TimedOut { .. }), "{error}");
}

/// Ends with the test, however the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// What `nmsp serve` says when it is ready.
fn announced(child: &mut Child) -> Vec<String> {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    vec![next(), next()]
}

#[tokio::test(flavor = "multi_thread")]
async fn nmsp_serve_shows_itself_when_its_configuration_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let nmsp = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_nmsp"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    };
    nmsp(&[
        "identity",
        "new",
        "--mac",
        "003a.7d00.0001",
        "--out",
        &path("controller"),
    ]);
    let server = nmsp(&[
        "identity",
        "new",
        "--mac",
        "00:50:56:9c:34:89",
        "--out",
        &path("server"),
    ]);
    std::fs::write(path("servers.txt"), server).unwrap();
    let config = |admin: &str| {
        format!(
            "listen = \"127.0.0.1:0\"\ncertificate = \"controller/certificate.pem\"\nkey = \"controller/key.pem\"\n\
             [authlist]\nfile = \"servers.txt\"\nformat = \"server-auth-info\"\n[admin]\n{admin}"
        )
    };
    let serve = |admin: &str| {
        std::fs::write(path("serve.toml"), config(admin)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_nmsp"));
        command.args(["serve", "--config", &path("serve.toml")]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Running(command.spawn().unwrap())
    };
    let mut running = serve("listen = \"127.0.0.1:0\"\n");
    let lines = announced(&mut running.0);
    let admin = lines[1].strip_prefix("admin listener on ").unwrap();
    let state: State = fetch_state(admin, true).await.unwrap();
    let entries = state.auth_list.as_ref().unwrap().entries.as_ref().unwrap();
    assert_eq!(entries.len(), 2, "SHA-1 and SHA-256");
    assert!(
        String::from_utf8(run("status", admin).await.stdout)
            .unwrap()
            .starts_with("NMSP Status\n")
    );
    let key = std::fs::read_to_string(path("controller/key.pem")).unwrap();
    let secret = key.lines().nth(1).unwrap();
    assert!(!serde_json::to_string(&state).unwrap().contains(secret));

    let report = refused_report(serve("listen = \"0.0.0.0:0\"\n"));
    assert!(report.contains("dangerous-accept-any-address"), "{report}");
}

fn refused_report(mut running: Running) -> String {
    assert_eq!(running.0.wait().unwrap().code(), Some(1));
    std::io::read_to_string(running.0.stderr.take().unwrap()).unwrap()
}
