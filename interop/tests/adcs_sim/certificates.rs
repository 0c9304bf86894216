//! What comes out, read by OpenSSL.

use std::path::{Path, PathBuf};
use std::process::Command;

use interop::peers::find_or_skip;

use crate::lab::{Lab, form, issued_id};

/// Runs `openssl` with the words of a line, in the folder of the lab.
fn openssl(program: &Path, line: &str, lab: &Lab) -> String {
    let output = Command::new(program)
        .args(line.split(' '))
        .current_dir(lab.file(""))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {text}{errors}");
    text
}

const SUBJECT: &str = "/DC=com/DC=example/OU=eng/OU=lab/CN=SEP74A02FC0A675";

/// A lab with a certificate that OpenSSL has asked for, with two attributes of one kind in the subject and an
/// alternative name.
async fn enrolled() -> Option<(Lab, PathBuf)> {
    let lab = Lab::with_faults(&[]).await?;
    let program = find_or_skip("openssl")?;
    let new =
        "req -new -newkey rsa:2048 -nodes -keyout key.pem -out csr.pem -addext subjectAltName=DNS:phone";
    openssl(&program, &format!("{new} -subj {SUBJECT}"), &lab);
    let form = form(&lab.file("csr.pem"), "CiscoRA");
    let form: Vec<&str> = form.iter().map(String::as_str).collect();
    assert_eq!(
        issued_id(&lab.ask(&form, "/certsrv/certfnsh.asp").text()),
        Some(1)
    );
    Some((lab, program))
}

fn fetch(lab: &Lab, page: &str, file: &str) {
    lab.write(file, lab.ask(&[], &format!("/certsrv/{page}")).body);
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_reads_the_certificate_in_both_encodings() {
    let Some((lab, program)) = enrolled().await else {
        return;
    };
    fetch(&lab, "certnew.cer?ReqID=1&Enc=b64", "phone.pem");
    fetch(&lab, "certnew.cer?ReqID=1&Enc=bin", "phone.der");
    fetch(&lab, "certnew.cer?ReqID=CACert&Renewal=0&Enc=b64", "issuing.pem");
    let shown = openssl(
        &program,
        "x509 -in phone.pem -noout -subject -nameopt compat",
        &lab,
    );
    assert_eq!(shown.trim(), format!("subject={SUBJECT}"));
    let shown = openssl(
        &program,
        "x509 -inform DER -in phone.der -noout -ext subjectAltName",
        &lab,
    );
    assert!(shown.contains("DNS:phone"), "{shown}");
    let verified = openssl(
        &program,
        "verify -CAfile ca.pem -untrusted issuing.pem phone.pem",
        &lab,
    );
    assert!(verified.contains("phone.pem: OK"), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn openssl_reads_the_chain_and_the_revocation_list() {
    let Some((lab, program)) = enrolled().await else {
        return;
    };
    fetch(&lab, "certnew.p7b?ReqID=1&Enc=b64", "phone.p7b");
    fetch(&lab, "certnew.p7b?ReqID=CACert&Renewal=0&Enc=bin", "chain.p7b");
    fetch(&lab, "certnew.cer?ReqID=CACert&Renewal=0&Enc=b64", "issuing.pem");
    fetch(&lab, "certcrl.crl?Type=base&Enc=bin", "list.der");
    let shown = openssl(&program, "pkcs7 -in phone.p7b -print_certs -noout", &lab);
    assert!(
        shown.contains("SEP74A02FC0A675") && shown.contains("Root CA"),
        "{shown}"
    );
    let shown = openssl(
        &program,
        "pkcs7 -inform DER -in chain.p7b -print_certs -noout",
        &lab,
    );
    assert!(
        shown.contains("Issuing CA") && !shown.contains("SEP74A02FC0A675"),
        "{shown}"
    );
    openssl(
        &program,
        "crl -inform DER -in list.der -CAfile issuing.pem -noout",
        &lab,
    );
}

/// A fixed `Renewal=0` gets the chain of before, which does not lead to new certificates (B-08).
#[tokio::test(flavor = "multi_thread")]
async fn after_a_renewal_the_first_chain_is_the_wrong_one() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let Some(program) = find_or_skip("openssl") else {
        return;
    };
    assert!(
        lab.ask(&[], "/certsrv/certcarc.asp")
            .text()
            .contains("var nRenewals=0;")
    );
    lab.set_faults(&["renewed=2"]);
    assert!(
        lab.ask(&[], "/certsrv/certcarc.asp")
            .text()
            .contains("var nRenewals=2;")
    );
    assert_eq!(issued_id(&lab.submit("CiscoRA", "phone")), Some(1));
    lab.write(
        "phone.pem",
        lab.ask(&[], "/certsrv/certnew.cer?ReqID=1&Enc=b64").body,
    );
    for (renewal, works) in [("0", false), ("1", false), ("2", true), ("-1", true)] {
        let page = format!("/certsrv/certnew.cer?ReqID=CACert&Renewal={renewal}&Enc=b64");
        lab.write("issuing.pem", lab.ask(&[], &page).body);
        let verify = [
            "verify",
            "-CAfile",
            "ca.pem",
            "-untrusted",
            "issuing.pem",
            "phone.pem",
        ];
        let output = Command::new(&program)
            .args(verify)
            .current_dir(lab.file(""))
            .output()
            .unwrap();
        assert_eq!(output.status.success(), works, "Renewal={renewal}");
    }
}

/// Clients must call themselves Mozilla to get the right type (B-07), and some servers give it to nobody.
#[tokio::test(flavor = "multi_thread")]
async fn the_content_type_depends_on_the_client() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let kind = |agent: &str, page: &str| {
        let arguments = [
            "--user-agent",
            agent,
            "--output",
            "/dev/null",
            "--write-out",
            "%{content_type}",
        ];
        lab.ask(&arguments, page).text()
    };
    let certificate = "/certsrv/certnew.cer?ReqID=CACert&Renewal=0&Enc=bin";
    let chain = "/certsrv/certnew.p7b?ReqID=CACert&Renewal=0&Enc=bin";
    assert_eq!(kind("Mozilla/5.0 x", certificate), "application/pkix-cert");
    assert_eq!(kind("Mozilla/5.0 x", chain), "application/x-pkcs7-certificates");
    assert_eq!(kind("CiscoRA 1.0", certificate), "text/html");
    lab.set_faults(&["html-certificate"]);
    assert_eq!(kind("Mozilla/5.0 x", certificate), "text/html");
}
