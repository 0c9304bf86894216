//! strongSwan's `pki --estca` and `pki --est`, with its own TLS, against our server.

mod enrolment;
mod trust;

use std::process::Output;

use crate::case::{Missing, Peer};
use crate::support::folder::{Folder, finish, said};
use crate::support::lab::Lab;

pub(crate) fn peer() -> Peer {
    Peer {
        name: "strongswan",
        about: "EST client in C (`pki --estca`, `pki --est`)",
        find: version,
        cases: trust::cases().into_iter().chain(enrolment::cases()).collect(),
    }
}

/// `strongSwan 5.9.8 PKI tool`, when it knows EST: with the library for TLS from another package.
fn version() -> Result<String, Missing> {
    Missing::programs("strongswan")?;
    Missing::programs("openssl")?;
    let run = |operation: &str| {
        let output = std::process::Command::new("pki")
            .args([operation, "--help"])
            .output();
        output.map(|output| said(&output)).unwrap_or_default()
    };
    let help = run("--est");
    if !help.contains("pki --est --url") {
        return Err(Missing(format!("a pki that knows --est; it says {help}")));
    }
    let version = help
        .split_once("strongSwan ")
        .and_then(|(_, rest)| rest.split_whitespace().next());
    version
        .map(ToOwned::to_owned)
        .ok_or_else(|| Missing("a pki that says its version".to_owned()))
}

/// The versions of TLS that it is allowed, and the key exchanges, of which it offers one at first.
#[derive(Clone, Copy)]
struct Tls {
    version: &'static str,
    groups: &'static str,
}

impl Tls {
    const V12: Self = Self {
        version: "1.2",
        groups: "",
    };
    const V13: Self = Self {
        version: "1.3",
        groups: "",
    };

    fn write(self, folder: &Folder) {
        let Self { version, groups } = self;
        let groups = if groups.is_empty() {
            String::new()
        } else {
            format!("ke_group = {groups}\n")
        };
        let tls = format!("version_min = {version}\nversion_max = {version}\n{groups}");
        folder.write("strongswan.conf", format!("pki {{\ntls {{\n{tls}}}\n}}\n"));
    }
}

/// Runs `pki` in the folder of the lab; debug output of level 2 shows the handshake.
async fn pki(lab: &Lab, tls: Tls, operation: &str, arguments: &[&str]) -> Output {
    tls.write(&lab.folder);
    let mut command = lab.folder.command("pki");
    let url = format!("https://{}", lab.server.address);
    command.args([operation, "--url", &url, "--cacert", "anchor.pem"]);
    command.args(["--outform", "pem"]).args(arguments);
    command.env("STRONGSWAN_CONF", lab.folder.file("strongswan.conf"));
    finish(command).await
}

/// What it says about EST and TLS, without the plug-ins that it does not find.
fn told(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = errors
        .lines()
        .filter(|line| !line.starts_with("plugin "))
        .collect();
    lines.join("\n")
}
