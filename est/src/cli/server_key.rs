//! `est serverkeygen`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use pki_common::Certificate;
use pki_common::identity::private_key_pem;
use rustls_pki_types::PrivateKeyDer;
use serde_json::json;
use zeroize::Zeroizing;

use super::CliError;
use super::connection::{CredentialArguments, ServerArguments};
use super::csr::SubjectArguments;
use super::enroll::{kept_request, read_key};
use super::files::{
    must_not_exist, pem, print_error, read_limited, read_password, write_new_key, write_public,
};
use super::report::{self, Output};
use crate::client::{Client, EnrollOptions, ServerKey, ServerKeyOutcome};
use crate::operation::parse_shared_keys;
use crate::renewal::folder::{Files as _, SystemFiles, Visibility};
use crate::request::{BindingAttribute, KeyAndRequest};
use crate::wire::cms::enveloped_data::{ContentEncryption, DecryptionKey, KeyEncryptionKey};
use crate::wire::cms::subject_key_identifier;
use crate::wire::server_key::{
    asymmetric_decrypt_key_identifier, decrypt_key_identifier, smime_capabilities,
};

#[derive(Debug, Args)]
pub(crate) struct ServerKeyArguments {
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    credentials: CredentialArguments,
    #[command(flatten)]
    subject: SubjectArguments,
    /// Where to write the certificate and its chain, PEM.
    #[arg(long, short = 'o')]
    out_certificate: PathBuf,
    /// Where to write the private key that the server made, PEM, readable by the owner only.
    #[arg(long)]
    out_key: PathBuf,
    /// Where the request is kept while it waits for approval; the name of --out-key with .request behind it by
    /// default. A call that finds the file sends what is in it again, and removes it when the key has come.
    #[arg(long)]
    request: Option<PathBuf>,
    #[command(flatten)]
    encryption: EncryptionArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Encryption of the key beyond TLS")]
struct EncryptionArguments {
    /// Have the key encrypted for the certificate of this RSA or EC private key (PEM, PKCS #8), and decrypt it with it.
    #[arg(long, value_name = "FILE")]
    decrypt_key: Option<PathBuf>,
    /// The certificate of --decrypt-key; the one of --certificate by default. The request names its subject key
    /// identifier.
    #[arg(long, value_name = "FILE", requires = "decrypt_key")]
    decrypt_certificate: Option<PathBuf>,
    /// Have the key encrypted under a shared AES key: a file whose first line has it in 32, 48 or 64 hexadecimal digits.
    #[arg(
        long,
        value_name = "FILE",
        requires = "key_id",
        conflicts_with = "decrypt_key"
    )]
    shared_key: Option<PathBuf>,
    /// The identifier by which the server knows --shared-key: text, or hexadecimal digits after 0x.
    #[arg(long, value_name = "ID", requires = "shared_key")]
    key_id: Option<String>,
}

pub(crate) async fn run(arguments: ServerKeyArguments, output: Output) -> Result<ExitCode, CliError> {
    let ServerKeyArguments {
        server,
        credentials,
        subject,
        out_certificate,
        out_key,
        request,
        encryption,
    } = arguments;
    must_not_exist(&out_certificate)?;
    must_not_exist(&out_key)?;
    let kept = request.unwrap_or_else(|| with_suffix(&out_key));
    let mut config = server.config()?;
    credentials.apply(&mut config)?;
    let mut options = subject.options()?;
    let own = config
        .identity
        .as_ref()
        .map(|identity| identity.certificate().clone());
    let decryption_keys = encryption.apply(own, &mut options)?;
    let bind = credentials.pop == super::connection::Pop::Always;
    let work = async {
        let client = server.client(config).await?;
        let request = prepare(&client, options, &kept, bind).await?;
        // The client consumes the request; what would be kept of it is taken before.
        let text = request_text(&request)?;
        match client.serverkeygen_with(request, &decryption_keys).await? {
            ServerKeyOutcome::Made(made) => {
                let code = finish(&made, &out_certificate, &out_key, output)?;
                forget(&kept);
                Ok(code)
            }
            ServerKeyOutcome::Pending { retry_after, .. } => {
                if !kept.exists() {
                    keep(&kept, &text)?;
                }
                pending(retry_after.as_secs(), &kept, output)
            }
        }
    };
    server.in_time(work).await
}

fn with_suffix(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".request");
    PathBuf::from(name)
}

/// The request that waits already, or a new one.
async fn prepare(
    client: &Client,
    options: EnrollOptions,
    kept: &Path,
    bind: bool,
) -> Result<KeyAndRequest, CliError> {
    if !kept.exists() {
        return Ok(client.prepare(options).await?);
    }
    print_error(&format!("asking again with the request in {}", kept.display()));
    let request = kept_request(kept, kept)?;
    if *request.subject() != options.subject {
        return Err(CliError::local(
            format!("the request in {} asks for {}", kept.display(), request.subject()),
            "Remove the file to make a new request.",
        ));
    }
    Ok(request.with_binding(bind.then(BindingAttribute::default)))
}

/// The request with the key that signed it.
fn request_text(request: &KeyAndRequest) -> Result<Zeroizing<String>, CliError> {
    let key = PrivateKeyDer::Pkcs8(request.private_key().clone_key());
    let csr = pem("CERTIFICATE REQUEST", request.csr_der())?;
    Ok(Zeroizing::new(format!("{csr}{}", private_key_pem(&key).as_str())))
}

fn keep(path: &Path, text: &str) -> Result<(), CliError> {
    SystemFiles
        .write_new(path, text.as_bytes(), Visibility::Private)
        .map_err(|error| {
            CliError::local(
                format!("the request cannot be kept in {}: {error}", path.display()),
                "Give another file with --request, or wait for the approval with --wait.",
            )
        })
}

fn forget(path: &Path) {
    if path.exists()
        && let Err(error) = std::fs::remove_file(path)
    {
        tracing::warn!(%error, path = %path.display(), "the request that was kept cannot be removed");
    }
}

/// The key first: a certificate without its key is of no use.
fn finish(made: &ServerKey, certificate: &Path, key: &Path, output: Output) -> Result<ExitCode, CliError> {
    write_new_key(key, made.key.private_key())?;
    let mut text = String::new();
    for certificate in made.issued.chain() {
        text.push_str(&pem("CERTIFICATE", &certificate)?);
    }
    write_public(certificate, &text)?;
    let issued = &made.issued;
    let accepted: Vec<_> = issued.accepted.iter().map(ToString::to_string).collect();
    for difference in &accepted {
        tracing::warn!(difference, "accepted as told");
    }
    let signers = made.key.package_signers().iter();
    let signers: Vec<_> = signers.map(Certificate::subject).collect();
    let how = if made.key.was_encrypted() {
        "encrypted"
    } else {
        "protected by TLS alone"
    };
    output.print(
        &format!(
            "{} has a key from the server, which came {how}; key in {}, certificate in {}",
            pki_common::Escaped::new(issued.certificate.subject()),
            key.display(),
            certificate.display()
        ),
        &json!({
            "status": "issued",
            "certificate": report::certificate(&issued.certificate),
            "file": certificate,
            "key": key,
            "encrypted": made.key.was_encrypted(),
            "package_signers": signers,
            "accepted": accepted,
        }),
    )?;
    Ok(ExitCode::SUCCESS)
}

fn pending(wait: u64, kept: &Path, output: Output) -> Result<ExitCode, CliError> {
    if output.is_json() {
        let object = json!({ "status": "pending", "retry_after_seconds": wait, "request": kept });
        super::files::print(&object.to_string())?;
    } else {
        print_error(&format!(
            "the request waits for approval and is kept in {}; run the same command again in {wait} s",
            kept.display()
        ));
    }
    Ok(ExitCode::from(super::EXIT_PENDING))
}

impl EncryptionArguments {
    /// Adds to the request for whom the key is to be encrypted; gives what decrypts it.
    fn apply(
        &self,
        own: Option<Certificate>,
        options: &mut EnrollOptions,
    ) -> Result<Vec<DecryptionKey>, CliError> {
        let mut keys = Vec::new();
        if let Some(path) = &self.decrypt_key {
            let certificate = self.recipient(own)?;
            let identifier = subject_key_identifier(&certificate).ok_or_else(|| {
                CliError::local(
                    "the certificate of --decrypt-key has no key identifier",
                    "Give another one with --decrypt-certificate.",
                )
            })?;
            options
                .attributes
                .push(asymmetric_decrypt_key_identifier(&identifier));
            keys.push(DecryptionKey::private_key(&read_key(path)?, Some(certificate))?);
        }
        if let (Some(path), Some(identifier)) = (&self.shared_key, &self.key_id) {
            let key = shared_key(path, identifier)?;
            options.attributes.push(decrypt_key_identifier(key.identifier()));
            keys.push(DecryptionKey::key_encryption_key(key));
        }
        if !keys.is_empty() {
            let known = [
                ContentEncryption::Aes256Cbc,
                ContentEncryption::Aes192Cbc,
                ContentEncryption::Aes128Cbc,
            ];
            let known = known.map(ContentEncryption::oid);
            options.attributes.push(smime_capabilities(&known));
        }
        Ok(keys)
    }

    fn recipient(&self, own: Option<Certificate>) -> Result<Certificate, CliError> {
        let Some(path) = &self.decrypt_certificate else {
            return own.ok_or_else(|| {
                CliError::local(
                    "--decrypt-key has no certificate to name to the server",
                    "Give it with --decrypt-certificate, or authenticate by it with --certificate and --key.",
                )
            });
        };
        let bytes = read_limited(path, crate::inspect::MAX_FILE)?;
        Certificate::from_pem(&bytes)
            .or_else(|error| {
                let der = rustls_pki_types::CertificateDer::from(bytes.as_slice());
                Certificate::from_der(&der).map_err(|_| error)
            })
            .map_err(|error| {
                CliError::local(
                    format!("{}: {error}", path.display()),
                    "Give a certificate in PEM or DER.",
                )
            })
    }
}

fn shared_key(path: &Path, identifier: &str) -> Result<KeyEncryptionKey, CliError> {
    if identifier.trim().is_empty() || identifier.contains(['\n', '\r', '#']) {
        return Err(CliError::local(
            "--key-id is empty, or has a character that no file of shared keys can have",
            "Give it as the server has it; write other bytes in hexadecimal after 0x.",
        ));
    }
    let key = read_password(path)?;
    let line = Zeroizing::new(format!("{identifier}:{}", key.trim()));
    let origin = path.display().to_string();
    parse_shared_keys(&line, &origin)?.pop().ok_or_else(|| {
        CliError::local(
            format!("{origin} holds no key"),
            "Give a file with an AES key in hexadecimal.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::ClientConfig;
    use pki_common::trust_store::TrustStore;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_request_that_was_kept_is_sent_again_byte_for_byte() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("x.key.request");
        let url = "https://127.0.0.1:1".parse().unwrap();
        let mut config = ClientConfig::new(url, Arc::new(TrustStore::empty("nobody")));
        config.ask_csr_attributes = false;
        let client = Client::new(config).unwrap();
        let options = || EnrollOptions::new("CN=x".parse().unwrap());
        let first = prepare(&client, options(), &kept, false).await.unwrap();
        keep(&kept, &request_text(&first).unwrap()).unwrap();
        let again = prepare(&client, options(), &kept, false).await.unwrap();
        assert_eq!(again.csr_der(), first.csr_der());
        let other = EnrollOptions::new("CN=y".parse().unwrap());
        assert!(prepare(&client, other, &kept, false).await.is_err());
        forget(&kept);
        assert!(!kept.exists());
    }
}
