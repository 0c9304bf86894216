//! Commands for a running simulator, one a line: what an administrator would do in the management console.

use std::fmt::Write as _;

use super::disposition::Disposition;
use super::fault::Fault;
use super::{RequestRecord, Simulator};

/// The commands, for the help.
pub const COMMANDS: &str = "\
requests             the requests so far
approve ID           issue the certificate of a pending request
deny ID              deny a pending request
faults               what goes wrong now
faults NAME[=VALUE]… these go wrong from now on, and nothing else
faults none          nothing goes wrong any more
help                 this list";

/// Does what a line says and returns what there is to tell.
///
/// # Errors
/// What is wrong with the line, or why it could not be done.
pub fn execute(simulator: &Simulator, line: &str) -> Result<String, String> {
    let mut words = line.split_whitespace();
    let command = words.next().unwrap_or_default();
    let arguments: Vec<&str> = words.collect();
    match (command, arguments.as_slice()) {
        ("requests", []) => Ok(list(&simulator.requests())),
        ("approve", [id]) => told(simulator.approve(number(id)?)),
        ("deny", [id]) => told(simulator.deny(number(id)?)),
        ("faults", []) => Ok(shown(&simulator.faults())),
        ("faults", names) => set_faults(simulator, names),
        ("help", _) => Ok(COMMANDS.to_owned()),
        _ => Err(format!("{:?} is no command; there are\n{COMMANDS}", line.trim())),
    }
}

fn number(text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no number of a request"))
}

fn told(decided: Result<RequestRecord, super::SimulatorError>) -> Result<String, String> {
    decided
        .map(|record| describe(&record))
        .map_err(|error| error.to_string())
}

fn list(requests: &[RequestRecord]) -> String {
    if requests.is_empty() {
        return "no requests yet".to_owned();
    }
    requests.iter().map(describe).collect::<Vec<_>>().join("\n")
}

fn describe(record: &RequestRecord) -> String {
    let mut text = format!("request {} of {}: ", record.id, record.requester);
    let state = match record.disposition {
        Disposition::Issued => "issued".to_owned(),
        Disposition::UnderSubmission => "pending".to_owned(),
        Disposition::DeniedByPolicy(code) => format!("denied by the policy module, {code}"),
        Disposition::DeniedByAdministrator(code) => format!("denied by an administrator, {code}"),
        Disposition::Failed(code) => format!("failed, {code}"),
    };
    let subject = pki_common::Escaped::new(&record.subject);
    let template = pki_common::Escaped::new(&record.template);
    // Writing to a String cannot fail.
    let _ = write!(text, "{state}; template {template}, subject {subject}");
    text
}

fn shown(faults: &[Fault]) -> String {
    if faults.is_empty() {
        return "no faults".to_owned();
    }
    faults
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

fn set_faults(simulator: &Simulator, names: &[&str]) -> Result<String, String> {
    let names = if names == ["none"] { &[] } else { names };
    let faults: Result<Vec<Fault>, _> = names.iter().map(|name| name.parse::<Fault>()).collect();
    let faults = faults.map_err(|error| error.to_string())?;
    simulator.set_faults(faults).map_err(|error| error.to_string())?;
    Ok(shown(&simulator.faults()))
}
