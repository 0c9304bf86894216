//! Two self-signed identities that admit each other by authlist, in the folder that parent and children share.

use std::path::Path;
use std::sync::Arc;

use pki_common::authlist::{AuthList, AuthListFormat, SharedAuthList};
use pki_common::identity::{Identity, SelfSigned};
use pki_common::tls::{ClientTls, PeerVerifier};

const CONTROLLER: &str = "controller";
const LOCATION_SERVER: &str = "location-server";

/// Makes both identities.
pub(crate) fn prepare(folder: &Path) {
    for (name, mac) in [
        (CONTROLLER, "003a.7d00.0001"),
        (LOCATION_SERVER, "0050.569c.3489"),
    ] {
        let parameters = SelfSigned::new(mac.parse().expect("a MAC address"));
        let identity = Identity::self_signed(parameters).expect("a crypto provider");
        let [certificate, key] = files(folder, name);
        identity.save(certificate, key).expect("a folder of our own");
    }
}

/// What the controller presents, and whom it admits.
pub(crate) fn controller(folder: &Path) -> (Arc<Identity>, PeerVerifier) {
    (identity(folder, CONTROLLER), admitting(folder, LOCATION_SERVER))
}

/// What the location server presents and admits.
pub(crate) fn location_server(folder: &Path) -> ClientTls {
    ClientTls::new(admitting(folder, CONTROLLER)).with_identity(identity(folder, LOCATION_SERVER))
}

fn admitting(folder: &Path, name: &str) -> PeerVerifier {
    let text = identity(folder, name).server_auth_info();
    let list = AuthList::import(AuthListFormat::ServerAuthInfo, &text).expect("our own text");
    PeerVerifier::authlist(SharedAuthList::new(list))
}

fn identity(folder: &Path, name: &str) -> Arc<Identity> {
    let [certificate, key] = files(folder, name);
    Arc::new(Identity::load(certificate, key).expect("made by the parent"))
}

fn files(folder: &Path, name: &str) -> [std::path::PathBuf; 2] {
    ["pem", "key.pem"].map(|extension| folder.join(format!("{name}.{extension}")))
}
