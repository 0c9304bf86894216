//! Who we are, and whom we believe.

use std::sync::Arc;

use pki_common::authlist::SharedAuthList;
use pki_common::identity::Identity;
use pki_common::tls::{ClientTls, PeerVerifier};
use pki_common::trust_store::ExpectedName;

use super::options::Options;
use crate::cli::authlist;
use crate::cli::config::trust_store;
use crate::cli::failure::CliError;
use crate::cli::link::key_log;
use crate::client::dangerous_pin_controllers_on_first_use;

pub(super) fn tls(options: &Options) -> Result<ClientTls, CliError> {
    let (Some(certificate), Some(key)) = (&options.certificate, &options.key) else {
        // Checked with the options.
        return Err(CliError::usage("no certificate or key".to_owned(), "give both"));
    };
    let identity = Identity::load(certificate, key).map_err(|error| CliError::of(&error))?;
    let mut peer = controllers(options)?;
    if let Some(name) = &options.expect_name {
        let name = ExpectedName::server(name).map_err(|_| {
            CliError::usage(
                format!("--expect-name {name:?}"),
                "give a DNS name or an IP address",
            )
        })?;
        peer = peer.expecting_name(name);
    }
    if let Some(mac) = options.expect_mac {
        peer = peer.expecting_name(ExpectedName::Mac(mac));
    }
    let tls = ClientTls::new(peer).with_identity(Arc::new(identity));
    Ok(match &options.dangerous_key_log {
        Some(path) => tls.dangerous_key_log(key_log(path)?),
        None => tls,
    })
}

fn controllers(options: &Options) -> Result<PeerVerifier, CliError> {
    if let Some(file) = &options.dangerous_pin_on_first_use {
        return Ok(dangerous_pin_controllers_on_first_use(file)?);
    }
    let anchors = trust_store("NMSP controllers", &options.trust_anchors)?;
    match (&options.controller_authlist, anchors) {
        (Some(path), anchors) => {
            let list = SharedAuthList::new(authlist::load(path, None)?);
            let verifier = PeerVerifier::authlist(list);
            Ok(match anchors {
                Some(store) => verifier.with_trust_store(store),
                None => verifier,
            })
        }
        (None, Some(store)) => Ok(PeerVerifier::trust_store(store)),
        (None, None) => Err(CliError::usage(
            "nothing to check the controller's certificate with".to_owned(),
            "give --trust-anchors or --controller-authlist",
        )),
    }
}
