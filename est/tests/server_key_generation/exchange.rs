//! One `serverkeygen` by `curl`, taken apart by Python's `email` package.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use der::asn1::{Any, SetOfVec};
use der::{Decode as _, Encode as _};
use est::ca::CertificateAuthority;
use est::ca::policy::IssuancePolicy;
use est::operation::{DirectKeyGenerator, KeyPackageSigner, LabelSettings, ServerKeyGenerationSettings};
use est::server::BlockingKeyGenerator;
use est::wire::csr::Attribute;
use x509_cert::request::CertReq;

use crate::lab::{Lab, P256};
use crate::support::{PASSWORD, Setup, TestServer, USER, peers};

/// Splits headers and body as any mail program would, and writes each part decoded; prints the types.
const SPLIT: &str = "
import email, sys
head = open('head', newline='').read().split('\\r\\n\\r\\n')[-2]
fields = '\\r\\n'.join(head.split('\\r\\n')[1:])
message = email.message_from_bytes(fields.encode() + b'\\r\\n\\r\\n' + open('body', 'rb').read())
assert message.is_multipart() and not message.defects, message.defects
for number, part in enumerate(message.get_payload()):
    assert not part.defects, part.defects
    open('part%d' % number, 'wb').write(part.get_payload(decode=True))
    print(part['Content-Type'])
";

pub(crate) struct Exchange {
    pub(crate) lab: Lab,
    pub(crate) server: TestServer,
    curl: PathBuf,
    python: PathBuf,
}

pub(crate) struct Answer {
    pub(crate) status: String,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Exchange {
    /// A server with these settings; `None` when one of the programs is not installed.
    pub(crate) async fn open(configure: impl FnOnce(&Lab, &mut ServerKeyGenerationSettings)) -> Option<Self> {
        Self::open_with(configure, |authority| authority).await
    }

    pub(crate) async fn open_with(
        configure: impl FnOnce(&Lab, &mut ServerKeyGenerationSettings),
        wrap: impl FnOnce(Arc<dyn CertificateAuthority>) -> Arc<dyn CertificateAuthority>,
    ) -> Option<Self> {
        let lab = Lab::open()?;
        let curl = peers::find_or_skip("curl")?;
        let python = peers::find_or_skip("python3")?;
        let signer = lab.identity("signer", P256);
        let mut keys = ServerKeyGenerationSettings::new(
            Arc::new(BlockingKeyGenerator::default()),
            KeyPackageSigner::with_identity(&signer),
        );
        configure(&lab, &mut keys);
        let setup = Setup {
            settings: LabelSettings {
                server_key_generation: Some(keys),
                ..LabelSettings::default()
            },
            policy: IssuancePolicy::default(),
            ..Setup::default()
        };
        let server = TestServer::start_with(setup, wrap).await;
        lab.write("root.pem", server.anchor_pem().as_bytes());
        Some(Self {
            lab,
            server,
            curl,
            python,
        })
    }

    /// A form by `openssl req` with a key of this kind, and these attributes put into it. The signature is then wrong,
    /// which a server must not mind.
    pub(crate) fn form(&self, key: &str, attributes: &[Attribute]) {
        let lab = &self.lab;
        lab.openssl(&format!("genpkey {key} -out form.key"));
        lab.openssl(
            "req -new -key form.key -subj /DC=example/CN=device-7 -addext subjectAltName=DNS:device-7.example \
             -outform DER -out form.der",
        );
        let mut request = CertReq::from_der(&lab.read("form.der")).unwrap();
        for attribute in attributes {
            let mut values = SetOfVec::new();
            for value in &attribute.values {
                values.insert(Any::from_der(value).unwrap()).unwrap();
            }
            let attribute = x509_cert::attr::Attribute {
                oid: attribute.oid,
                values,
            };
            request.info.attributes.insert(attribute).unwrap();
        }
        lab.write("form.der", &request.to_der().unwrap());
        lab.openssl("base64 -in form.der -out form.b64");
    }

    /// Sends the form.
    pub(crate) fn ask(&self) -> Answer {
        let output = Command::new(&self.curl)
            .args(["-sS", "--cacert", "root.pem", "-u", &format!("{USER}:{PASSWORD}")])
            .args([
                "-H",
                "Content-Type: application/pkcs10",
                "--data-binary",
                "@form.b64",
            ])
            .args(["-D", "head", "-o", "body", "-w", "%{http_code}"])
            .arg(format!(
                "https://{}/.well-known/est/serverkeygen",
                self.server.address
            ))
            .current_dir(self.lab.folder())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Answer {
            status: String::from_utf8(output.stdout).unwrap(),
            head: String::from_utf8(self.lab.read("head")).unwrap(),
            body: self.lab.read("body"),
        }
    }

    /// Takes the answer apart: `part0` and `part1`, and their types.
    pub(crate) fn split(&self) -> Vec<String> {
        let output = Command::new(&self.python)
            .args(["-c", SPLIT])
            .current_dir(self.lab.folder())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Checks with `openssl` that the key in `key.der` and the certificate in `part1` belong together, that the
    /// certificate is for the form's subject and names, and that the key is not the form's. Returns the key's type.
    pub(crate) fn check_pair(&self) -> String {
        let lab = &self.lab;
        lab.openssl("pkcs7 -inform DER -in part1 -print_certs -out certificate.pem");
        let key = lab.openssl("pkey -inform DER -in key.der -pubout");
        assert_eq!(lab.openssl("x509 -in certificate.pem -noout -pubkey"), key);
        assert_ne!(lab.openssl("pkey -in form.key -pubout"), key);
        lab.openssl("verify -CAfile root.pem certificate.pem");
        let text = String::from_utf8(lab.openssl("x509 -in certificate.pem -noout -text")).unwrap();
        assert!(text.contains("DNS:device-7.example"), "{text}");
        assert!(text.contains("Subject: DC = example, CN = device-7"), "{text}");
        let text = String::from_utf8(lab.openssl("pkey -inform DER -in key.der -noout -text")).unwrap();
        text.lines().next().unwrap().to_owned() + text.lines().last().unwrap()
    }
}

/// That the settings can be made without a runtime.
#[test]
fn settings_do_not_need_a_runtime() {
    let Some(lab) = Lab::open() else { return };
    let signer = KeyPackageSigner::with_identity(&lab.identity("signer", P256));
    let settings = ServerKeyGenerationSettings::new(Arc::new(DirectKeyGenerator), signer);
    assert!(settings.shared_keys.is_empty());
}
