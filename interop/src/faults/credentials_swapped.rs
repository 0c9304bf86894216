//! Certificates and keys of both servers, the revocation list and the authlist replaced under load, again and again. No
//! honest client notices; a location server whose entry goes is told so, and is admitted when it is back.

use core::time::Duration;
use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

use nmsp::proto::CloseReason;
use nmsp::wire::numbers::DisconnectReason;
use pki_common::{Certificate, Failure};
use rustix::process::Signal;
use tokio::time::{sleep, timeout};

use super::lab::{Doors, HONEST, Lab, Load, Manners, PATIENCE, Reply, Settings, Size, get};
use super::{Options, Outcome, trouble};

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let lab = Lab::start(options, Settings::default())?;
    lab.new_server_certificate("other")?;
    for name in ["server", "controller"] {
        for end in ["pem", "key.pem"] {
            let kept = lab.folder().join(format!("first-{name}.{end}"));
            fs::copy(lab.folder().join(format!("{name}.{end}")), kept).map_err(trouble)?;
        }
    }
    let load = Load::start(&lab, Manners::Served, Size::MODERATE)?;
    let (mut injected, mut revoked) = (0, HashSet::new());
    for round in 0..options.scale.pick(2, 10) {
        let (server, controller) = if round % 2 == 0 {
            ("other", "other-controller")
        } else {
            ("first-server", "first-controller")
        };
        replace_identity(&lab, server, "server")?;
        lab.est.process().signal(Signal::HUP)?;
        replace_identity(&lab, controller, "controller")?;
        lab.controller.process().signal(Signal::HUP)?;
        replace(&lab, "both.toml", "authlist.toml")?;
        let problem = come_and_go(&lab, load.doors()).await?;
        load.served(2).await;
        let unlisted = revoke(&lab, &load, &mut revoked).await?;
        for problem in [problem, unlisted].into_iter().flatten() {
            load.tally().wrong(problem);
        }
        injected += 5;
    }
    lab.finish("credentials-swapped", injected, load).await
}

/// In one step, as an operator should.
fn replace(lab: &Lab, from: &str, to: &str) -> Result<(), Failure> {
    let beside = lab.folder().join(format!("{to}.new"));
    fs::copy(lab.folder().join(from), &beside).map_err(trouble)?;
    fs::rename(beside, lab.folder().join(to)).map_err(trouble)
}

fn replace_identity(lab: &Lab, from: &str, to: &str) -> Result<(), Failure> {
    ["pem", "key.pem"]
        .iter()
        .try_for_each(|end| replace(lab, &format!("{from}.{end}"), &format!("{to}.{end}")))
}

/// The guest is admitted by the authlist with both, and told to go when its entry is removed; what went wrong.
async fn come_and_go(lab: &Lab, doors: &Doors) -> Result<Option<String>, Failure> {
    let guest = Arc::clone(&doors.guest);
    let begun = Instant::now();
    let mut client = loop {
        match guest.subscribed().await {
            Ok(client) => break client,
            Err(error) if begun.elapsed() > PATIENCE => {
                return Ok(Some(format!(
                    "a location server that is in the authlist again: {error}"
                )));
            }
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    };
    replace(lab, "one.toml", "authlist.toml")?;
    let end = async {
        loop {
            match client.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return "a goodbye without a reason".to_owned(),
                Err(nmsp::Error::Closed(CloseReason::Disconnected { reason, .. }))
                    if reason == DisconnectReason::NOT_AUTHORIZED =>
                {
                    return String::new();
                }
                Err(error) => return error.to_string(),
            }
        }
    };
    let end = timeout(PATIENCE, end).await;
    let end = end.unwrap_or_else(|_| format!("its tunnel was still up after {PATIENCE:?}"));
    Ok((!end.is_empty()).then(|| format!("a location server whose entry was removed: {end}")))
}

/// Revokes a certificate and waits until the list has it; what went wrong.
async fn revoke(lab: &Lab, load: &Load, revoked: &mut HashSet<Vec<u8>>) -> Result<Option<String>, Failure> {
    let Some(der) = load.tally().some_certificate(|der| !revoked.contains(der)) else {
        return Ok(Some("no certificate that could be revoked".to_owned()));
    };
    let serial = Certificate::from_der(&der)
        .map_err(trouble)?
        .serial_number()
        .to_vec();
    let directory = lab.authority().display().to_string();
    lab.run_est(&["ca", "revoke", "--dir", &directory, &hex::encode(&serial)])?;
    revoked.insert(der);
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Reply::Whole(list) = get(HONEST, load.doors().revocation_lists, "/crl/ca.crl").await
            && let Ok((_, list)) = x509_parser::parse_x509_crl(&list)
            && list
                .iter_revoked_certificates()
                .any(|entry| without_sign(entry.raw_serial()) == without_sign(&serial))
        {
            return Ok(None);
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(Some(format!(
        "a revoked certificate is not on the list after {PATIENCE:?}"
    )))
}

/// An integer of DER may begin with a zero.
fn without_sign(serial: &[u8]) -> &[u8] {
    serial.strip_prefix(&[0]).unwrap_or(serial)
}
