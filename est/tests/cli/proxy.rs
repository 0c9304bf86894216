//! `--proxy`: HTTP CONNECT through a small proxy of our own.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::process::{Serving, est, laboratory};

#[derive(Clone, Copy)]
enum Manner {
    /// Connects, and carries what comes.
    Carries,
    /// Answers this and closes.
    Answers(&'static str),
    /// Takes the request and says nothing.
    Hangs,
}

/// Runs until the test ends.
struct Proxy {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
    carried: Arc<AtomicUsize>,
}

impl Proxy {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            heads: Arc::default(),
            carried: Arc::default(),
        };
        let (heads, carried) = (Arc::clone(&proxy.heads), Arc::clone(&proxy.carried));
        thread::spawn(move || {
            for client in listener.incoming() {
                let (heads, carried) = (Arc::clone(&heads), Arc::clone(&carried));
                thread::spawn(move || serve(client.unwrap(), manner, &heads, &carried));
            }
        });
        proxy
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn serve(mut client: TcpStream, manner: Manner, heads: &Mutex<Vec<String>>, carried: &Arc<AtomicUsize>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read_exact(&mut byte).is_err() {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    heads.lock().unwrap().push(head);
    match manner {
        Manner::Answers(answer) => client.write_all(answer.as_bytes()).unwrap(),
        // Until the client goes away.
        Manner::Hangs => while client.read(&mut byte).is_ok_and(|length| length > 0) {},
        Manner::Carries => {
            let mut server = TcpStream::connect(target).unwrap();
            client
                .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
                .unwrap();
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let counter = Arc::clone(carried);
            let forth = thread::spawn(move || carry(&mut from_client, &mut to_server, &counter));
            carry(&mut server, &mut client, carried);
            forth.join().unwrap();
        }
    }
}

fn carry(from: &mut TcpStream, to: &mut TcpStream, counter: &AtomicUsize) {
    let mut buffer = [0; 4096];
    while let Ok(length) = from.read(&mut buffer) {
        if length == 0 || to.write_all(&buffer[..length]).is_err() {
            break;
        }
        counter.fetch_add(length, Ordering::Relaxed);
    }
    drop(to.shutdown(Shutdown::Write));
}

fn cacerts(folder: &std::path::Path, server: &Serving, more: &[&str]) -> std::process::Output {
    let arguments = ["cacerts", "--url", &server.url, "--trust-anchors", "ca/ca.pem"];
    est(folder, &[&arguments, more].concat(), "")
}

fn fails(output: &std::process::Output, says: &[&str]) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    for says in says {
        assert!(errors.contains(says), "{says}: {errors}");
    }
}

#[test]
fn the_requests_go_through_the_proxy() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let proxy = Proxy::start(Manner::Carries);
    let password = crate::server_key::PASSWORD;
    let asked = ["--subject", "CN=x", "--proxy", &proxy.url];
    let output = crate::enroll(folder, &server.url, &[&password[..], &asked].concat(), "x");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let target = server.url.strip_prefix("https://").unwrap();
    let heads = proxy.heads();
    let connect = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    assert!(
        !heads.is_empty() && heads.iter().all(|head| head.starts_with(&connect)),
        "{heads:?}"
    );
    let issued = std::fs::metadata(folder.join("x.pem")).unwrap().len();
    let carried = u64::try_from(proxy.carried.load(Ordering::Relaxed)).unwrap();
    assert!(carried > issued, "{carried} bytes");
    assert!(
        !heads.iter().any(|head| head.contains("Authorization")),
        "the server's password is none of the proxy's business: {heads:?}"
    );
}

#[test]
fn a_proxy_that_refuses_is_named_and_not_the_server() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    for (answer, says) in [
        (
            "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
            ["403 Forbidden", "must allow CONNECT"],
        ),
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n",
            ["407 Proxy Authentication Required", "--proxy-user"],
        ),
        ("SSH-2.0-OpenSSH\r\n\r\n", ["not HTTP", "proxy"]),
        ("", ["closes the connection without an answer", "proxy"]),
    ] {
        let proxy = Proxy::start(Manner::Answers(answer));
        let output = cacerts(folder, &server, &["--proxy", &proxy.url]);
        fails(&output, &says);
        fails(&output, &["rung: proxy", &proxy.url]);
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{nobody}");
    fails(
        &cacerts(folder, &server, &["--proxy", &nobody]),
        &["rung: proxy", &nobody],
    );
}

#[test]
fn a_proxy_that_hangs_ends_the_command_in_time_and_is_named() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    let server = Serving::start(folder);
    let proxy = Proxy::start(Manner::Hangs);
    let output = cacerts(folder, &server, &["--proxy", &proxy.url, "--timeout", "1"]);
    fails(&output, &["rung: proxy", "the proxy's answer"]);
    assert_eq!(proxy.heads().len(), 1);
    let output = cacerts(folder, &server, &["--proxy", &proxy.url, "--max-time", "1"]);
    fails(&output, &["--max-time"]);
}

#[test]
fn name_and_password_for_the_proxy_go_to_the_proxy_alone() {
    let laboratory = laboratory();
    let folder = laboratory.path();
    std::fs::write(folder.join("proxy-password"), "open sesame\n").unwrap();
    let server = Serving::start(folder);
    let proxy = Proxy::start(Manner::Carries);
    let credentials = ["--proxy-user", "alice", "--proxy-password-file", "proxy-password"];
    let output = cacerts(
        folder,
        &server,
        &[&["--proxy", &proxy.url][..], &credentials].concat(),
    );
    assert!(output.status.success());
    // printf 'alice:open sesame' | base64
    let expected = "Proxy-Authorization: Basic YWxpY2U6b3BlbiBzZXNhbWU=\r\n";
    let heads = proxy.heads();
    assert!(heads.iter().all(|head| head.contains(expected)), "{heads:?}");
    assert_eq!(cacerts(folder, &server, &credentials).status.code(), Some(2));
}
