//! TLS 1.2 renegotiation, asked for by OpenSSL in the midst of a connection. Both servers refuse it.

use pki_common::Failure;

use super::lab::{Lab, Load, Manners, Settings, Size};
use super::openssl::{LOCATION_SERVER, OpenSsl};
use super::{Options, Outcome};

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    const NAME: &str = "renegotiation";
    let lab = Lab::start(options, Settings::default())?;
    let Some(openssl) = OpenSsl::find(lab.folder()) else {
        return Ok(Outcome::skipped(NAME, "not installed: openssl"));
    };
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    let mut injected = 0;
    for _ in 0..options.scale.pick(1, 10) {
        for (address, identity) in [
            (load.doors().est, &[][..]),
            (load.doors().nmsp, &LOCATION_SERVER[..]),
        ] {
            // R at the beginning of a line is the command of s_client to renegotiate. Not at once: the controller says what it
            // can do first, and OpenSSL bears no data of the application in the midst of a handshake.
            let said = openssl
                .talk(
                    address,
                    &[&["-tls1_2"], identity].concat(),
                    &["", "", "", "", "R\n", ""],
                )
                .await?;
            injected += u64::from(said.contains("RENEGOTIATING"));
            if !refused(&said) {
                load.tally().wrong(format!("{address}: {said}"));
            }
        }
    }
    lab.finish(NAME, injected, load).await
}

/// That it came to the question and to no second handshake. OpenSSL gives up by the alert, or, with the controller, because
/// data of the application comes while it waits: the controller speaks without being asked.
fn refused(said: &str) -> bool {
    said.contains("RENEGOTIATING")
        && said.matches("New, TLSv1.2").count() == 1
        && (said.contains("no renegotiation") || said.contains("unexpected record"))
}
