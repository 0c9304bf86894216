//! The anchors of the operating system, RFC 7030's implicit trust anchor database.

use rustls_pki_types::CertificateDer;

use super::{TrustStore, TrustStoreError};
use crate::certificate::Certificate;

/// Variables that say where to look instead of the system's own places, as OpenSSL has them.
const VARIABLES: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

impl TrustStore {
    /// The anchors of the operating system: on Linux the certificate files that OpenSSL would read, or what the
    /// environment variables `SSL_CERT_FILE` and `SSL_CERT_DIR` name; elsewhere the platform's store.
    ///
    /// Certificates that cannot serve as anchors here are skipped, as each user of such a store does; their number is
    /// logged.
    ///
    /// # Errors
    /// [`TrustStoreError::NoSystemAnchors`] when there is none at all, with what was not found.
    pub fn system(role: impl Into<String>) -> Result<Self, TrustStoreError> {
        let found = rustls_native_certs::load_native_certs();
        let errors: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        Self::of_system(role.into(), &found.certs, &errors)
    }

    fn of_system(
        role: String,
        certificates: &[CertificateDer<'_>],
        errors: &[String],
    ) -> Result<Self, TrustStoreError> {
        let mut store = Self::empty(role);
        let mut skipped = 0_usize;
        for der in certificates {
            let added = Certificate::from_der(der).ok().map(|anchor| store.add(&anchor));
            match added {
                Some(Err(error @ TrustStoreError::TooManyAnchors { .. })) => return Err(error),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => skipped += 1,
            }
        }
        if store.is_empty() {
            return Err(TrustStoreError::NoSystemAnchors {
                role: store.role,
                reason: nothing_found(skipped, errors),
            });
        }
        if skipped > 0 || !errors.is_empty() {
            tracing::warn!(
                role = store.role,
                anchors = store.anchors.len(),
                skipped,
                errors = errors.join("; "),
                "not all anchors of the operating system can be used"
            );
        }
        Ok(store)
    }
}

fn nothing_found(skipped: usize, errors: &[String]) -> String {
    let mut reasons: Vec<String> = VARIABLES
        .iter()
        .filter_map(|name| {
            let value = std::env::var_os(name)?;
            Some(format!("{name} is {}", value.display()))
        })
        .collect();
    if reasons.is_empty() {
        reasons.push("neither SSL_CERT_FILE nor SSL_CERT_DIR is set".to_owned());
    }
    if skipped > 0 {
        reasons.push(format!("{skipped} certificates there cannot serve as anchors"));
    }
    if errors.is_empty() && skipped == 0 {
        reasons.push("the places where systems keep them hold none".to_owned());
    }
    reasons.extend(errors.iter().cloned());
    reasons.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_not_found() {
        let error = TrustStore::of_system("est".to_owned(), &[], &["cannot open /nowhere/certs".to_owned()]);
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("SSL_CERT_FILE") && text.contains("/nowhere/certs"),
            "{text}"
        );
    }

    #[test]
    fn skips_what_is_no_anchor_and_fails_only_when_nothing_is_left() {
        let broken = CertificateDer::from(vec![0x30, 0]);
        let text = TrustStore::of_system("est".to_owned(), &[broken], &[])
            .unwrap_err()
            .to_string();
        assert!(text.contains("1 certificates there cannot serve"), "{text}");
    }
}
