//! TLS 1.3 early data, which anybody can send again: sent to both servers by OpenSSL, with a request in it.
//!
//! Neither server gives out sessions, and without one nobody has early data to send. So the session is one of `openssl
//! s_server`, which allows it; offered to our servers, it brings the early data with it, and they must reject it.

use std::fs;

use pki_common::Failure;

use super::lab::{Lab, Load, Manners, Settings, Size};
use super::openssl::{LOCATION_SERVER, OpenSsl};
use super::{Options, Outcome, trouble};

const REQUEST: &str = "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\n\r\n";

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    const NAME: &str = "early-data";
    let lab = Lab::start(options, Settings::default())?;
    let Some(openssl) = OpenSsl::find(lab.folder()) else {
        return Ok(Outcome::skipped(NAME, "not installed: openssl"));
    };
    fs::write(lab.folder().join("early"), REQUEST).map_err(trouble)?;
    let (mut giver, address) = openssl.gives_sessions()?;
    let said = openssl
        .talk(address, &["-tls1_3", "-sess_out", "session"], &["hello\n"])
        .await?;
    // It may have ended by itself; then there is no session either.
    drop(giver.kill());
    drop(giver.wait());
    if !said.contains("Max Early Data: 16384") {
        return Err(trouble(format_args!("no session that allows early data: {said}")));
    }
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    let mut injected = 0;
    for _ in 0..options.scale.pick(2, 20) {
        for (address, identity) in [
            (load.doors().est, &[][..]),
            (load.doors().nmsp, &LOCATION_SERVER[..]),
        ] {
            let offer = ["-tls1_3", "-sess_in", "session", "-early_data", "early"];
            let said = openssl.talk(address, &[&offer, identity].concat(), &[]).await?;
            injected += 1;
            if !said.contains("Early data was rejected") || said.contains("HTTP/1.1 200") {
                load.tally().wrong(format!("{address}: {said}"));
            }
        }
    }
    lab.finish(NAME, injected, load).await
}
