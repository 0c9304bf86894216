//! Step 4: the failure of the vendor's document. The hash with the three missing digits is refused on import, so the
//! location server is unknown and the tunnel is refused; then a wrong hash, and the tunnel is refused for that.

use std::io::Write;
use std::time::Duration;

use nmsp::client::Client;
use pki_common::authlist::{AuthList, AuthListEntry, AuthListFormat, AuthListRefusal, AuthListType};
use pki_common::{Alert, Diagnose, Failure, HashAlgorithm, KeyHash, MacFormat, Side};
use tokio::time::sleep;

use super::enrolment::location_server_mac;
use super::failure::{diagnosed, unexpected};
use super::tunnel::Lab;
use super::{quote, say};
use crate::trace::TraceCapture;

/// The digits that are missing in the published configuration (Cisco document 200206, F001-07): positions 47 to 49.
const MISSING: std::ops::Range<usize> = 46..49;

/// Runs the step.
///
/// # Errors
/// A refusal does not come, or comes otherwise than it must.
pub async fn run(lab: &Lab, trace: &TraceCapture, out: &mut dyn Write) -> Result<(), Failure> {
    // The connection of the step before says goodbye on its own time; its last line belongs there.
    lines_until_the_end_of_the_connection(trace).await;
    let hash = lab.location_server.certificate().key_hash(HashAlgorithm::Sha256);
    let good = AuthList::clone(&lab.authlist.load());

    say(
        out,
        "a) the hash as the vendor's document prints it: three digits missing, a blank inside",
    );
    import_damaged(hash, &good, out)?;
    say(
        out,
        "\n   without it the controller does not know the location server:",
    );
    lab.authlist.replace(AuthList::new());
    refused(lab, trace, out, |refusal| {
        matches!(refusal, AuthListRefusal::NoEntry { .. })
    })
    .await?;

    say(out, "\nb) a hash of the right length, but of another key:");
    let mut wrong = AuthList::new();
    let entry = AuthListEntry {
        mac: location_server_mac(),
        list_type: AuthListType::Lsc,
        key_hash: Some(KeyHash::of_spki(HashAlgorithm::Sha256, b"another key")),
    };
    wrong
        .insert(entry)
        .map_err(|conflict| unexpected(conflict.to_string()))?;
    lab.authlist.replace(wrong);
    refused(lab, trace, out, |refusal| {
        matches!(refusal, AuthListRefusal::KeyHashMismatch { .. })
    })
    .await?;

    say(out, "\nc) the right hash again, no restart:");
    lab.authlist.replace(good);
    let client = lab.connect().await.map_err(diagnosed)?;
    say(
        out,
        format!(
            "   tunnel up: location server → controller {}",
            client.controller()
        ),
    );
    client.close().await.map_err(diagnosed)
}

/// Pastes the damaged configuration. The import must refuse it and name the hash it is a damaged copy of.
fn import_damaged(hash: KeyHash, known: &AuthList, out: &mut dyn Write) -> Result<(), Failure> {
    let digits = hash.to_string();
    let (before, after) = (digits.get(..MISSING.start), digits.get(MISSING.end..));
    let (Some(before), Some((after, last))) = (before, after.and_then(|rest| rest.split_at_checked(12)))
    else {
        return Err(unexpected("A SHA-256 key hash has not 64 digits."));
    };
    let configuration = format!(
        "username {} aaa attribute list NMSP\naaa attribute list NMSP\n attribute type password {before}{after} {last}\n",
        location_server_mac().to_format(MacFormat::Bare)
    );
    quote(out, &configuration);
    match AuthList::import_with_known(AuthListFormat::IosXe, &configuration, known) {
        Ok(_) => Err(unexpected("The damaged hash was imported.")),
        Err(error) => {
            say(out, "   the import takes nothing of it:");
            quote(out, &error.to_string());
            if error.to_string().contains("looks like a truncated copy of") {
                Ok(())
            } else {
                Err(unexpected(
                    "The message does not say what the damaged hash is a copy of.",
                ))
            }
        }
    }
}

/// Connects; the controller must refuse by alert 46, and for the reason that `expected` knows.
async fn refused(
    lab: &Lab,
    trace: &TraceCapture,
    out: &mut dyn Write,
    expected: impl Fn(&AuthListRefusal) -> bool,
) -> Result<(), Failure> {
    trace.take();
    let failure = match lab.connect().await {
        Err(error) => error.diagnose(),
        Ok(client) => return Err(admitted(client).await),
    };
    say(out, "   the location server sees:");
    quote(out, &failure.to_string());
    if failure.alert != Some(Alert::CERTIFICATE_UNKNOWN) || failure.refused_by != Some(Side::Peer) {
        return Err(failure);
    }
    let certificate = lab.location_server.certificate();
    match lab
        .authlist
        .load()
        .check(certificate, certificate.certificate_type())
    {
        Err(refusal) if expected(&refusal) => {
            say(out, "   the controller says why:");
            quote(out, &refusal.diagnose().to_string());
        }
        verdict => return Err(unexpected(format!("The authlist's verdict is {verdict:?}."))),
    }
    let lines = lines_until_the_end_of_the_connection(trace).await;
    if !lines.is_empty() {
        say(out, "   and writes, in the words of the vendor's trace:");
        quote(out, &lines);
    }
    Ok(())
}

/// What the controller wrote up to the end of the connection, which comes shortly after the alert.
async fn lines_until_the_end_of_the_connection(trace: &TraceCapture) -> String {
    let mut lines = trace.take();
    for _ in 0..100 {
        if lines.contains("Freeing Nmsp conn") {
            break;
        }
        sleep(Duration::from_millis(10)).await;
        lines.push_str(&trace.take());
    }
    lines
}

async fn admitted(client: Client) -> Failure {
    // It must not have come up at all; whether it closes well does not matter any more.
    drop(client.close().await);
    unexpected("The controller admitted a location server that its authlist does not name.")
}
