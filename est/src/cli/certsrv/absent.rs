//! What stands here when the program was built without the feature `adcs`: the table is known, and refused.

use std::sync::Arc;
use std::time::Duration;

use super::super::CliError;
use super::super::config_place::Place;
use super::CertsrvConfig;
use crate::auth::Authenticator;
use crate::ca::CertificateAuthority;

/// Never holds any.
#[derive(Debug, Default)]
pub(crate) struct Upstreams;

/// There are none.
#[derive(Debug, Default)]
pub(crate) struct FirstContacts;

impl Upstreams {
    pub(crate) fn begin(&mut self) {}

    pub(crate) fn open(
        &mut self,
        _given: &CertsrvConfig,
        place: &Place,
        _answer_time: Duration,
    ) -> Result<(), CliError> {
        Err(missing(place))
    }

    pub(crate) fn authority(
        &self,
        _given: &CertsrvConfig,
        place: &Place,
    ) -> Result<Arc<dyn CertificateAuthority>, CliError> {
        Err(missing(place))
    }

    pub(crate) fn authenticator(
        &self,
        _given: &CertsrvConfig,
        place: &Place,
        _others: Arc<dyn Authenticator>,
    ) -> Result<Arc<dyn Authenticator>, CliError> {
        Err(missing(place))
    }

    pub(crate) fn first_contacts(&mut self) -> FirstContacts {
        FirstContacts
    }
}

impl FirstContacts {
    pub(crate) async fn make(self) -> Result<(), CliError> {
        Ok(())
    }
}

fn missing(place: &Place) -> CliError {
    CliError::local(
        format!(
            "{}: this program was built without the feature adcs, which the table needs",
            place.to("certsrv")
        ),
        "Build it with `cargo build --release -p est --features cli,adcs`.",
    )
}
