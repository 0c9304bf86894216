//! Queries.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row};
use rustls_pki_types::CertificateDer;

use crate::ca::database::{CertificateRecord, RefusedRequest, RequestOrigin};
use crate::ca::serial::SerialNumber;

const COLUMNS: &str = "serial, not_before, not_after, subject, public_key_sha256, certificate_der, csr_der, label, \
                       requester, authentication, address, issued_at";

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
            "SELECT csr_der, label, requester, authentication, address, refused_at, rule, reason
             FROM refused_requests ORDER BY sequence DESC LIMIT ?1",
        )?
        .query_map([limit], |row| {
            Ok(RefusedRequest {
                csr: row.get(0)?,
                origin: origin(row, 1)?,
                refused_at: seconds(row, 5)?,
                rule: row.get(6)?,
                reason: row.get(7)?,
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
        origin: origin(row, 7)?,
        issued_at: seconds(row, 11)?,
    })
}

/// Four columns from `first` on.
fn origin(row: &Row<'_>, first: usize) -> rusqlite::Result<RequestOrigin> {
    Ok(RequestOrigin {
        label: row.get(first)?,
        requester: row.get(first + 1)?,
        authentication: row.get(first + 2)?,
        address: row.get(first + 3)?,
    })
}

fn serial(row: &Row<'_>, column: usize) -> rusqlite::Result<SerialNumber> {
    let octets: Vec<u8> = row.get(column)?;
    SerialNumber::from_bytes(&octets).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            Type::Blob,
            "not a serial number of this authority".into(),
        )
    })
}

fn seconds(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}
