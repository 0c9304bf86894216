//! Queries.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use rustls_pki_types::CertificateDer;

use super::insert::integer;
use crate::ca::database::{
    CertificateEntry, CertificateFilter, CertificateRecord, PolicyRecord, QueueEntry, QueueState,
    RefusedRequest, RequestOrigin, RevocationRecord,
};
use crate::ca::revocation::RevocationReason;
use crate::ca::serial::{SerialNumber, SerialPrefix};

const COLUMNS: &str = "certificates.serial, not_before, not_after, subject, public_key_sha256, certificate_der, \
                       csr_der, issued_at, label, certificates.requester, certificates.authentication, \
                       certificates.address, operation, channel_binding, policy";

/// How many of them there are; what a query adds comes after.
const COLUMN_COUNT: usize = 15;

pub(super) fn certificate(
    connection: &Connection,
    serial: &SerialNumber,
) -> rusqlite::Result<Option<CertificateRecord>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM certificates WHERE serial = ?1"))?
        .query_row([serial.as_bytes().as_slice()], record)
        .optional()
}

pub(super) fn certificates(
    connection: &Connection,
    skip: u32,
    limit: u32,
) -> rusqlite::Result<Vec<CertificateRecord>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM certificates ORDER BY sequence LIMIT ?1 OFFSET ?2"
        ))?
        .query_map([limit, skip], record)?
        .collect()
}

pub(super) fn search(
    connection: &Connection,
    filter: &CertificateFilter,
    after: i64,
    limit: u32,
) -> rusqlite::Result<Vec<CertificateEntry>> {
    let Some(prefix) = SerialPrefix::parse(&filter.serial_prefix) else {
        return Ok(Vec::new());
    };
    // A LIKE pattern in which the text stands for itself.
    let subject = filter.subject.as_ref().map(|text| {
        let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        format!("%{escaped}%")
    });
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS}, certificates.sequence, revoked_at, reason, invalidity_date, revocations.requester,
                    revocations.authentication, revocations.address
             FROM certificates LEFT JOIN revocations ON revocations.serial = certificates.serial
             WHERE certificates.sequence > ?1 AND certificates.serial BETWEEN ?2 AND ?3
                   AND (?4 IS NULL OR label = ?4) AND (?5 IS NULL OR certificates.requester = ?5)
                   AND (?6 IS NULL OR subject LIKE ?6 ESCAPE '\\')
                   AND (?7 IS NULL OR (revoked_at IS NOT NULL) = ?7)
                   AND (?8 IS NULL OR not_after >= ?8) AND (?9 IS NULL OR not_after < ?9)
                   AND (?10 IS NULL OR issued_at >= ?10)
             ORDER BY certificates.sequence LIMIT ?11"
        ))?
        .query_map(
            params![
                after,
                prefix.lowest().as_slice(),
                prefix.highest().as_slice(),
                filter.label,
                filter.requester,
                subject,
                filter.revoked,
                filter.not_expired_at.map(integer),
                filter.expired_at.map(integer),
                filter.issued_since.map(integer),
                limit,
            ],
            entry,
        )?
        .collect()
}

fn entry(row: &Row<'_>) -> rusqlite::Result<CertificateEntry> {
    let record = record(row)?;
    let first = COLUMN_COUNT + 1;
    let revocation = match optional_seconds(row, first)? {
        None => None,
        Some(revoked_at) => Some(RevocationRecord {
            serial: record.serial,
            revoked_at,
            reason: RevocationReason(row.get(first + 1)?),
            invalidity_date: optional_seconds(row, first + 2)?,
            requester: row.get(first + 3)?,
            authentication: row.get(first + 4)?,
            address: row.get(first + 5)?,
        }),
    };
    Ok(CertificateEntry {
        sequence: row.get(COLUMN_COUNT)?,
        record,
        revocation,
    })
}

pub(super) fn serials(connection: &Connection) -> rusqlite::Result<Vec<SerialNumber>> {
    connection
        .prepare_cached("SELECT serial FROM certificates ORDER BY sequence")?
        .query_map([], |row| serial(row, 0))?
        .collect()
}

pub(super) fn count(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT count(*) FROM certificates")?
        .query_row([], |row| seconds(row, 0))
}

pub(super) fn refused(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<RefusedRequest>> {
    connection
        .prepare_cached(
            "SELECT csr_der, label, requester, authentication, address, operation, channel_binding, policy,
                    refused_at, rule, reason
             FROM refused_requests ORDER BY sequence DESC LIMIT ?1",
        )?
        .query_map([limit], |row| {
            Ok(RefusedRequest {
                csr: row.get(0)?,
                origin: origin(row, 1)?,
                refused_at: seconds(row, 8)?,
                rule: row.get(9)?,
                reason: row.get(10)?,
            })
        })?
        .collect()
}

pub(super) fn queue(
    connection: &Connection,
    state: Option<QueueState>,
    after: i64,
    limit: u32,
) -> rusqlite::Result<Vec<QueueEntry>> {
    connection
        .prepare_cached(
            "SELECT id, state, csr_der, subject, label, requester, authentication, address, operation,
                    channel_binding, policy, submitted_at, expires_at, decided_at, decided_by, reason, serial
             FROM pending_requests WHERE id > ?1 AND (?2 IS NULL OR state = ?2) ORDER BY id LIMIT ?3",
        )?
        .query_map(params![after, state.map(QueueState::name), limit], |row| {
            Ok(QueueEntry {
                id: row.get(0)?,
                state: queue_state(row, 1)?,
                csr: row.get(2)?,
                subject: row.get(3)?,
                origin: origin(row, 4)?,
                submitted_at: seconds(row, 11)?,
                expires_at: seconds(row, 12)?,
                decided_at: optional_seconds(row, 13)?,
                decided_by: row.get(14)?,
                reason: row.get(15)?,
                serial: optional_serial(row, 16)?.map(|serial| serial.to_string()),
            })
        })?
        .collect()
}

pub(super) fn policies(connection: &Connection) -> rusqlite::Result<Vec<PolicyRecord>> {
    connection
        .prepare_cached("SELECT version, description, first_used FROM policies ORDER BY sequence")?
        .query_map([], |row| {
            Ok(PolicyRecord {
                version: row.get(0)?,
                description: row.get(1)?,
                first_used: seconds(row, 2)?,
            })
        })?
        .collect()
}

fn record(row: &Row<'_>) -> rusqlite::Result<CertificateRecord> {
    let certificate: Vec<u8> = row.get(5)?;
    Ok(CertificateRecord {
        serial: serial(row, 0)?,
        not_before: seconds(row, 1)?,
        not_after: seconds(row, 2)?,
        subject: row.get(3)?,
        public_key_sha256: row.get(4)?,
        certificate: CertificateDer::from(certificate),
        csr: row.get(6)?,
        issued_at: seconds(row, 7)?,
        origin: origin(row, 8)?,
    })
}

/// Seven columns from `first` on.
fn origin(row: &Row<'_>, first: usize) -> rusqlite::Result<RequestOrigin> {
    Ok(RequestOrigin {
        label: row.get(first)?,
        requester: row.get(first + 1)?,
        authentication: row.get(first + 2)?,
        address: row.get(first + 3)?,
        operation: row.get(first + 4)?,
        channel_binding: row.get(first + 5)?,
        policy: row.get(first + 6)?,
    })
}

pub(super) fn serial(row: &Row<'_>, column: usize) -> rusqlite::Result<SerialNumber> {
    let octets: Vec<u8> = row.get(column)?;
    SerialNumber::from_bytes(&octets)
        .ok_or_else(|| unexpected(column, Type::Blob, "not a serial number of this authority"))
}

pub(super) fn optional_serial(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<SerialNumber>> {
    match row.get::<_, Option<Vec<u8>>>(column)? {
        None => Ok(None),
        Some(_) => serial(row, column).map(Some),
    }
}

pub(super) fn queue_state(row: &Row<'_>, column: usize) -> rusqlite::Result<QueueState> {
    let name: String = row.get(column)?;
    QueueState::from_name(&name)
        .ok_or_else(|| unexpected(column, Type::Text, "not a state of a pending request"))
}

pub(super) fn seconds(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

pub(super) fn optional_seconds(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    match row.get::<_, Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => seconds(row, column).map(Some),
    }
}

fn unexpected(column: usize, kind: Type, text: &'static str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, text.into())
}
