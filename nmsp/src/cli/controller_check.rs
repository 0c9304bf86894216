//! How a location server's commands know their controller.

use std::path::{Path, PathBuf};

use pki_common::MacAddr;
use pki_common::authlist::SharedAuthList;
use pki_common::tls::PeerVerifier;
use pki_common::trust_store::ExpectedName;

use super::authlist;
use super::config::trust_store;
use super::failure::CliError;

/// By authlist, by trust anchors, or by both.
pub(super) fn by_list_or_anchors(list: Option<&Path>, anchors: &[PathBuf]) -> Result<PeerVerifier, CliError> {
    match (list, trust_store("NMSP controllers", anchors)?) {
        (Some(path), anchors) => {
            let verifier = PeerVerifier::authlist(SharedAuthList::new(authlist::load(path, None)?));
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

/// What `--expect-name` and `--expect-mac` ask for besides.
pub(super) fn expecting(
    mut peer: PeerVerifier,
    name: Option<&str>,
    mac: Option<MacAddr>,
) -> Result<PeerVerifier, CliError> {
    if let Some(name) = name {
        let name = ExpectedName::server(name).map_err(|_| {
            CliError::usage(
                format!("--expect-name {name:?}"),
                "give a DNS name or an IP address",
            )
        })?;
        peer = peer.expecting_name(name);
    }
    if let Some(mac) = mac {
        peer = peer.expecting_name(ExpectedName::Mac(mac));
    }
    Ok(peer)
}
