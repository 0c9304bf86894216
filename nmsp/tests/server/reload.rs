//! Identity, authlist and trust store from files, read again while tunnels live.

use std::path::Path;

use nmsp::credentials::CredentialFiles;
use nmsp::proto::CloseReason;
use nmsp::wire::Services;
use nmsp::wire::numbers::DisconnectReason;
use pki_common::Diagnose as _;
use pki_common::authlist::AuthListFormat;

use crate::peer::Peer;
use crate::support::{Lab, authlist_of};

fn write_authlist(folder: &Path, lab: &Lab) {
    let list = authlist_of(&lab.location_server).load();
    let text = list.export(AuthListFormat::Toml).unwrap();
    std::fs::write(folder.join("authlist.toml"), text).unwrap();
}

fn files(folder: &Path) -> CredentialFiles {
    CredentialFiles {
        certificate: folder.join("certificate.pem"),
        key: folder.join("key.pem"),
        authlist: Some((folder.join("authlist.toml"), None)),
        trust_anchors: Vec::new(),
    }
}

#[tokio::test]
async fn a_reload_takes_all_files_or_none_and_live_tunnels_stay() {
    let lab = Lab::start(|_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    std::fs::write(&files.certificate, lab.controller.certificate_chain_pem()).unwrap();
    std::fs::write(&files.key, lab.controller.private_key_pem().as_bytes()).unwrap();
    write_authlist(folder.path(), &lab);
    let mut peer = Peer::connect(&lab).await;
    lab.handle.reload(&files).unwrap();

    // A broken list is refused with file and line; the old one stays.
    let path = folder.path().join("authlist.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{good}\nnonsense\n")).unwrap();
    let error = lab.handle.reload(&files).unwrap_err();
    let text = format!("{error} {}", error.diagnose());
    let line = good.lines().count() + 2;
    assert!(
        text.contains("authlist.toml") && text.contains(&line.to_string()),
        "line {line}: {text}"
    );
    std::fs::write(&path, "").unwrap();
    let error = lab.handle.reload(&files).unwrap_err();
    assert!(error.to_string().contains("authlist.toml"), "{error}");
    // So is a key that belongs to another certificate, however good the list is.
    std::fs::write(&path, &good).unwrap();
    std::fs::write(&files.key, lab.location_server.private_key_pem().as_bytes()).unwrap();
    lab.handle.reload(&files).unwrap_err();
    let counters = lab.handle.counters();
    assert_eq!((counters.reloads, counters.failed_reloads), (1, 3));
    assert_eq!(counters.authorization_withdrawn, 0);
    peer.subscribe_services(Services::RSSI_MS).await;
    Peer::connect(&lab).await;

    // The controller's own entry admits nobody else.
    std::fs::write(&files.key, lab.controller.private_key_pem().as_bytes()).unwrap();
    let other = authlist_of(&lab.controller).load();
    std::fs::write(&path, other.export(AuthListFormat::Toml).unwrap()).unwrap();
    lab.handle.reload(&files).unwrap();
    let end = peer.end().await;
    assert!(
        matches!(end, CloseReason::Disconnected { reason, .. } if reason == DisconnectReason::NOT_AUTHORIZED),
        "{end:?}"
    );
    lab.stop().await;
}
