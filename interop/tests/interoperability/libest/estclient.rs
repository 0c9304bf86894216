//! libest's own client against our server. It speaks TLS up to 1.2, HTTP/1.0, and ends with status 0 whatever happens:
//! what it wrote into its folder is what counts.

use std::process::Output;
use std::sync::Arc;

use est::auth::{Accounts, BearerTokens, Users};
use est::operation::{LabelSettings, Operation};
use pki_common::tls::TlsVersions;

use crate::case::Case;
use crate::matrix::Outcome;
use crate::support::authority::{Several, Waiting};
use crate::support::est::{PASSWORD, Setup, TestServer, USER};
use crate::support::folder::{finish, said};
use crate::support::lab::{Lab, Revoking, key_generating, linked, requiring};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new("estclient reads the CA certificates", reads_ca_certificates),
        Case::new(
            "estclient reads the certificates of four CAs",
            reads_four_ca_certificates,
        ),
        Case::new("estclient reads the CSR attributes", reads_csr_attributes),
        Case::new("estclient enrols an RSA key by Basic", || enrols_by_basic(RSA)),
        Case::new("estclient enrols an EC key by Basic", || enrols_by_basic(EC)),
        Case::new("estclient enrols by Digest with MD5", enrols_by_digest_with_md5),
        Case::new(
            "estclient enrols by Digest with SHA-256",
            enrols_by_digest_with_sha_256,
        ),
        Case::new(
            "estclient falls back to Basic beside Digest with SHA-256",
            falls_back_to_basic,
        ),
        Case::new("estclient enrols by bearer token", enrols_by_bearer_token),
        Case::new("estclient enrols by certificate", enrols_by_certificate),
        Case::new("estclient renews its certificate", renews),
        Case::new("estclient takes an RSA key made by the server", || {
            takes_a_key_of_the_server(RSA)
        }),
        Case::new("estclient takes an EC key made by the server", || {
            takes_a_key_of_the_server(EC)
        }),
        Case::new(
            "estclient -z links its request to the connection, where that is required",
            links_its_request,
        ),
        Case::new(
            "estclient without -z is refused, where that is required",
            is_refused_without_link,
        ),
        Case::new("estclient waits for an approval", waits_for_an_approval),
        Case::new(
            "estclient is refused once its certificate is revoked",
            is_refused_when_revoked,
        ),
        Case::new(
            "estclient is refused with a wrong password",
            is_refused_with_a_wrong_password,
        ),
        Case::new(
            "estclient refuses the server of another authority",
            refuses_another_authority,
        ),
        Case::new("estclient enrols over TLS 1.3", enrols_over_tls_1_3),
        Case::new("estclient enrols at a path label", enrols_at_a_label),
    ]
}

/// How `openssl genpkey` is told to make the key.
const RSA: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
const EC: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// Without the key that it signs with, `-x`.
const ENROL: &[&str] = &["-e", "--common-name", "ap7", "-x", "key.pem"];

/// A server of ours; the client's key is in `key.pem`.
async fn open(settings: LabelSettings) -> Lab {
    with_key(Lab::open(settings).await).await
}

async fn with_key(lab: Lab) -> Lab {
    make_key(&lab, EC).await;
    lab
}

async fn make_key(lab: &Lab, kind: &[&str]) {
    let arguments = [&["genpkey", "-out", "key.pem"], kind].concat();
    lab.folder.openssl(&arguments).await;
}

/// Runs the client; its files go to the folder.
async fn run(lab: &Lab, arguments: &[&str]) -> Output {
    let mut command = lab.folder.command("estclient");
    command
        .args(arguments)
        .args(["-s", "127.0.0.1", "-p", &lab.port(), "-o", "."]);
    command.env("EST_OPENSSL_CACERT", "anchor.pem");
    finish(command).await
}

/// Runs the client with our user, and this password.
async fn run_as_user(lab: &Lab, password: &str, arguments: &[&str]) -> Output {
    let user = ["-u", USER, "-h", password];
    run(lab, &[&user, arguments].concat()).await
}

/// The certificate that the client was given, as openssl shows it, after openssl has verified it; what it said when
/// there is none. It is in `issued.pem`, and the client's own file is gone.
async fn issued(lab: &Lab, output: &Output) -> Result<String, String> {
    let folder = &lab.folder;
    if !folder.has("cert-0-0.pkcs7") {
        return Err(said(output));
    }
    folder
        .openssl(&["base64", "-d", "-in", "cert-0-0.pkcs7", "-out", "cert.p7"])
        .await;
    std::fs::remove_file(folder.file("cert-0-0.pkcs7")).unwrap();
    let convert = [
        "pkcs7",
        "-inform",
        "DER",
        "-in",
        "cert.p7",
        "-print_certs",
        "-out",
        "issued.pem",
    ];
    folder.openssl(&convert).await;
    let verified = folder
        .openssl(&["verify", "-CAfile", "anchor.pem", "issued.pem"])
        .await;
    assert!(verified.contains("OK"), "{verified}");
    let show = [
        "x509",
        "-in",
        "issued.pem",
        "-noout",
        "-subject",
        "-serial",
        "-pubkey",
    ];
    Ok(folder.openssl(&show).await)
}

/// Enrols, and has the certificate's key compared with the client's.
async fn enrols(lab: &Lab, arguments: &[&str]) -> String {
    let output = run_as_user(lab, PASSWORD, arguments).await;
    let shown = issued(lab, &output).await.unwrap_or_else(|said| panic!("{said}"));
    let key = lab.folder.openssl(&["pkey", "-in", "key.pem", "-pubout"]).await;
    assert!(shown.contains("CN = ap7") && shown.contains(&key), "{shown}");
    shown
}

/// An outcome by whether there is a certificate.
async fn outcome(lab: &Lab, output: &Output) -> Outcome {
    match issued(lab, output).await {
        Ok(_) => Outcome::Passed,
        Err(said) => Outcome::Refused(said),
    }
}

/// What it said when it was refused; it must not have a certificate.
async fn refusal(lab: &Lab, output: &Output) -> String {
    issued(lab, output).await.expect_err("no certificate")
}

/// Enrols by password and keeps the certificate in `own.pem`.
async fn enrol_own(lab: &Lab) -> String {
    let shown = enrols(lab, ENROL).await;
    std::fs::rename(lab.folder.file("issued.pem"), lab.folder.file("own.pem")).unwrap();
    shown
}

/// The certificates of the answer to `cacerts`, in PEM by openssl.
async fn ca_certificates(lab: &Lab) -> String {
    let output = run(lab, &["-g"]).await;
    assert!(lab.folder.has("cacert-0-0.pkcs7"), "{}", said(&output));
    let decode = ["base64", "-d", "-in", "cacert-0-0.pkcs7", "-out", "cacerts.p7"];
    lab.folder.openssl(&decode).await;
    let show = ["pkcs7", "-inform", "DER", "-in", "cacerts.p7", "-print_certs"];
    lab.folder.openssl(&show).await
}

async fn reads_ca_certificates() {
    let lab = open(LabelSettings::default()).await;
    let shown = ca_certificates(&lab).await;
    assert!(shown.contains("CN = Test Root"), "{shown}");
}

async fn reads_four_ca_certificates() {
    let lab = with_key(Lab::with(Setup::default(), |authority| Arc::new(Several(authority))).await).await;
    let shown = ca_certificates(&lab).await;
    assert_eq!(shown.matches("BEGIN CERTIFICATE").count(), 4, "{shown}");
}

async fn reads_csr_attributes() {
    let lab = open(linked()).await;
    let output = run(&lab, &["-a"]).await;
    assert!(lab.folder.has("csr-0-0.base64"), "{}", said(&output));
    // SEQUENCE { OBJECT IDENTIFIER challengePassword }
    assert_eq!(lab.folder.read("csr-0-0.base64").trim(), "MAsGCSqGSIb3DQEJBw==");
}

async fn enrols_by_basic(key: &'static [&'static str]) {
    let lab = open(requiring(&["basic"])).await;
    make_key(&lab, key).await;
    enrols(&lab, ENROL).await;
}

async fn enrols_by_digest_with_md5() {
    for methods in [&["digest"][..], &["digest", "basic"]] {
        let lab = with_key(Lab::with_digest(methods, true).await).await;
        enrols(&lab, ENROL).await;
    }
}

async fn enrols_by_digest_with_sha_256() -> Outcome {
    let lab = with_key(Lab::with_digest(&["digest"], false).await).await;
    let output = run_as_user(&lab, PASSWORD, ENROL).await;
    outcome(&lab, &output).await
}

/// It knows no algorithm of Digest but MD5, and must not stumble over the challenge that it cannot answer.
async fn falls_back_to_basic() {
    let lab = with_key(Lab::with_digest(&["digest", "basic"], false).await).await;
    enrols(&lab, ENROL).await;
}

/// It sends the token in base64: what the server must know is that.
async fn enrols_by_bearer_token() {
    // The SHA-256 of WW91IHdpbGwgbmV2ZXIgZ3Vlc3M=
    let hash = "215e5e478f21721124fe668a37cd09ef28e3af0d93e9659fe5a2fde25d76770c";
    let tokens = BearerTokens::parse(&format!("{USER}:{hash}\n")).unwrap();
    let setup = Setup {
        settings: requiring(&["bearer"]),
        authenticator: Some(Arc::new(Accounts::new(Users::new()).with_tokens(tokens))),
        ..Setup::default()
    };
    let lab = with_key(Lab::with(setup, |authority| authority).await).await;
    let output = run(&lab, &[ENROL, &["--auth-token", "You will never guess"]].concat()).await;
    issued(&lab, &output).await.unwrap();
}

async fn enrols_by_certificate() {
    let lab = open(LabelSettings::default()).await;
    let first = enrol_own(&lab).await;
    let arguments = [
        "-e",
        "--common-name",
        "ap8",
        "-x",
        "key.pem",
        "-c",
        "own.pem",
        "-k",
        "key.pem",
    ];
    let output = run(&lab, &arguments).await;
    let shown = issued(&lab, &output).await.unwrap();
    assert!(shown.contains("CN = ap8") && shown != first, "{shown}");
    assert_eq!(lab.answers(Operation::SimpleEnroll, 200), 2);
}

async fn renews() {
    let lab = open(LabelSettings::default()).await;
    let first = enrol_own(&lab).await;
    let output = run(&lab, &["-r", "-c", "own.pem", "-k", "key.pem"]).await;
    let shown = issued(&lab, &output).await.unwrap();
    assert!(shown.contains("CN = ap7"), "{shown}");
    assert_ne!(shown, first, "another serial number");
    assert_eq!(lab.answers(Operation::SimpleReenroll, 200), 1);
}

/// The server makes a key of the kind that signs the request.
async fn takes_a_key_of_the_server(kind: &'static [&'static str]) -> Outcome {
    let lab = open(key_generating().await).await;
    make_key(&lab, kind).await;
    let arguments = ["-q", "--common-name", "made", "-x", "key.pem"];
    let output = run_as_user(&lab, PASSWORD, &arguments).await;
    let shown = match issued(&lab, &output).await {
        Ok(shown) => shown,
        Err(said) => return Outcome::Refused(said),
    };
    assert!(shown.contains("CN = made"), "{shown}");
    // The key it wrote is that of the certificate, and not the one that signed the request.
    let folder = &lab.folder;
    folder
        .openssl(&["base64", "-d", "-in", "key-0-0.key", "-out", "key.p8"])
        .await;
    let made = folder
        .openssl(&["pkey", "-inform", "DER", "-in", "key.p8", "-pubout"])
        .await;
    let own = folder.openssl(&["pkey", "-in", "key.pem", "-pubout"]).await;
    assert!(shown.contains(&made) && made != own, "{shown}");
    Outcome::Passed
}

async fn links_its_request() {
    let lab = open(linked()).await;
    enrols(&lab, &[ENROL, &["-z"]].concat()).await;
}

async fn is_refused_without_link() {
    let lab = open(linked()).await;
    let output = run_as_user(&lab, PASSWORD, ENROL).await;
    let said = refusal(&lab, &output).await;
    assert!(said.contains("rule proof-of-possession"), "{said}");
}

async fn waits_for_an_approval() {
    let lab =
        with_key(Lab::with(Setup::default(), |authority| Arc::new(Waiting::new(authority))).await).await;
    enrols(&lab, ENROL).await;
    assert_eq!(lab.answers(Operation::SimpleEnroll, 202), 1);
}

async fn is_refused_when_revoked() {
    let mut revoking = Revoking::open().await;
    make_key(&revoking.lab, EC).await;
    enrol_own(&revoking.lab).await;
    let renew = ["-r", "-c", "own.pem", "-k", "key.pem"];
    let output = run(&revoking.lab, &renew).await;
    issued(&revoking.lab, &output).await.unwrap();
    revoking.revoke("own.pem").await;
    let output = run(&revoking.lab, &renew).await;
    let said = refusal(&revoking.lab, &output).await;
    assert!(said.contains("alert certificate revoked"), "{said}");
}

async fn is_refused_with_a_wrong_password() {
    let lab = open(LabelSettings::default()).await;
    let output = run_as_user(&lab, "wrong", ENROL).await;
    let said = refusal(&lab, &output).await;
    assert!(said.contains("EST_ERR_AUTH_FAIL"), "{said}");
    assert!(lab.answers(Operation::SimpleEnroll, 401) >= 1);
}

async fn refuses_another_authority() {
    let lab = open(LabelSettings::default()).await;
    let other = TestServer::start(Setup::default()).await;
    lab.folder.write("anchor.pem", other.anchor_pem());
    let output = run_as_user(&lab, PASSWORD, ENROL).await;
    let said = refusal(&lab, &output).await;
    assert!(said.contains("certificate verify failed"), "{said}");
}

async fn enrols_over_tls_1_3() -> Outcome {
    let setup = Setup {
        versions: TlsVersions::Tls13,
        ..Setup::default()
    };
    let lab = with_key(Lab::with(setup, |authority| authority).await).await;
    let output = run_as_user(&lab, PASSWORD, ENROL).await;
    outcome(&lab, &output).await
}

async fn enrols_at_a_label() -> Outcome {
    let lab = open(LabelSettings::default()).await;
    lab.add_label(LabelSettings::default());
    let output = run_as_user(&lab, PASSWORD, &[ENROL, &["--path-seg", "lab"]].concat()).await;
    outcome(&lab, &output).await
}
