//! Which implementation of cryptography rustls uses.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

use super::TlsConfigError;

/// The crypto provider of this build.
///
/// The feature `aws-lc-rs` wins, else `ring`, else the provider that the process installed with
/// `CryptoProvider::install_default`. All of this crate uses it, so the choice is made in one place.
///
/// # Errors
/// [`TlsConfigError::NoCryptoProvider`] when there is none of the three.
pub fn crypto_provider() -> Result<Arc<CryptoProvider>, TlsConfigError> {
    built_in()
        .or_else(|| CryptoProvider::get_default().cloned())
        .ok_or(TlsConfigError::NoCryptoProvider)
}

#[cfg(feature = "aws-lc-rs")]
fn built_in() -> Option<Arc<CryptoProvider>> {
    static PROVIDER: std::sync::LazyLock<Arc<CryptoProvider>> =
        std::sync::LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Some(Arc::clone(&PROVIDER))
}

#[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
fn built_in() -> Option<Arc<CryptoProvider>> {
    static PROVIDER: std::sync::LazyLock<Arc<CryptoProvider>> =
        std::sync::LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    Some(Arc::clone(&PROVIDER))
}

#[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
fn built_in() -> Option<Arc<CryptoProvider>> {
    None
}
