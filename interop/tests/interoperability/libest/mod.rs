//! libest, in both directions: its client against our server, our client against its server.

mod estclient;
mod estserver;

use crate::case::{Missing, Peer};
use crate::support::folder::{Folder, finish, said};

pub(crate) fn peer() -> Peer {
    Peer {
        name: "libest",
        about: "EST client and server in C (`estclient`, `estserver`)",
        find: version,
        cases: estclient::cases().into_iter().chain(estserver::cases()).collect(),
    }
}

/// What it says of itself before it connects: `libest 3.2.0p (API level 4)`.
fn version() -> Result<String, Missing> {
    Missing::programs("libest")?;
    Missing::programs("openssl")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let output = runtime.block_on(async {
        let folder = Folder::new();
        let root = rcgen::generate_simple_self_signed(Vec::new()).unwrap();
        folder.write("anchor.pem", root.cert.pem());
        let mut command = folder.command("estclient");
        // Nothing listens on port 1.
        command.args(["-v", "-g", "-s", "127.0.0.1", "-p", "1", "-o", "."]);
        command.env("EST_OPENSSL_CACERT", "anchor.pem");
        finish(command).await
    });
    let said = said(&output);
    let version = said
        .split_once("libest ")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    version
        .map(ToOwned::to_owned)
        .ok_or_else(|| Missing(format!("an estclient that says its version; it says {said}")))
}
