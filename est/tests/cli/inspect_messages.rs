//! `est inspect` over CMC, enveloped messages, revocation lists, encrypted keys and answers of `serverkeygen`, most of them
//! made by `openssl` or by `est serve`. Each as text and as `--json`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::peers;
use crate::process::{self, Serving, est, succeeds};
use crate::server_key::laboratory_with;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// The report as JSON; every text in it stands in the text for people, too.
fn report(folder: &Path, file: &str) -> (Value, String) {
    let text = succeeds(folder, &["inspect", file], "");
    let json = succeeds(folder, &["inspect", "--json", file], "");
    let all: Value = serde_json::from_str(&json).unwrap();
    let report = all[0]["report"].clone();
    stands_in(&report, &text);
    (report, text)
}

fn stands_in(report: &Value, text: &str) {
    let facts = report["facts"].as_object().unwrap();
    for (name, value) in facts {
        assert!(text.contains(&format!("{name}:")), "{name}: {text}");
        let values = match value {
            Value::Array(values) => values.clone(),
            one => vec![one.clone()],
        };
        for value in values {
            let value = value.as_str().unwrap();
            // What could drive a terminal is escaped in the text.
            assert!(text.contains(value) || !value.is_ascii(), "{value:?}: {text}");
        }
    }
    for part in report["parts"].as_array().unwrap() {
        stands_in(part, text);
    }
}

fn openssl(folder: &Path, arguments: &str) -> Option<()> {
    let program = peers::find_or_skip("openssl")?;
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "openssl {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(())
}

/// What the server answers to a file, as `curl -i` prints it, in the file `answer`.
fn post(curl: &Path, folder: &Path, url: &str, (operation, media_type): (&str, &str), file: &str) {
    let user = format!("{}:{}", process::USER, process::PASSWORD);
    let body = format!("@{file}");
    let output = Command::new(curl)
        .args([
            "-sSi",
            "--http1.1",
            "--cacert",
            "ca/ca.pem",
            "-u",
            &user,
            "-o",
            "answer",
        ])
        .args([
            "-H",
            &format!("Content-Type: {media_type}"),
            "--data-binary",
            &body,
        ])
        .arg(format!("{url}/.well-known/est/{operation}"))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The controls of a report by their names.
fn control<'a>(report: &'a Value, name: &str) -> &'a Value {
    let parts = report["parts"].as_array().unwrap();
    let found = parts.iter().find(|part| {
        part["facts"]["control"]
            .as_str()
            .is_some_and(|control| control.starts_with(name))
    });
    &found.unwrap_or_else(|| panic!("{name}: {report}"))["facts"]
}

#[test]
fn a_pki_data_is_explained_control_by_control_and_without_its_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = data("cmc/pki-data.der");
    let (report, text) = report(folder.path(), path.to_str().unwrap());
    assert_eq!(report["kind"], "CMC request");
    assert_eq!(
        control(&report, "id-cmc-identification")["identification"],
        "Gerät-7"
    );
    assert_eq!(control(&report, "id-cmc-transactionId")["transaction id"], "4d");
    assert_eq!(control(&report, "id-cmc-senderNonce")["nonce"], "6e6f6e6365");
    let proof = control(&report, "id-cmc-identityProofV2");
    assert_eq!(proof["proof"], "present, 32 bytes, not shown");
    assert_eq!(proof["mac"], "id-hmacWithSHA256 (1.2.840.113549.2.9)");
    let revocation = control(&report, "id-cmc-revokeRequest");
    assert_eq!(revocation["reason"], "superseded");
    assert_eq!(revocation["serial number"], "40aabb");
    assert_eq!(revocation["shared secret"], "present, not shown");
    assert_eq!(control(&report, "id-cmc-queryPending")["token"], "746f6b656e");
    assert_eq!(control(&report, "1.2.3.4.5")["values"][0], "020101");
    let parts = report["parts"].as_array().unwrap();
    let request = parts.iter().find(|part| part["kind"] == "certification request");
    let request = &request.unwrap()["facts"];
    assert_eq!(request["body part"], "1");
    assert_eq!(request["signature"], "made by the key of the request, and right");
    // The witnesses of this vector are octets of 0 and of 1.
    assert!(
        !text.contains(&"00".repeat(20)) && !text.contains(&"01".repeat(32)),
        "{text}"
    );
}

#[test]
fn a_pki_response_tells_status_fail_info_and_pend_info() {
    let folder = tempfile::tempdir().unwrap();
    let path = data("cmc/pki-response.der");
    let (report, _) = report(folder.path(), path.to_str().unwrap());
    assert_eq!(report["kind"], "CMC response");
    assert_eq!(
        report["facts"]["statuses"][0],
        "body part 1, 2.7: failed (popFailed): kein Schlüssel"
    );
    let failed = &report["parts"][0]["facts"];
    assert_eq!(
        (&failed["status"], &failed["failInfo"]),
        (&"failed".into(), &"popFailed".into())
    );
    let pending = &report["parts"][1]["facts"];
    assert_eq!(pending["status"], "pending");
    assert_eq!(pending["pendInfo"], "ask again at 2026-11-21T20:00:00Z");
    assert_eq!(pending["token"], "746f6b656e");
    let nonce = control(&report, "id-cmc-recipientNonce");
    assert_eq!(nonce["nonce"], "30313233343536373839616263646566");
}

#[test]
fn crmf_requests_of_openssl_are_explained_with_their_proof() {
    let folder = tempfile::tempdir().unwrap();
    for (name, proof, key) in [
        ("p256", "by signature", Some("EC P-256")),
        ("rsa", "by signature", Some("RSA-2048")),
        ("noproof", "absent", None),
        (
            "raverified",
            "a registration authority vouches for it (raVerified)",
            None,
        ),
    ] {
        let path = data(&format!("cmc/openssl-crmf-{name}.der"));
        let (report, _) = report(folder.path(), path.to_str().unwrap());
        assert_eq!(report["kind"], "CRMF certification request", "{name}");
        let facts = &report["facts"];
        assert_eq!(facts["proof of possession"], proof, "{name}");
        assert_eq!(facts["key"].as_str(), key, "{name}");
        if key.is_some() {
            assert_eq!(
                facts["signature"], "made by the key of the request, and right",
                "{name}"
            );
            assert_eq!(facts["subject"], "CN=device-7,DC=example,DC=com", "{name}");
        }
    }
}

/// PKIData signed by `openssl cms`.
#[test]
fn a_signed_cmc_request_tells_its_signer_and_whether_the_signature_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::copy(data("cmc/pki-data.der"), folder.join("data.der")).unwrap();
    let made = openssl(
        folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -subj /CN=signer -days 3650",
    );
    if made.is_none() {
        return;
    }
    openssl(
        folder,
        "cms -sign -binary -nodetach -econtent_type 1.3.6.1.5.5.7.12.2 -in data.der -signer cert.pem -inkey key.pem -outform DER -out signed.der",
    );
    let (whole, _) = report(folder, "signed.der");
    assert_eq!(whole["kind"], "CMC request message");
    assert_eq!(whole["facts"]["signature"], "right, made by /CN=signer");
    assert_eq!(whole["facts"]["signers"], "1");
    let parts = whole["parts"].as_array().unwrap();
    assert_eq!(
        (&parts[0]["kind"], &parts[1]["kind"]),
        (&"CMC request".into(), &"certificate".into())
    );

    let mut changed = fs::read(folder.join("signed.der")).unwrap();
    let name = "Gerät-7".as_bytes();
    let place = changed
        .windows(name.len())
        .position(|octets| octets == name)
        .unwrap();
    changed[place] = b'g';
    fs::write(folder.join("changed.der"), changed).unwrap();
    let (changed, text) = report(folder, "changed.der");
    assert!(
        changed["problems"][0].as_str().unwrap().contains("signature"),
        "{text}"
    );
}

#[test]
fn the_answer_to_a_request_that_waits_shows_its_token_and_the_request_in_it() {
    let laboratory =
        laboratory_with("[full-cmc]\nidentity-proof-required = false\n[policy]\napproval = \"operator\"\n");
    let folder = laboratory.path();
    let (Some(curl), Some(_)) = (peers::find_or_skip("curl"), peers::find_or_skip("openssl")) else {
        return;
    };
    let server = Serving::start(folder);
    succeeds(
        folder,
        &[
            "csr",
            "new",
            "--subject",
            "CN=phone",
            "--out-key",
            "a.key",
            "--out-csr",
            "a.csr",
        ],
        "",
    );
    let body = fs::read_to_string(folder.join("a.csr")).unwrap();
    let body: String = body.lines().filter(|line| !line.starts_with('-')).collect();
    fs::write(folder.join("body"), body).unwrap();
    post(
        &curl,
        folder,
        &server.url,
        ("fullcmc", "application/pkcs7-mime; smime-type=CMC-request"),
        "body",
    );
    let (answer, text) = report(folder, "answer");
    assert_eq!(answer["kind"], "EST response");
    assert_eq!(answer["problems"], Value::Array(vec![]), "{text}");
    let message = &answer["parts"][0];
    assert_eq!(message["kind"], "CMC response message");
    assert_eq!(
        message["facts"]["signature"], "right, made by /CN=EST server",
        "{text}"
    );
    let response = &message["parts"][0];
    assert_eq!(
        response["facts"]["statuses"][0],
        "body part 1: pending: the request waits for approval"
    );
    let status = &response["parts"][0];
    assert_eq!(status["parts"][0]["kind"], "certification request", "{text}");
    assert_eq!(status["parts"][0]["facts"]["subject"], "CN=phone");
}

#[test]
fn an_enveloped_message_tells_each_recipient_and_every_algorithm() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("content"), "a secret").unwrap();
    for (name, kind) in [("rsa", "rsa:2048"), ("ec", "ec -pkeyopt ec_paramgen_curve:P-256")] {
        let made = openssl(
            folder,
            &format!(
                "req -x509 -newkey {kind} -nodes -keyout {name}.key -out {name}.pem -subj /CN={name} -days 3650"
            ),
        );
        if made.is_none() {
            return;
        }
    }
    let start = "cms -encrypt -binary -in content -outform DER -out";
    openssl(
        folder,
        &format!("{start} enveloped.der -aes256 -recip rsa.pem -keyopt rsa_padding_mode:oaep -recip ec.pem"),
    );
    let (both, text) = report(folder, "enveloped.der");
    assert_eq!(both["kind"], "enveloped message");
    let facts = &both["facts"];
    assert_eq!(facts["content type inside"], "id-data (1.2.840.113549.1.7.1)");
    let cipher = facts["content encryption"].as_str().unwrap();
    assert!(
        cipher.contains("aes256-CBC") && cipher.contains("2.16.840.1.101.3.4.1.42"),
        "{cipher}"
    );
    let recipients = facts["recipients"].as_array().unwrap();
    assert_eq!(recipients.len(), 2);
    let [rsa, ec] = [0, 1].map(|place: usize| recipients[place].as_str().unwrap());
    assert!(
        rsa.contains("RSA key transport to") && rsa.contains("CN=rsa"),
        "{rsa}"
    );
    assert!(rsa.contains("1.2.840.113549.1.1.7"), "RSAES-OAEP: {rsa}");
    assert!(
        ec.contains("EC key agreement with") && ec.contains("CN=ec"),
        "{ec}"
    );
    assert!(ec.contains("2.16.840.1.101.3.4.1."), "AES key wrap: {ec}");
    assert!(!text.contains("a secret"));

    openssl(
        folder,
        &format!(
            "{start} shared.der -aes128 -secretkey 000102030405060708090a0b0c0d0e0f -secretkeyid c0ffee"
        ),
    );
    let (shared, _) = report(folder, "shared.der");
    let recipient = shared["facts"]["recipients"][0].as_str().unwrap();
    assert!(
        recipient.contains("the shared key with identifier c0ffee"),
        "{recipient}"
    );
}

#[test]
fn a_revocation_list_of_openssl_tells_entries_reasons_number_and_distribution_point() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let made = openssl(
        folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 3650",
    );
    if made.is_none() {
        return;
    }
    let line = |when: &str, serial: &str| format!("R\t360101000000Z\t{when}\t{serial}\tunknown\t/CN=x\n");
    let database = [
        line("260101000000Z,keyCompromise", "0A01"),
        line("260102000000Z,superseded", "0A02"),
        line("260103000000Z", "0A03"),
        line("260104000000Z,CAkeyTime,20251231235900Z", "0A04"),
    ];
    fs::write(folder.join("index"), database.concat()).unwrap();
    fs::write(folder.join("number"), "1F\n").unwrap();
    let config = "[ca]\ndefault_ca = c\n[c]\ndatabase = index\ncrlnumber = number\ndefault_md = sha256\n\
        default_crl_days = 3650\ncrl_extensions = e\n[e]\nissuingDistributionPoint = critical,@p\n\
        authorityKeyIdentifier = keyid\n[p]\nfullname = URI:http://ca.example/ca.crl\nonlyuser = TRUE\n";
    fs::write(folder.join("config"), config).unwrap();
    openssl(
        folder,
        "ca -config config -gencrl -keyfile ca.key -cert ca.pem -out list.pem",
    );
    let (list, _) = report(folder, "list.pem");
    assert_eq!(list["kind"], "certificate revocation list");
    assert_eq!(list["problems"], Value::Array(vec![]));
    let facts = &list["facts"];
    assert_eq!(facts["CRL number"], "31");
    assert_eq!(
        facts["issuing distribution point"],
        "URI:http://ca.example/ca.crl; only certificates of end entities"
    );
    assert_eq!(facts["revoked certificates"], "4");
    let entries = facts["the first of them"].as_array().unwrap();
    assert_eq!(entries[0], "0a01 at 2026-01-01T00:00:00Z, keyCompromise");
    assert_eq!(entries[1], "0a02 at 2026-01-02T00:00:00Z, superseded");
    assert_eq!(entries[2], "0a03 at 2026-01-03T00:00:00Z");
    let suspected = entries[3].as_str().unwrap();
    assert!(
        suspected.contains("CACompromise") || suspected.contains("cACompromise"),
        "{suspected}"
    );
    assert!(
        suspected.contains("invalid since 2025-12-31T23:59:00Z"),
        "{suspected}"
    );
    let reasons = facts["reasons"].as_array().unwrap();
    assert_eq!(reasons[0], "unspecified: 1");
    assert_eq!(reasons[1], "keyCompromise: 1");
    assert_eq!(reasons.len(), 4);
}

#[test]
fn an_encrypted_key_tells_how_it_is_protected_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::copy(data("ca/p256.key.pem"), folder.join("key.pem")).unwrap();
    let start = "pkcs8 -topk8 -in key.pem -passout pass:secret -out";
    if openssl(folder, &format!("{start} pbkdf2 -v2 aes-256-cbc -iter 12345")).is_none() {
        return;
    }
    openssl(
        folder,
        &format!("{start} scrypt -v2 aes128 -scrypt -scrypt_N 4096 -scrypt_r 8 -scrypt_p 2"),
    );
    openssl(folder, &format!("{start} old -v1 PBE-SHA1-3DES -iter 2048"));
    openssl(folder, "ec -in key.pem -aes128 -passout pass:secret -out older");
    let facts = |name: &str| {
        let (report, text) = report(folder, name);
        assert!(
            report["kind"].as_str().unwrap().starts_with("encrypted"),
            "{text}"
        );
        assert!(!text.contains("secret"), "{text}");
        (report["facts"].clone(), report["problems"].clone())
    };
    let (pbkdf2, problems) = facts("pbkdf2");
    assert_eq!(problems, Value::Array(vec![]));
    assert_eq!(pbkdf2["scheme"], "PBES2 (RFC 8018)");
    assert_eq!(pbkdf2["key derivation"], "PBKDF2 (RFC 8018)");
    assert_eq!(pbkdf2["iterations"], "12345");
    assert!(
        pbkdf2["pseudo-random function"]
            .as_str()
            .unwrap()
            .contains("hmacWithSHA256")
    );
    assert!(
        pbkdf2["cipher"]
            .as_str()
            .unwrap()
            .contains("2.16.840.1.101.3.4.1.42")
    );
    let (scrypt, _) = facts("scrypt");
    assert_eq!(
        scrypt["scrypt parameters"],
        "N=4096, r=8, p=2: 4096 KiB of memory"
    );
    let (old, problems) = facts("old");
    assert_eq!(old["scheme"], "PKCS #12 with SHA-1 and 3DES");
    assert!(
        old["key derivation"]
            .as_str()
            .unwrap()
            .starts_with("2048 iterations")
    );
    assert!(problems[0].as_str().unwrap().contains("guessed at quickly"));
    let (older, problems) = facts("older");
    assert_eq!(older["cipher"], "AES-128-CBC");
    assert!(problems[0].as_str().unwrap().contains("convert the key"));
}

#[test]
fn csr_attributes_of_both_rfcs_are_explained_entry_by_entry() {
    let folder = tempfile::tempdir().unwrap();
    for (name, line) in [
        ("rfc7030-4.5.2", "challengePassword (1.2.840.113549.1.9.7)"),
        (
            "rfc9908-3.4",
            "certificationRequestInfoTemplate (1.2.840.113549.1.9.16.2.61)",
        ),
        ("rfc9908-5.4", "rsaEncryption (1.2.840.113549.1.1.1) = 4096"),
        ("rfc9908-5.5", "subject: serialNumber (2.5.4.5)"),
    ] {
        let path = data(&format!("csr_attributes/{name}.b64"));
        let (report, text) = report(folder.path(), path.to_str().unwrap());
        assert_eq!(report["kind"], "CSR attributes", "{name}");
        assert!(text.contains(line), "{name}: {text}");
        assert_eq!(report["problems"], Value::Array(vec![]), "{name}");
        assert!(
            !report["facts"]["what a request must have"]
                .as_array()
                .unwrap()
                .is_empty(),
            "{name}: {text}"
        );
    }
}

#[test]
fn an_answer_with_a_key_tells_whether_it_fits_the_certificate() {
    let laboratory = laboratory_with("[server-key-generation]\n");
    let folder = laboratory.path();
    let Some(curl) = peers::find_or_skip("curl") else {
        return;
    };
    let server = Serving::start(folder);
    succeeds(
        folder,
        &[
            "csr",
            "new",
            "--subject",
            "CN=phone",
            "--out-key",
            "a.key",
            "--out-csr",
            "a.csr",
        ],
        "",
    );
    post(
        &curl,
        folder,
        &server.url,
        ("serverkeygen", "application/pkcs10"),
        "a.csr",
    );
    let (answer, text) = report(folder, "answer");
    assert_eq!(
        answer["facts"]["key and certificate"], "the certificate is for the key",
        "{text}"
    );
    assert_eq!(answer["parts"][0]["kind"], "private key");
    assert_eq!(answer["parts"][1]["kind"], "certs-only message");
    assert_eq!(answer["problems"], Value::Array(vec![]), "{text}");

    // Another key in the same answer.
    let whole = fs::read_to_string(folder.join("answer")).unwrap();
    let key = fs::read_to_string(folder.join("a.key")).unwrap();
    let key: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    let place = whole.find("application/pkcs8").unwrap();
    let start = place + whole[place..].find("\r\n\r\n").unwrap() + 4;
    let end = start + whole[start..].find("\r\n--").unwrap();
    fs::write(
        folder.join("other"),
        format!("{}{key}{}", &whole[..start], &whole[end..]),
    )
    .unwrap();
    let text = String::from_utf8(est(folder, &["inspect", "other"], "").stdout).unwrap();
    assert!(
        text.contains("PROBLEM: none of the certificates is for the key"),
        "{text}"
    );
    assert!(!text.contains(&key), "{text}");
}
