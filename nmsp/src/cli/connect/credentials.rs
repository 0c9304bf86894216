//! Who we are, and whom we believe.

use std::sync::Arc;

use pki_common::identity::Identity;
use pki_common::tls::ClientTls;

use super::options::Options;
use crate::cli::controller_check::{by_list_or_anchors, expecting};
use crate::cli::failure::CliError;
use crate::cli::link::key_log;
use crate::client::dangerous_pin_controllers_on_first_use;

pub(super) fn tls(options: &Options) -> Result<ClientTls, CliError> {
    let (Some(certificate), Some(key)) = (&options.certificate, &options.key) else {
        // Checked with the options.
        return Err(CliError::usage("no certificate or key".to_owned(), "give both"));
    };
    let identity = Identity::load(certificate, key).map_err(|error| CliError::of(&error))?;
    let peer = match &options.dangerous_pin_on_first_use {
        Some(file) => dangerous_pin_controllers_on_first_use(file)?,
        None => by_list_or_anchors(options.controller_authlist.as_deref(), &options.trust_anchors)?,
    };
    let peer = expecting(peer, options.expect_name.as_deref(), options.expect_mac)?;
    let tls = ClientTls::new(peer).with_identity(Arc::new(identity));
    Ok(match &options.dangerous_key_log {
        Some(path) => tls.dangerous_key_log(key_log(path)?),
        None => tls,
    })
}
