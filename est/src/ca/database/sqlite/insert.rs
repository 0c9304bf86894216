//! Rows for certificates, refused requests and policies.

use rusqlite::{Connection, params};

use crate::ca::database::{CertificateRecord, PolicyRecord, RefusedRequest};

/// SQLite's integers are signed. No time before the year 292 billion is cut.
pub(super) fn integer(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

pub(super) fn insert_certificate(
    connection: &Connection,
    record: &CertificateRecord,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO certificates (serial, not_before, not_after, subject, public_key_sha256, certificate_der,
                                   csr_der, label, requester, authentication, address, issued_at, operation,
                                   channel_binding, policy)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?;
    statement.execute(params![
        record.serial.as_bytes().as_slice(),
        integer(record.not_before),
        integer(record.not_after),
        record.subject,
        record.public_key_sha256.as_slice(),
        record.certificate.as_ref(),
        record.csr,
        record.origin.label,
        record.origin.requester,
        record.origin.authentication,
        record.origin.address,
        integer(record.issued_at),
        record.origin.operation,
        record.origin.channel_binding,
        record.origin.policy,
    ])?;
    Ok(())
}

pub(super) fn insert_refused(connection: &Connection, record: &RefusedRequest) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO refused_requests (csr_der, label, requester, authentication, address, refused_at, rule, reason,
                                       operation, channel_binding, policy)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    statement.execute(params![
        record.csr,
        record.origin.label,
        record.origin.requester,
        record.origin.authentication,
        record.origin.address,
        integer(record.refused_at),
        record.rule,
        record.reason,
        record.origin.operation,
        record.origin.channel_binding,
        record.origin.policy,
    ])?;
    Ok(())
}

/// Keeps the latest refused requests. Only the oldest are ever deleted, so the numbers have no gaps.
pub(super) fn drop_oldest_refused(connection: &Connection, kept: u32) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM refused_requests WHERE sequence <= (SELECT max(sequence) FROM refused_requests) - ?1",
        )?
        .execute([kept])?;
    Ok(())
}

/// A policy that is on record stays as it is.
pub(super) fn insert_policy(connection: &Connection, policy: &PolicyRecord) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO policies (version, description, first_used) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            policy.version,
            policy.description,
            integer(policy.first_used)
        ])?;
    Ok(())
}
