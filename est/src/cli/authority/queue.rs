//! `est ca pending`, `approve` and `reject`

use serde_json::json;

use super::arguments::{Common, DecideArguments, PendingArguments, RejectArguments};
use super::shown::{queue_json, queue_line};
use super::{each, now, open_log};
use crate::ca::database::{CertificateLog as _, Decision, QueueState};
use crate::cli::CliError;
use crate::cli::files::print;
use crate::cli::report::Output;

pub(super) fn pending(arguments: &PendingArguments, output: Output) -> Result<(), CliError> {
    let log = open_log(&arguments.common.dir)?;
    let now = now()?;
    let state = (!arguments.all).then_some(QueueState::Waiting);
    each(
        &log,
        |log, after, limit| log.queue(state, after, limit),
        |entry| entry.id,
        |mut entry| {
            if entry.state == QueueState::Waiting && entry.expires_at <= now {
                if !arguments.all {
                    return Ok(());
                }
                entry.state = QueueState::Expired;
            }
            if output.is_json() {
                print(&queue_json(&entry).to_string())
            } else {
                print(&queue_line(&entry))
            }
        },
    )
}

pub(super) fn approve(arguments: DecideArguments, output: Output) -> Result<(), CliError> {
    let DecideArguments {
        common,
        ids,
        reason,
        by,
    } = arguments;
    decide(&common, &ids, by, reason.as_deref(), true, output)
}

pub(super) fn reject(arguments: RejectArguments, output: Output) -> Result<(), CliError> {
    let RejectArguments {
        common,
        ids,
        reason,
        by,
    } = arguments;
    decide(&common, &ids, by, Some(&reason), false, output)
}

/// Each on its own: those before one that cannot be decided stay decided, and were printed.
fn decide(
    common: &Common,
    ids: &[i64],
    by: Option<String>,
    reason: Option<&str>,
    approved: bool,
    output: Output,
) -> Result<(), CliError> {
    let log = open_log(&common.dir)?;
    let runtime = crate::cli::runtime()?;
    let by = by.unwrap_or_else(|| {
        ["LOGNAME", "USER"]
            .iter()
            .find_map(|name| std::env::var(name).ok())
            .unwrap_or_else(|| "operator".to_owned())
    });
    for id in ids {
        let decision = Decision {
            id: *id,
            approved,
            by: by.clone(),
            reason: reason.map(str::to_owned),
            now: now()?,
        };
        runtime.block_on(log.decide(decision))?;
        let state = if approved { "approved" } else { "rejected" };
        let text = if approved {
            format!("approved request {id}; its certificate is issued when the client asks again")
        } else {
            format!("rejected request {id}")
        };
        output.print(&text, &json!({ "id": id, "state": state, "by": by }))?;
    }
    Ok(())
}
