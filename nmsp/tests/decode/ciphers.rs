//! Sessions of OpenSSL, captured by a proxy and decrypted with the key log that OpenSSL wrote.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nmsp::capture::{Capture, Direction, Item, KeyLog, Options};

use crate::lab::{PATIENCE, echo, have};
use crate::pcap::{From, pcap, proxy};

/// A program whose output is collected as it comes.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: Arc<Mutex<Vec<u8>>>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Peer {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new("openssl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = Arc::default();
        collect(child.stdout.take().unwrap(), &output);
        collect(child.stderr.take().unwrap(), &output);
        Self { child, input, output }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).unwrap();
        self.input.flush().unwrap();
    }

    /// Waits until the output has these bytes; returns all of it.
    fn wait_for(&self, what: &[u8]) -> Vec<u8> {
        self.wait_for_several(what, 1)
    }

    /// Waits until the output has these bytes so many times; returns all of it.
    fn wait_for_several(&self, what: &[u8], times: usize) -> Vec<u8> {
        let end = Instant::now() + PATIENCE;
        loop {
            let output = self.output.lock().unwrap().clone();
            let found = output.windows(what.len()).filter(|window| *window == what);
            if found.count() >= times {
                return output;
            }
            let shown = String::from_utf8_lossy(&output);
            assert!(Instant::now() < end, "{what:?} is not in {shown}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn collect(mut stream: impl Read + Send + 'static, output: &Arc<Mutex<Vec<u8>>>) {
    let kept = Arc::clone(output);
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            kept.lock().unwrap().extend_from_slice(&buffer[..length]);
        }
    });
}

fn credentials(folder: &Path, kind: &[&str]) -> (String, String) {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let own = [
        "req",
        "-x509",
        "-nodes",
        "-subj",
        "/CN=test",
        "-keyout",
        &key,
        "-out",
        &certificate,
    ];
    let made = Command::new("openssl").args(own).args(kind).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

fn address_of(server: &Peer) -> SocketAddr {
    let output = server.wait_for(b"ACCEPT 127.0.0.1:");
    let mut lines = BufReader::new(&output[..]).lines().map(Result::unwrap);
    let line = lines.find(|line| line.starts_with("ACCEPT ")).unwrap();
    // The rest of the line may still be on its way.
    let digits = line.strip_prefix("ACCEPT ").unwrap().to_owned();
    digits.parse().unwrap()
}

/// Runs a session with these options of both sides, three messages each way, and decrypts it.
fn session(
    folder: &Path,
    credentials: &(String, String),
    server: &[&str],
    client: &[&str],
    key_update: bool,
) {
    let keys = folder.join("keys.txt");
    drop(std::fs::remove_file(&keys));
    let (certificate, key) = credentials;
    let accept = [
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-cert",
        certificate,
        "-key",
        key,
    ];
    let mut controller = Peer::start(&[&accept, server].concat());
    controller.wait_for(b"ACCEPT 127.0.0.1:");
    controller.wait_for(b"\n");
    let (address, log) = proxy(address_of(&controller));
    let address = address.to_string();
    let connect = [
        "s_client",
        "-connect",
        &address,
        "-keylogfile",
        keys.to_str().unwrap(),
    ];
    let mut location_server = Peer::start(&[&connect, client].concat());
    let (mut asked, mut answered) = (Vec::new(), Vec::new());
    for number in 1..=3 {
        let (request, response) = (echo(1, number), echo(2, number));
        location_server.send(&request);
        controller.wait_for(&request);
        controller.send(&response);
        location_server.wait_for(&response);
        asked.push(request);
        answered.push(response);
        if key_update {
            // Asks the other side to change its keys as well.
            location_server.send(b"K\n");
            location_server.wait_for_several(b"KEYUPDATE", number.into());
        }
    }
    drop((location_server, controller));
    let log = log.lock().unwrap().clone();
    assert!(log.iter().any(|(who, _)| *who == From::Controller));
    let what = format!("{client:?} {server:?}");
    decrypts(&what, &log, &keys, &asked, &answered);
}

/// However the captured segments come, the messages of both directions come out.
fn decrypts(what: &str, log: &[(From, Vec<u8>)], keys: &Path, asked: &[Vec<u8>], answered: &[Vec<u8>]) {
    let (key_log, problems) = KeyLog::parse(&std::fs::read_to_string(keys).unwrap());
    assert_eq!(problems, []);
    for (segment, disorder) in [(1400, false), (100, true), (1, false)] {
        let options = Options {
            key_log: key_log.clone(),
            ..Options::default()
        };
        let file = pcap(log, segment, disorder);
        let mut capture = Capture::new(&file[..], options).unwrap();
        let (mut found, mut agreed) = ((Vec::new(), Vec::new()), None);
        while let Some(item) = capture.next_item() {
            match item {
                Item::Message(message) if message.direction == Direction::ToController => {
                    found.0.push(message.bytes);
                }
                Item::Message(message) => found.1.push(message.bytes),
                Item::Problem(finding) => panic!("{what} {segment}: {finding}"),
                Item::Tls { version, suite, .. } => agreed = Some((version, suite)),
                _ => {}
            }
        }
        assert!(agreed.is_some(), "{what}");
        assert_eq!(
            found,
            (asked.to_vec(), answered.to_vec()),
            "{what} {agreed:?} {segment}"
        );
    }
}

#[test]
fn decrypts_every_cipher_suite_of_tls_1_3_across_key_updates() {
    if !have("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let credentials = credentials(folder.path(), &["-newkey", "rsa:2048"]);
    for suite in [
        "TLS_AES_128_GCM_SHA256",
        "TLS_AES_256_GCM_SHA384",
        "TLS_CHACHA20_POLY1305_SHA256",
    ] {
        let client = ["-tls1_3", "-ciphersuites", suite];
        session(folder.path(), &credentials, &[], &client, true);
    }
    // A HelloRetryRequest: the server wants another group than the client guessed.
    let client = ["-tls1_3", "-groups", "X25519:P-256"];
    session(folder.path(), &credentials, &["-groups", "P-256"], &client, false);
}

#[test]
fn decrypts_the_cipher_suites_of_tls_1_2() {
    if !have("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rsa = credentials(folder.path(), &["-newkey", "rsa:2048"]);
    for suite in [
        "AES128-GCM-SHA256",
        "AES256-GCM-SHA384",
        "AES128-SHA",
        "AES256-SHA",
        "AES128-SHA256",
        "AES256-SHA256",
        "DHE-RSA-AES128-GCM-SHA256",
        "DHE-RSA-AES256-SHA256",
        "DHE-RSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-RSA-AES128-SHA256",
        "ECDHE-RSA-AES256-SHA384",
    ] {
        let client = ["-tls1_2", "-cipher", suite];
        session(folder.path(), &rsa, &[], &client, false);
        if suite.contains("SHA") && !suite.contains("GCM") {
            // The MAC inside, as before RFC 7366.
            session(
                folder.path(),
                &rsa,
                &[],
                &[&client[..], &["-no_etm"]].concat(),
                false,
            );
        }
    }
    let ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let ec = credentials(folder.path(), &ec);
    for suite in [
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES256-SHA384",
    ] {
        session(folder.path(), &ec, &[], &["-tls1_2", "-cipher", suite], false);
    }
}

#[test]
fn decrypts_what_old_devices_speak() {
    if !have("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let rsa = credentials(folder.path(), &["-newkey", "rsa:2048"]);
    for version in ["-tls1", "-tls1_1"] {
        for suite in ["AES128-SHA:@SECLEVEL=0", "DHE-RSA-AES256-SHA:@SECLEVEL=0"] {
            for more in [&[][..], &["-no_etm"]] {
                let both = [&[version, "-cipher", suite][..], more].concat();
                session(folder.path(), &rsa, &both, &both, false);
            }
        }
    }
}
