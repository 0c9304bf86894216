//! libest's own client at the registration authority, as the phone service of Cisco document 214396 is one.

use std::path::Path;
use std::process::Output;

use interop::adcs_sim::{Fault, Settings as SimulatorSettings, Simulator};
use interop::peers::find_or_skip;
use interop::registration_authority::{PASSWORD, RegistrationAuthority, Settings};

async fn run(program: &Path, folder: &Path, arguments: &[&str]) -> Output {
    tokio::process::Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .env("EST_OPENSSL_CACERT", "anchors.pem")
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .unwrap()
}

async fn lab(label: &str, folder: &Path) -> (Simulator, RegistrationAuthority) {
    let simulator = Simulator::start(SimulatorSettings::default()).await.unwrap();
    let settings = Settings::in_front_of(&simulator, label).unwrap();
    let authority = RegistrationAuthority::start(&folder.join("ca"), settings)
        .await
        .unwrap();
    let own = std::fs::read_to_string(folder.join("ca/ca.pem")).unwrap();
    std::fs::write(
        folder.join("anchors.pem"),
        format!("{own}{}", simulator.authority_pem()),
    )
    .unwrap();
    (simulator, authority)
}

#[tokio::test(flavor = "multi_thread")]
async fn libest_enrols_by_basic_and_is_told_of_an_ad_cs_that_fails() {
    let (Some(estclient), Some(openssl)) = (find_or_skip("estclient"), find_or_skip("openssl")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir(path.join("ca")).unwrap();
    let (simulator, authority) = lab("libest", path).await;
    run(&openssl, path, &["genrsa", "-out", "key.pem", "2048"]).await;
    let port = authority.address().port().to_string();
    let enrol = [
        "-e",
        "--common-name",
        "SEP74A02FC0A675",
        "-x",
        "key.pem",
        "-u",
        "MICHAMEN\\ciscora",
        "-h",
        PASSWORD,
        "-s",
        "127.0.0.1",
        "-p",
        &port,
        "-o",
        ".",
    ];
    let output = run(&estclient, path, &enrol).await;
    let answer = path.join("cert-0-0.pkcs7");
    assert!(answer.exists(), "{output:?}");
    run(
        &openssl,
        path,
        &["base64", "-d", "-in", "cert-0-0.pkcs7", "-out", "cert.p7"],
    )
    .await;
    let shown = run(
        &openssl,
        path,
        &["pkcs7", "-inform", "DER", "-in", "cert.p7", "-print_certs"],
    )
    .await;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("CN = SEP74A02FC0A675"), "{shown}");
    assert_eq!(simulator.requests().len(), 1);

    // No certificate, and the client ends by itself.
    std::fs::remove_file(&answer).unwrap();
    simulator.set_faults([Fault::SelfSigned]).unwrap();
    let output = run(&estclient, path, &enrol).await;
    assert!(!answer.exists(), "{output:?}");
    assert_eq!(simulator.requests().len(), 1);
    authority.stop().await.unwrap();
}
