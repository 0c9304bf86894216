//! The queue of requests that wait for a person.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::insert::{insert_certificate, integer};
use super::read;
use super::writer::is_constraint;
use crate::ca::database::{CertificateRecord, Decision, LogError, QueueAnswer, QueueState, Submission};
use crate::ca::serial::SerialNumber;

/// The latest entry of a request.
struct Found {
    id: i64,
    state: QueueState,
    expires_at: i64,
    decided_at: i64,
    reason: Option<String>,
    serial: Option<SerialNumber>,
    revoked: bool,
}

/// Finds the entry of a request, or makes one.
pub(super) fn submit(connection: &Connection, submission: &Submission) -> rusqlite::Result<QueueAnswer> {
    let key = submission.key;
    let now = integer(submission.now);
    let pick_up = integer(submission.rules.pick_up.as_secs());
    if let Some(found) = latest(connection, &key)? {
        let known_until = found.decided_at.saturating_add(pick_up);
        match found.state {
            QueueState::Waiting if now < found.expires_at => {
                return Ok(QueueAnswer::Waiting { id: found.id });
            }
            QueueState::Waiting => {
                expire(connection, found.id, now, "nobody decided in time")?;
                return Ok(QueueAnswer::Expired);
            }
            QueueState::Approved if now < known_until => return Ok(QueueAnswer::Approved { id: found.id }),
            QueueState::Approved => {
                expire(connection, found.id, now, "approved, but not picked up in time")?;
                return Ok(QueueAnswer::Expired);
            }
            QueueState::Issued if now < known_until && !found.revoked && !submission.leaves_once => {
                // One that is not valid yet was issued by a clock that has been set back since; it is of no use.
                if let Some(record) = issued_record(connection, found.serial)?
                    && (record.not_before..middle(&record)).contains(&submission.now)
                {
                    return Ok(QueueAnswer::Issued(Box::new(record)));
                }
            }
            QueueState::Rejected if now < known_until => {
                return Ok(QueueAnswer::Rejected {
                    reason: found.reason.unwrap_or_default(),
                });
            }
            QueueState::Expired if now < known_until => return Ok(QueueAnswer::Expired),
            // Long over: the same request starts over.
            QueueState::Issued | QueueState::Rejected | QueueState::Expired => {}
        }
    }
    enqueue(connection, submission, &key)
}

/// Half of a certificate's lifetime: who asks later with the same key renews, and did not lose the answer.
fn middle(record: &CertificateRecord) -> u64 {
    let lifetime = record.not_after.saturating_sub(record.not_before);
    record.not_before.saturating_add(lifetime / 2)
}

fn latest(connection: &Connection, key: &[u8; 32]) -> rusqlite::Result<Option<Found>> {
    connection
        .prepare_cached(
            "SELECT id, state, expires_at, coalesce(decided_at, 0), reason, pending_requests.serial,
                    EXISTS (SELECT 1 FROM revocations WHERE revocations.serial = pending_requests.serial)
             FROM pending_requests WHERE request_key = ?1 ORDER BY id DESC LIMIT 1",
        )?
        .query_row([key.as_slice()], |row| {
            Ok(Found {
                id: row.get(0)?,
                state: read::queue_state(row, 1)?,
                expires_at: row.get(2)?,
                decided_at: row.get(3)?,
                reason: row.get(4)?,
                serial: read::optional_serial(row, 5)?,
                revoked: row.get(6)?,
            })
        })
        .optional()
}

fn expire(connection: &Connection, id: i64, now: i64, reason: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE pending_requests SET state = 'expired', decided_at = ?2, reason = ?3 WHERE id = ?1",
        )?
        .execute(params![id, now, reason])?;
    Ok(())
}

fn issued_record(
    connection: &Connection,
    serial: Option<SerialNumber>,
) -> rusqlite::Result<Option<CertificateRecord>> {
    match serial {
        Some(serial) => read::certificate(connection, &serial),
        None => Ok(None),
    }
}

fn enqueue(
    connection: &Connection,
    submission: &Submission,
    key: &[u8; 32],
) -> rusqlite::Result<QueueAnswer> {
    let (now, rules, origin) = (integer(submission.now), submission.rules, &submission.origin);
    // Room that entries hold whose time is over is free.
    connection
        .prepare_cached(
            "UPDATE pending_requests SET state = 'expired', decided_at = ?1, reason = 'nobody decided in time'
             WHERE state = 'waiting' AND expires_at <= ?1",
        )?
        .execute([now])?;
    connection
        .prepare_cached(
            "UPDATE pending_requests SET state = 'expired', decided_at = ?1,
                                         reason = 'approved, but not picked up in time'
             WHERE state = 'approved' AND decided_at <= ?1 - ?2",
        )?
        .execute([now, integer(rules.pick_up.as_secs())])?;
    let (all, own): (u32, u32) = connection
        .prepare_cached(
            "SELECT count(*), count(*) FILTER (WHERE requester = ?1)
             FROM pending_requests WHERE state IN ('waiting', 'approved')",
        )?
        .query_row([&origin.requester], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (count, limit, of_one_requester) in [
        (own, rules.max_per_requester, true),
        (all, rules.max_entries, false),
    ] {
        if count >= limit {
            return Ok(QueueAnswer::Full {
                limit,
                of_one_requester,
            });
        }
    }
    connection
        .prepare_cached(
            "INSERT INTO pending_requests (request_key, state, csr_der, subject, label, requester, authentication,
                                           address, operation, channel_binding, policy, submitted_at, expires_at)
             VALUES (?1, 'waiting', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            key.as_slice(),
            submission.csr,
            submission.subject,
            origin.label,
            origin.requester,
            origin.authentication,
            origin.address,
            origin.operation,
            origin.channel_binding,
            origin.policy,
            now,
            now.saturating_add(integer(rules.waits.as_secs())),
        ])?;
    Ok(QueueAnswer::Waiting {
        id: connection.last_insert_rowid(),
    })
}

/// Records the certificate of an approved entry, unless another one was recorded for it.
pub(super) fn issued(
    connection: &Connection,
    id: i64,
    record: &CertificateRecord,
) -> rusqlite::Result<Result<QueueAnswer, LogError>> {
    let state = connection
        .prepare_cached("SELECT state, serial FROM pending_requests WHERE id = ?1")?
        .query_row([id], |row| {
            Ok((read::queue_state(row, 0)?, read::optional_serial(row, 1)?))
        })
        .optional()?;
    match state {
        Some((QueueState::Approved, _)) => {}
        Some((QueueState::Issued, serial)) => {
            let Some(record) = issued_record(connection, serial)? else {
                return Ok(Err(not_waiting(
                    id,
                    "it was issued, but its certificate is not on record",
                )));
            };
            return Ok(Ok(QueueAnswer::Issued(Box::new(record))));
        }
        Some((other, _)) => {
            let reason = format!("it is {} and cannot be issued", other.name());
            return Ok(Err(not_waiting(id, &reason)));
        }
        None => return Ok(Err(not_waiting(id, "there is no such request"))),
    }
    match insert_certificate(connection, record) {
        Err(error) if is_constraint(&error) => {
            return Ok(Err(LogError::SerialNumber {
                serial: record.serial.to_string(),
            }));
        }
        other => other?,
    }
    // The time of the decision becomes the time of issue: from here on the certificate can be picked up.
    connection
        .prepare_cached(
            "UPDATE pending_requests SET state = 'issued', serial = ?2, decided_at = ?3 WHERE id = ?1",
        )?
        .execute(params![
            id,
            record.serial.as_bytes().as_slice(),
            integer(record.issued_at)
        ])?;
    Ok(Ok(QueueAnswer::Issued(Box::new(record.clone()))))
}

pub(super) fn decide(connection: &Connection, decision: &Decision) -> rusqlite::Result<Result<(), LogError>> {
    let now = integer(decision.now);
    let state = if decision.approved {
        QueueState::Approved
    } else {
        QueueState::Rejected
    };
    let changed = connection
        .prepare_cached(
            "UPDATE pending_requests SET state = ?2, decided_at = ?3, decided_by = ?4, reason = ?5
             WHERE id = ?1 AND state = 'waiting' AND expires_at > ?3",
        )?
        .execute(params![
            decision.id,
            state.name(),
            now,
            decision.by,
            decision.reason
        ])?;
    if changed > 0 {
        return Ok(Ok(()));
    }
    let found = connection
        .prepare_cached("SELECT state FROM pending_requests WHERE id = ?1")?
        .query_row([decision.id], |row| read::queue_state(row, 0))
        .optional()?;
    let reason = match found {
        None => "there is no such request".to_owned(),
        Some(QueueState::Waiting) => "its time is over; the requester has to ask again".to_owned(),
        Some(state) => format!("it is {} already", state.name()),
    };
    Ok(Err(not_waiting(decision.id, &reason)))
}

fn not_waiting(id: i64, reason: &str) -> LogError {
    LogError::NotWaiting {
        id,
        reason: reason.to_owned(),
    }
}
