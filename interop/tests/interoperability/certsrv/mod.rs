//! PyPI certsrv, a client of the original, against the simulated AD CS.

use std::path::PathBuf;
use std::process::Output;

use est::wire::certs_only::{self, CertsOnlyLimits};
use interop::peers::find_python_module;
use pki_common::Certificate;

use crate::case::{Case, Missing, Peer};
use crate::curl::request;
use crate::support::adcs::Adcs;
use crate::support::folder::{finish, said};

/// The program of the simulator's own tests.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/adcs_sim/peer.py");

pub(crate) fn peer() -> Peer {
    Peer {
        name: "certsrv",
        about: "client of AD CS in Python (PyPI certsrv), against our simulator",
        find: version,
        cases: vec![
            Case::new("obtains a certificate by Basic", || obtains(BASIC)),
            Case::new("obtains a certificate by NTLM", || obtains(NTLM)),
            Case::new("checks a client certificate", checks_a_client_certificate),
            Case::new("is denied a template that there is not", is_denied),
            Case::new("waits for the administrator", waits),
            Case::new("reads the authority and its chain", reads_the_chain),
            Case::new("is refused with a wrong password by Basic", || is_refused(BASIC)),
            Case::new("is refused with a wrong password by NTLM", || is_refused(NTLM)),
        ],
    }
}

fn python() -> Option<PathBuf> {
    find_python_module("certsrv")
}

fn version() -> Result<String, Missing> {
    Missing::programs("openssl")?;
    let missing = || Missing("a python3 with certsrv".to_owned());
    let python = python().ok_or_else(missing)?;
    let program = "import importlib.metadata as m; print(m.version('certsrv'))";
    let output = std::process::Command::new(python).args(["-c", program]).output();
    let output = output.map_err(|error| Missing(error.to_string()))?;
    Ok(said(&output).trim().to_owned())
}

/// How it logs in: the method, and the user.
type Login = (&'static str, &'static str);
const BASIC: Login = ("basic", "ciscora");
const NTLM: Login = ("ntlm", "MICHAMEN\\ciscora");

async fn run(adcs: &Adcs, login: (&str, &str), password: &str, arguments: &[&str]) -> Output {
    let mut command = adcs.folder.command(python().expect("the peer was found"));
    let server = adcs.url("").replace("https://", "");
    command.args([PROGRAM, &server, "anchor.pem", login.0, login.1, password]);
    command.args(arguments);
    // They would count more than the file.
    for name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
        command.env_remove(name);
    }
    let output = finish(command).await;
    assert!(output.status.success(), "{}", said(&output));
    output
}

async fn tell(adcs: &Adcs, login: Login, arguments: &[&str]) -> String {
    let output = run(adcs, login, "cisco", arguments).await;
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn obtains(login: Login) {
    let adcs = Adcs::start().await;
    request(&adcs.folder).await;
    let certificate = tell(&adcs, login, &["enroll", "csr", "CiscoRA"]).await;
    let certificate = Certificate::from_pem(certificate.as_bytes()).unwrap();
    assert_eq!(certificate.subject(), "/CN=ap7");
}

async fn checks_a_client_certificate() {
    let adcs = Adcs::start().await;
    let identity = adcs.simulator.client_identity("ciscora").unwrap();
    let files = ["client.pem", "client.key.pem"].map(|name| adcs.folder.file(name));
    identity.save(&files[0], &files[1]).unwrap();
    let output = run(&adcs, ("cert", "client.pem"), "client.key.pem", &["check"]).await;
    assert_eq!(said(&output).trim(), "True");
}

async fn is_denied() {
    let adcs = Adcs::start().await;
    request(&adcs.folder).await;
    let denied = tell(&adcs, NTLM, &["enroll", "csr", "NoSuchTemplate"]).await;
    assert!(
        denied.starts_with("denied Denied by Policy Module  0x80094800, "),
        "{denied}"
    );
}

async fn waits() {
    let adcs = Adcs::start().await;
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let files = ["-keyout", "slow.key", "-subj", "/CN=slow phone", "-out", "slow"];
    adcs.folder
        .openssl(&[&["req", "-new"], &curve[..], &files].concat())
        .await;
    let pending = tell(&adcs, NTLM, &["enroll", "slow", "CiscoRA"]).await;
    let id = pending
        .strip_prefix("pending ")
        .unwrap_or_else(|| panic!("{pending}"));
    let waiting = tell(&adcs, NTLM, &["fetch", id]).await;
    assert_eq!(waiting, "not there: Taken Under Submission");
    adcs.simulator.approve(id.parse().unwrap()).unwrap();
    let certificate = tell(&adcs, NTLM, &["fetch", id]).await;
    let certificate = Certificate::from_pem(certificate.as_bytes()).unwrap();
    assert_eq!(certificate.subject(), "/CN=slow phone");
}

async fn reads_the_chain() {
    let adcs = Adcs::start().await;
    let authority = tell(&adcs, BASIC, &["authority"]).await;
    let authority = Certificate::from_pem(authority.as_bytes()).unwrap();
    let chain = run(&adcs, BASIC, "cisco", &["chain"]).await.stdout;
    let chain = certs_only::decode(&chain, &CertsOnlyLimits::default()).unwrap();
    assert!(chain.contains(authority.der()) && chain.contains(&adcs.simulator.root_certificate()));
}

async fn is_refused(login: Login) {
    let adcs = Adcs::start().await;
    let output = run(&adcs, login, "wrong", &["check"]).await;
    assert_eq!(said(&output).trim(), "False");
}
