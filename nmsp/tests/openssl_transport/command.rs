//! The `nmsp` command with and before old devices.

use std::path::Path;

use nmsp::wire::StationClass;
use pki_common::authlist::AuthListFormat;

use crate::lab::rsa_identity;
use crate::program::{Files, Program};
use crate::support::{CONTROLLER, LOCATION_SERVER, authlist_of, measurement};

const NMSP: &str = env!("CARGO_BIN_EXE_nmsp");

/// A folder with the files of a controller and a location server, and this table in the configuration.
fn folder(table: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (controller, location_server) = (rsa_identity(CONTROLLER), rsa_identity(LOCATION_SERVER));
    Files::of(&controller, folder.path(), "controller");
    Files::of(&location_server, folder.path(), "location-server");
    for (name, identity) in [("admitted", &location_server), ("controllers", &controller)] {
        let list = authlist_of(identity).load().export(AuthListFormat::Toml).unwrap();
        std::fs::write(folder.path().join(format!("{name}.toml")), list).unwrap();
    }
    let config = format!(
        "listen = \"127.0.0.1:0\"\ncertificate = \"controller.pem\"\nkey = \"controller.key\"\n\
         [authlist]\nfile = \"admitted.toml\"\n\
         [[dangerous-legacy-transport]]\nlisten = \"127.0.0.1:0\"\n{table}"
    );
    std::fs::write(folder.path().join("serve.toml"), config).unwrap();
    let station = serde_json::to_string(&measurement(1, StationClass::CLIENT)).unwrap();
    std::fs::write(folder.path().join("stations.jsonl"), format!("{station}\n")).unwrap();
    folder
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

#[tokio::test]
async fn serve_and_connect_speak_the_old_transports() {
    for (table, option, what) in [
        (
            "oldest = \"1.0\"\nnewest = \"1.0\"\n",
            "--dangerous-legacy-tls",
            "(TLS 1.0)",
        ),
        (
            "ciphers = \"AES128-SHA\"\n",
            "--dangerous-legacy-tls",
            "(TLS 1.0 to 1.2)",
        ),
        ("dtls = true\n", "--dangerous-dtls", "(DTLS 1.2)"),
    ] {
        let folder = folder(table);
        let of = |name: &str| path(folder.path(), name);
        let serve = [
            "serve",
            "--config",
            &of("serve.toml"),
            "--measurements",
            &of("stations.jsonl"),
            "--repeat",
        ]
        .map(str::to_owned);
        let serve = Program::start(Path::new(NMSP), &serve.each_ref().map(String::as_str));
        serve.says(what).await;
        let text = serve.text();
        let (before, _) = text.split_once(" for old devices").unwrap();
        let (_, address) = before.rsplit_once("listening on ").unwrap();
        let connect = [
            "connect",
            "--controller",
            address,
            "--certificate",
            &of("location-server.pem"),
            "--key",
            &of("location-server.key"),
            "--controller-authlist",
            &of("controllers.toml"),
            option,
            "--count",
            "1",
            "--json",
        ]
        .map(str::to_owned);
        let connect = Program::start(Path::new(NMSP), &connect.each_ref().map(String::as_str));
        let (content, text) = connect.ended().await;
        assert!(content && text.contains("02:00:00:00:00:01"), "{what}: {text}");
        assert!(
            text.contains("dangerous: the location server speaks"),
            "{what}: {text}"
        );
        assert!(
            serve.text().contains("dangerous: the controller at"),
            "{}",
            serve.text()
        );
    }
}

/// Starts `nmsp` with these words.
fn nmsp(words: &[&str]) -> Program {
    Program::start(Path::new(NMSP), words)
}

/// Where it listens for old devices, by what it says.
async fn legacy_address(program: &Program) -> String {
    program.says(" for old devices").await;
    let text = program.text();
    let (before, _) = text.split_once(" for old devices").unwrap();
    before.rsplit_once("listening on ").unwrap().1.to_owned()
}

/// A key log with the master secret of a session.
fn has_secrets(file: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    // For static RSA OpenSSL also gives what Wireshark knows as RSA.
    let line = text.lines().find_map(|line| line.strip_prefix("CLIENT_RANDOM "));
    let (random, secret) = line.and_then(|line| line.split_once(' ')).unwrap();
    assert_eq!((random.len(), secret.len()), (64, 96), "{text}");
}

#[tokio::test]
async fn record_and_replay_speak_the_old_transports() {
    for (table, option) in [
        ("ciphers = \"AES128-SHA\"\n", "--dangerous-legacy-tls"),
        ("dtls = true\n", "--dangerous-dtls"),
    ] {
        let folder = folder(table);
        let of = |name: &str| path(folder.path(), name);
        let (config, stations, session) = (of("serve.toml"), of("stations.jsonl"), of("session.jsonl"));
        let (certificate, key, list) = (
            of("location-server.pem"),
            of("location-server.key"),
            of("controllers.toml"),
        );
        let credentials = [
            "--certificate",
            &certificate,
            "--key",
            &key,
            "--controller-authlist",
            &list,
            option,
        ];
        let serve = nmsp(&[
            "serve",
            "--config",
            &config,
            "--measurements",
            &stations,
            "--repeat",
        ]);
        let address = legacy_address(&serve).await;
        let secrets = of("secrets");
        let mut words = vec![
            "record",
            "--out",
            &session,
            "--controller",
            &address,
            "--count",
            "8",
        ];
        words.extend(["--dangerous-key-log", &secrets]);
        words.extend(credentials);
        let (content, text) = nmsp(&words).ended().await;
        assert!(content && text.contains("messages recorded"), "{option}: {text}");
        has_secrets(&secrets);

        // The location server's side to the live controller.
        let mut words = vec!["replay", &session, "--speed", "1000", "--controller", &address];
        words.extend(credentials);
        let (content, text) = nmsp(&words).ended().await;
        assert!(content && text.contains("messages sent"), "{option}: {text}");
        drop(serve);

        // The controller's side to a live location server.
        let replay = nmsp(&["replay", &session, "--config", &config]);
        let address = legacy_address(&replay).await;
        let mut words = vec!["connect", "--controller", &address, "--count", "1", "--json"];
        words.extend(credentials);
        let (content, text) = nmsp(&words).ended().await;
        assert!(content && text.contains("02:00:00:00:00:01"), "{option}: {text}");
    }
}

#[tokio::test]
async fn what_cannot_be_spoken_is_refused_at_the_start() {
    for (table, cause) in [
        ("oldest = \"1.3\"\n", "\"1.3\" is no version of TLS"),
        (
            "oldest = \"1.2\"\nnewest = \"1.0\"\n",
            "oldest 1.2 is newer than newest 1.0",
        ),
        ("dtls = true\noldest = \"1.0\"\n", "but dtls is on"),
        (
            "ciphers = \"NO-SUCH-CIPHER\"\n",
            "no cipher suite of \"NO-SUCH-CIPHER\"",
        ),
    ] {
        let folder = folder(table);
        let config = path(folder.path(), "serve.toml");
        let serve = Program::start(Path::new(NMSP), &["serve", "--config", &config]);
        let (content, text) = serve.ended().await;
        assert!(
            !content && text.contains(cause) && text.contains("remedy:"),
            "{text}"
        );
    }
}
