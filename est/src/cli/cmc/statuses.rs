//! What an answer says of each body part, for people and for programs.

use pki_common::Diagnose as _;
use serde_json::{Value, json};

use crate::cli::CliError;
use crate::cli::files::print;
use crate::cli::report::Output;
use crate::request::cmc::{CmcAnswer, CmcAnswerError};
use crate::wire::cmc::{BodyPartReference, CmcStatusInfo};
use crate::wire::hexadecimal;

/// Refusals, with what the server said of each body part where programs look for it.
pub(super) fn granted(answer: &CmcAnswer, output: Output) -> Result<(), CliError> {
    let outcome = if answer.certificates.is_empty() && !answer.statuses.is_empty() {
        // A revocation yields no certificate.
        match answer.granted() {
            Err(CmcAnswerError::NoCertificate) => Ok(()),
            other => other.map(|_| ()),
        }
    } else {
        answer.granted().map(|_| ())
    };
    if let Err(error) = &outcome
        && output.is_json()
    {
        let refused = json!({
            "status": "refused",
            "statuses": answer.statuses.iter().map(object).collect::<Vec<_>>(),
            "cause": error.diagnose().cause,
        });
        print(&refused.to_string())?;
    }
    Ok(outcome?)
}

/// `body part 1: failed (badRequest): text`
pub(super) fn line(status: &CmcStatusInfo) -> String {
    let parts: Vec<_> = status
        .body_list
        .iter()
        .map(BodyPartReference::to_string)
        .collect();
    format!("body part {}: {status}", parts.join(", "))
}

pub(super) fn object(status: &CmcStatusInfo) -> Value {
    let parts: Vec<_> = status
        .body_list
        .iter()
        .map(BodyPartReference::to_string)
        .collect();
    json!({
        "status": status.status.to_string(),
        "body_parts": parts,
        "fail_info": status.fail_info().map(|info| info.to_string()),
        "text": status.text,
        "token": status.pend_info().map(|info| hexadecimal::encode(&info.token)),
    })
}
