//! Step 5: what to try next. With `--keep`, configuration files for the two servers, and commands that work on them.

use std::io::Write;
use std::net::SocketAddr;

use pki_common::Failure;

use super::enrolment::{Devices, USER};
use super::failure::diagnosed;
use super::folder::LabFolder;
use super::say;

/// A command for a person's shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// What it shows.
    pub shows: &'static str,
    /// The command line, for a POSIX shell in the workspace.
    pub command: String,
    /// Whether it serves until it is interrupted, in a terminal of its own.
    pub serves: bool,
}

/// Prints the suggestions, and writes the configuration files that they need.
///
/// # Errors
/// A file cannot be written.
pub fn run(
    folder: &LabFolder,
    devices: &Devices,
    controller: SocketAddr,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if !folder.is_kept() {
        say(
            out,
            "keep the lab's files, and get commands for openssl, curl, est and nmsp that work on them:",
        );
        say(out, "  $ cargo run --release -p interop -- quickstart --keep lab");
        say(out, "run all tests, with the peers that this machine has:");
        say(out, "  $ cargo test --workspace");
        say(out, "see how fast it is beside its baselines:");
        say(out, "  $ cargo bench -p benches");
        say(
            out,
            "embed it: README.md has 20 lines for each crate; nmsp/PROTOCOL.md is the wire profile.",
        );
        return Ok(());
    }
    write_configuration(folder, devices.est_address, controller)?;
    say(out, format!("the files are in {}", folder.path().display()));
    for suggestion in suggestions(folder, devices.est_address, controller) {
        let place = if suggestion.serves {
            ", in a terminal of its own"
        } else {
            ""
        };
        say(
            out,
            format!("\n# {}{place}\n$ {}", suggestion.shows, suggestion.command),
        );
    }
    Ok(())
}

fn write_configuration(
    folder: &LabFolder,
    est_address: SocketAddr,
    controller: SocketAddr,
) -> Result<(), Failure> {
    let est = format!(
        "# The EST server of the lab. Paths are relative to this file.\n\
         listen = \"{est_address}\"\n\
         certificate = \"certificate.pem\"\n\
         key = \"key.pem\"\n\
         ca-dir = \"../ca\"\n\
         users = \"users\"\n\
         client-trust-anchors = [\"../ca/ca.pem\"]\n"
    );
    let nmsp = format!(
        "# The controller of the lab. Paths are relative to this file.\n\
         listen = \"{controller}\"\n\
         certificate = \"certificate.pem\"\n\
         key = \"key.pem\"\n\
         trust-anchors = [\"../ca/ca.pem\"]\n\n\
         [authlist]\n\
         file = \"authlist.toml\"\n"
    );
    folder.write("est-server/est.toml", &est).map_err(diagnosed)?;
    folder.write("controller/nmsp.toml", &nmsp).map_err(diagnosed)
}

/// The commands, in the order in which they work.
pub fn suggestions(folder: &LabFolder, est_address: SocketAddr, controller: SocketAddr) -> Vec<Suggestion> {
    let dir = quoted(&folder.path().display().to_string());
    let mut all = vec![once(
        "build the two commands",
        "cargo build --release -p est -p nmsp --features est/cli,nmsp/cli",
    )];
    all.extend(est_suggestions(&dir, est_address));
    all.extend(nmsp_suggestions(&dir, controller));
    all
}

fn once(shows: &'static str, command: impl Into<String>) -> Suggestion {
    Suggestion {
        shows,
        command: command.into(),
        serves: false,
    }
}

fn serve(shows: &'static str, command: String) -> Suggestion {
    Suggestion {
        shows,
        command,
        serves: true,
    }
}

fn est_suggestions(dir: &str, address: SocketAddr) -> Vec<Suggestion> {
    let curl = format!("curl -sS --cacert {dir}/ca/ca.pem");
    let est = format!("https://{address}/.well-known/est");
    let print_certs = "base64 -d | openssl pkcs7 -inform DER -print_certs";
    vec![
        serve(
            "the EST server again",
            format!("target/release/est serve --config {dir}/est-server/est.toml"),
        ),
        once(
            "the certificate authority, by curl",
            format!("{curl} {est}/cacerts | {print_certs} -noout"),
        ),
        once(
            "a key and a request by OpenSSL",
            format!(
                "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                 -subj /DC=com/DC=example/OU=eng/OU=lab/CN=mine -keyout {dir}/mine.key.pem -out {dir}/mine.csr"
            ),
        ),
        once(
            "enrolled by curl",
            format!(
                "{curl} -u \"{USER}:$(cat {dir}/est-server/password)\" -H 'Content-Type: application/pkcs10' \
                 --data-binary @{dir}/mine.csr {est}/simpleenroll | {print_certs} -out {dir}/mine.pem"
            ),
        ),
        once(
            "verified by OpenSSL, the subject as it was asked for",
            format!(
                "openssl verify -show_chain -CAfile {dir}/ca/ca.pem {dir}/mine.pem && \
                 openssl x509 -in {dir}/mine.pem -noout -subject -nameopt RFC2253"
            ),
        ),
        once(
            "the same by est, authenticated by the location server's certificate",
            format!(
                "target/release/est enroll --url https://{address} --trust-anchors {dir}/ca/ca.pem \
                 --certificate {dir}/location-server/certificate.pem --key {dir}/location-server/key.pem \
                 --mac 02:00:00:00:00:03 --out-certificate {dir}/third.pem --out-key {dir}/third.key.pem"
            ),
        ),
        once(
            "every certificate that was ever issued",
            format!("target/release/est ca list --dir {dir}/ca"),
        ),
    ]
}

fn nmsp_suggestions(dir: &str, controller: SocketAddr) -> Vec<Suggestion> {
    let s_client =
        format!("timeout 2 openssl s_client -connect {controller} -CAfile {dir}/ca/ca.pem -ign_eof");
    let location_server = format!("{dir}/location-server/certificate.pem");
    let key = format!("{dir}/location-server/key.pem");
    vec![
        serve(
            "the controller again, with the recorded floor",
            format!(
                "target/release/nmsp --log nmsp=info serve --config {dir}/controller/nmsp.toml \
                 --measurements {dir}/floor.jsonl --repeat"
            ),
        ),
        once(
            "a location server: ten stations as JSON lines",
            format!(
                "target/release/nmsp connect --controller {controller} --trust-anchors {dir}/ca/ca.pem \
                 --certificate {location_server} --key {key} --count 10 --json"
            ),
        ),
        once(
            "OpenSSL as a location server: the handshake completes",
            format!("{s_client} -cert {location_server} -key {key} | grep -a 'Verify return code'"),
        ),
        once(
            "the same with a certificate that is not in the authlist: alert number 46",
            format!("{s_client} -cert {dir}/mine.pem -key {dir}/mine.key.pem 2>&1 | grep -a 'alert number'"),
        ),
        once(
            "the key hash of `show server-auth-info`, by OpenSSL",
            format!(
                "openssl x509 -in {location_server} -noout -pubkey | openssl pkey -pubin -outform DER | openssl sha256"
            ),
        ),
        once(
            "the authlist as AireOS commands",
            format!("target/release/nmsp authlist export --to aireos {dir}/controller/authlist.toml"),
        ),
    ]
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@%".contains(character);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_blanks_and_quotes_stays_one_word() {
        assert_eq!(quoted("/tmp/lab"), "/tmp/lab");
        assert_eq!(quoted("/tmp/Peter's lab"), r"'/tmp/Peter'\''s lab'");
    }
}
