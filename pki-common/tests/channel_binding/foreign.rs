//! The peer is OpenSSL: by Python's ssl module for tls-unique, by its own programs for tls-exporter.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pki_common::channel_binding::{ChannelBindings, FinishedRecorder};
use pki_common::identity::{Identity, NewKey};
use pki_common::tls::{ClientAuthentication, ClientTls, PeerVerifier, TlsVersions};
use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};
use rustls_pki_types::ServerName;

use crate::in_memory::{client_of, server};
use crate::tls_support::peers::find_or_skip;
use crate::tls_support::{admitting, now, self_signed, self_signed_at};

/// Generous: a foreign peer that says nothing for so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Cipher suites by OpenSSL's names, with the kind of key each needs.
const SUITES: [(&str, NewKey); 6] = [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", NewKey::EcP256),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", NewKey::EcP256),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", NewKey::EcP256),
    ("ECDHE-RSA-AES128-GCM-SHA256", NewKey::Rsa2048),
    ("ECDHE-RSA-AES256-GCM-SHA384", NewKey::Rsa2048),
    ("ECDHE-RSA-CHACHA20-POLY1305", NewKey::Rsa2048),
];

/// `SSL_OP_NO_TICKET`: sessions are resumed by their id.
const NO_TICKET: &str = "16384";
/// `SSL_OP_NO_EXTENDED_MASTER_SECRET` of OpenSSL 3.
const NO_EXTENDED_MASTER_SECRET: &str = "1";

/// A running program, ended when the test is.
struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Program {
    fn start(program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// The first line with `beginning`, without it; the output must have one.
    fn line_after(&mut self, beginning: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(
                self.output.read_line(&mut line).unwrap(),
                0,
                "no line {beginning:?}"
            );
            if let Some(rest) = line.trim().strip_prefix(beginning) {
                return rest.trim().to_owned();
            }
        }
    }
}

fn peer_script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/channel_binding/peer.py")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Certificate and key as files.
fn saved(identity: &Identity, folder: &Path, name: &str) -> (String, String) {
    let path = |suffix| folder.join(format!("{name}.{suffix}")).display().to_string();
    let (certificate, key) = (path("crt"), path("key"));
    identity.save(&certificate, &key).unwrap();
    (certificate, key)
}

/// Accepts one connection; `None` when the handshake fails.
fn accept(
    listener: &TcpListener,
    config: &Arc<ServerConfig>,
) -> Option<(ChannelBindings, Opened<ServerConnection>)> {
    let (mut tcp, _) = listener.accept().unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut connection = ServerConnection::new(Arc::clone(config)).unwrap();
    let mut recorder = FinishedRecorder::new();
    while connection.is_handshaking() {
        recorder.scope(|| connection.complete_io(&mut tcp)).ok()?;
    }
    Some((
        ChannelBindings::of_server(&connection, &recorder),
        Opened { connection, tcp },
    ))
}

fn connect(port: u16, config: &Arc<ClientConfig>) -> (ChannelBindings, Opened<ClientConnection>) {
    let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut recorder = FinishedRecorder::new();
    while connection.is_handshaking() {
        recorder.scope(|| connection.complete_io(&mut tcp)).unwrap();
    }
    (
        ChannelBindings::of_client(&connection, &recorder),
        Opened { connection, tcp },
    )
}

struct Opened<C> {
    connection: C,
    tcp: TcpStream,
}

impl<C, D> Opened<C>
where
    C: core::ops::DerefMut<Target = rustls::ConnectionCommon<D>>,
{
    /// Ends the peer's wait and the connection.
    fn release(mut self) {
        self.connection.send_close_notify();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut self.tcp).unwrap();
        }
    }
}

/// Two connections of a Python client to our server; gives what both sides said of each.
fn python_client_twice(
    python: &Path,
    config: &Arc<ServerConfig>,
    arguments: &[&str],
) -> Vec<(String, String)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let script = peer_script().display().to_string();
    let mut python = Program::start(python, &[&[&*script, "client", &*port], arguments].concat());
    (0..2)
        .map(|_| {
            let (bindings, opened) = accept(&listener, config).expect("the handshake succeeds");
            let theirs = python.line();
            opened.release();
            (hex(bindings.tls_unique().unwrap()), theirs)
        })
        .collect()
}

#[test]
fn our_server_has_the_tls_unique_of_openssl_for_every_suite_resumption_and_client_certificate() {
    let Some(python) = find_or_skip("python3") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let client = self_signed();
    let (certificate, key) = saved(&client, folder.path(), "client");
    for (suite, key_kind) in SUITES {
        for (mutual, options) in [(false, NO_TICKET), (true, "0")] {
            let mut server = server(self_signed_at(now(), key_kind), TlsVersions::Tls12);
            server.resumption = true;
            let mut arguments = vec![suite, options];
            if mutual {
                let verifier = PeerVerifier::authlist(admitting(client.certificate()));
                server.client_authentication = ClientAuthentication::Required(verifier);
                arguments.extend([&*certificate, &*key]);
            }
            let said = python_client_twice(&python, &server.rustls_config().unwrap(), &arguments);
            let [(full, full_theirs), (resumed, resumed_theirs)] = &said[..] else {
                panic!("two connections")
            };
            assert_eq!(*full_theirs, format!("{full} False"), "{suite}");
            assert_eq!(*resumed_theirs, format!("{resumed} True"), "{suite}");
            assert_ne!(full, resumed);
        }
    }
}

#[test]
fn our_client_has_the_tls_unique_of_openssl_for_every_suite_resumption_and_client_certificate() {
    let Some(python) = find_or_skip("python3") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let script = peer_script().display().to_string();
    let own = self_signed();
    let (client_ca, _) = saved(&own, folder.path(), "client");
    let own = Arc::new(own);
    for (suite, key_kind) in SUITES {
        // Python's server resumes by ticket only.
        for mutual in [false, true] {
            let identity = self_signed_at(now(), key_kind);
            let (certificate, key) = saved(&identity, folder.path(), "server");
            let mut client = ClientTls::new(PeerVerifier::authlist(admitting(identity.certificate())));
            client.channel_binding = true;
            client.resumption = true;
            if mutual {
                client = client.with_identity(Arc::clone(&own));
            }
            let config = client.rustls_config().unwrap();
            let ca = if mutual { &*client_ca } else { "-" };
            let arguments = [&*script, "server", &*certificate, &*key, suite, "0", ca];
            let mut python = Program::start(&python, &arguments);
            let port = python.line().parse().unwrap();
            for resumed in ["False", "True"] {
                let (bindings, opened) = connect(port, &config);
                let ours = hex(bindings.tls_unique().unwrap());
                assert_eq!(python.line(), format!("{ours} {resumed}"), "{suite}");
                opened.release();
            }
        }
    }
}

#[test]
fn without_extended_master_secret_there_is_no_connection_unless_allowed() {
    let Some(python) = find_or_skip("python3") else {
        return;
    };
    let tls = server(self_signed(), TlsVersions::Tls12);
    let suite = "ECDHE-ECDSA-AES256-GCM-SHA384";
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let script = peer_script().display().to_string();
    let old = [&*script, "client", &*port, suite, NO_EXTENDED_MASTER_SECRET];
    let _refused = Program::start(&python, &old);
    assert!(accept(&listener, &tls.rustls_config().unwrap()).is_none());

    let tolerant = tls
        .dangerous_accept_no_extended_master_secret()
        .rustls_config()
        .unwrap();
    let mut accepted = Program::start(&python, &old);
    let (bindings, _open) = accept(&listener, &tolerant).unwrap();
    let ours = hex(bindings.tls_unique().unwrap());
    assert_eq!(accepted.line(), format!("{ours} False"));
    assert_eq!(bindings.tls_exporter(), None, "RFC 9266 forbids it here");
}

#[test]
fn our_server_exports_what_openssl_s_client_exports_on_tls_13() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let config = server(self_signed(), TlsVersions::Tls13).rustls_config().unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let arguments = [
        "s_client",
        "-connect",
        &*address,
        "-tls1_3",
        "-servername",
        "localhost",
        "-keymatexport",
        "EXPORTER-Channel-Binding",
        "-keymatexportlen",
        "32",
    ];
    let mut client = Program::start(&openssl, &arguments);
    let (bindings, _open) = accept(&listener, &config).unwrap();
    let ours = hex(bindings.tls_exporter().unwrap());
    assert_eq!(client.line_after("Keying material:").to_lowercase(), ours);
}

#[test]
fn our_client_exports_what_openssl_s_server_exports_on_tls_13() {
    let Some(openssl) = find_or_skip("openssl") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let identity = server(self_signed(), TlsVersions::Tls13);
    let (certificate, key) = saved(&identity.identity, folder.path(), "server");
    let config = client_of(&identity).rustls_config().unwrap();
    let arguments = [
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-cert",
        &*certificate,
        "-key",
        &*key,
        "-tls1_3",
        "-keymatexport",
        "EXPORTER-Channel-Binding",
        "-keymatexportlen",
        "32",
    ];
    let mut server = Program::start(&openssl, &arguments);
    let port = server.line_after("ACCEPT 127.0.0.1:").parse().unwrap();
    let (bindings, mut opened) = connect(port, &config);
    let ours = hex(bindings.tls_exporter().unwrap());
    assert_eq!(server.line_after("Keying material:").to_lowercase(), ours);
    // The tickets may still be on their way; whatever comes is read, then the connection ends.
    let _bytes = opened.tcp.read(&mut [0; 64]).unwrap();
}
