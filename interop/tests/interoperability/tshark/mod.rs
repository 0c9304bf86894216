//! tshark on what our ends say, decrypted with their key log.

mod est;
mod nmsp;

/// A proxy that keeps what goes through, and capture files of that; of the tests of `nmsp`.
#[path = "../../../../nmsp/tests/decode/pcap.rs"]
#[allow(dead_code, reason = "written for the tests of another crate")]
mod pcap;

use std::path::Path;

use crate::case::{Missing, Peer};
use crate::support::folder::{Folder, said};

pub(crate) fn peer() -> Peer {
    Peer {
        name: "tshark",
        about: "protocol analyser (Wireshark); NMSP by the dissector that `nmsp wireshark` writes",
        find: version,
        cases: nmsp::cases().into_iter().chain(est::cases()).collect(),
    }
}

/// `TShark (Wireshark) 4.0.17 (…)`
fn version() -> Result<String, Missing> {
    Missing::programs("tshark")?;
    let output = std::process::Command::new("tshark").arg("--version").output();
    let said = output.map(|output| said(&output)).unwrap_or_default();
    let version = said
        .lines()
        .find_map(|line| line.strip_prefix("TShark (Wireshark) "))
        .and_then(|rest| rest.split_whitespace().next());
    version
        .map(|version| version.trim_end_matches('.').to_owned())
        .ok_or_else(|| Missing(format!("a tshark that says its version; it says {said}")))
}

/// What it shows of `session.pcap` with the keys in `keys.txt`.
async fn tshark(folder: &Folder, arguments: &[&str]) -> String {
    let always = ["-r", "session.pcap", "-o", "tls.keylog_file:keys.txt"];
    let output = folder.run("tshark", &[&always, arguments].concat()).await;
    assert!(output.status.success(), "{}", said(&output));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!errors.contains("Lua Error"), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// A key log that ends in this file.
fn key_log(path: &Path) -> std::sync::Arc<pki_common::tls::KeyLogFile> {
    std::sync::Arc::new(pki_common::tls::KeyLogFile::append(path).unwrap())
}
