//! Revocations and the lists of them.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::insert::integer;
use super::read;
use super::writer::is_constraint;
use crate::ca::database::{
    CrlContents, CrlOrder, LogError, MAX_CRL_ENTRIES, RevocationRecord, RevokedCertificate, SignedCrl,
    StoredCrl,
};
use crate::ca::revocation::RevocationReason;

pub(super) fn revoke(
    connection: &Connection,
    revocation: &RevocationRecord,
) -> rusqlite::Result<Result<(), LogError>> {
    let serial = revocation.serial.as_bytes().as_slice();
    let exists = |query: &str| connection.prepare_cached(query)?.exists([serial]);
    let refused = |error: fn(String) -> LogError| Ok(Err(error(revocation.serial.to_string())));
    if !exists("SELECT 1 FROM certificates WHERE serial = ?1")? {
        return refused(|serial| LogError::NoSuchCertificate { serial });
    }
    let inserted = connection
        .prepare_cached(
            "INSERT INTO revocations (serial, revoked_at, reason, invalidity_date, requester, authentication, address)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            serial,
            integer(revocation.revoked_at),
            revocation.reason.0,
            revocation.invalidity_date.map(integer),
            revocation.requester,
            revocation.authentication,
            revocation.address,
        ]);
    match inserted {
        Ok(_) => Ok(Ok(())),
        Err(error) if is_constraint(&error) => refused(|serial| LogError::AlreadyRevoked { serial }),
        Err(error) => Err(error),
    }
}

/// The sequence number of the last revocation, 0 for none.
pub(super) fn last(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("SELECT coalesce(max(sequence), 0) FROM revocations")?
        .query_row([], |row| row.get(0))
}

/// The list on record, or a new one when it will not do.
pub(super) fn list(
    connection: &Connection,
    order: CrlOrder,
) -> rusqlite::Result<Result<StoredCrl, LogError>> {
    let last_revocation = last(connection)?;
    let stored = latest_of(connection, &order.issuer_key)?;
    if let Some(stored) = &stored
        && !order.always
        && stored.last_revocation == last_revocation
        && (order.not_due_before..=order.not_due_after).contains(&stored.crl.next_update)
        && stored.crl.this_update <= order.now
    {
        return Ok(Ok(stored.clone()));
    }
    let number = last_number(connection)?.saturating_add(1);
    let last_this_update = stored.map_or(0, |stored| stored.crl.this_update);
    // Nobody can have used a list of the future to see a certificate for the last time.
    let revoked = revoked(connection, last_this_update.min(order.now))?;
    if revoked.len() > MAX_CRL_ENTRIES {
        return Ok(Err(failed(format!(
            "more than {MAX_CRL_ENTRIES} certificates that have not expired are revoked"
        ))));
    }
    let crl = match (order.make)(CrlContents { number, revoked }) {
        Ok(crl) => crl,
        Err(reason) => return Ok(Err(failed(reason))),
    };
    connection
        .prepare_cached(
            "INSERT INTO crls (number, issuer_key, this_update, next_update, last_revocation, crl_der)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            integer(number),
            order.issuer_key,
            integer(crl.this_update),
            integer(crl.next_update),
            last_revocation,
            crl.der
        ])?;
    connection
        .prepare_cached("DELETE FROM crls WHERE number < ?1 AND issuer_key = ?2")?
        .execute(params![integer(number), order.issuer_key])?;
    Ok(Ok(StoredCrl {
        number,
        last_revocation,
        crl,
    }))
}

/// The lists of all keys share one row of numbers: whoever has two of them sees which one is later.
fn last_number(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT coalesce(max(number), 0) FROM crls")?
        .query_row([], |row| read::seconds(row, 0))
}

fn latest_of(connection: &Connection, issuer_key: &[u8]) -> rusqlite::Result<Option<StoredCrl>> {
    connection
        .prepare_cached(
            "SELECT number, last_revocation, this_update, next_update, crl_der
             FROM crls WHERE issuer_key = ?1 ORDER BY number DESC LIMIT 1",
        )?
        .query_row([issuer_key], |row| {
            let crl = SignedCrl {
                this_update: read::seconds(row, 2)?,
                next_update: read::seconds(row, 3)?,
                der: row.get(4)?,
            };
            Ok(StoredCrl {
                number: read::seconds(row, 0)?,
                last_revocation: row.get(1)?,
                crl,
            })
        })
        .optional()
}

/// Those to be listed: an expired certificate stays until a list made after its end has shown it (RFC 5280 section
/// 3.3). `last_this_update` is the time of the list before this one. One more than the bound, at most.
fn revoked(connection: &Connection, last_this_update: u64) -> rusqlite::Result<Vec<RevokedCertificate>> {
    let limit = i64::try_from(MAX_CRL_ENTRIES)
        .unwrap_or(i64::MAX)
        .saturating_add(1);
    connection
        .prepare_cached(
            "SELECT revocations.serial, revoked_at, reason, invalidity_date
             FROM revocations JOIN certificates ON certificates.serial = revocations.serial
             WHERE certificates.not_after >= ?1 ORDER BY revocations.sequence LIMIT ?2",
        )?
        .query_map([integer(last_this_update), limit], |row| {
            Ok(RevokedCertificate {
                serial: read::serial(row, 0)?,
                revoked_at: read::seconds(row, 1)?,
                reason: RevocationReason(row.get(2)?),
                invalidity_date: read::optional_seconds(row, 3)?,
            })
        })?
        .collect()
}

fn failed(reason: String) -> LogError {
    LogError::RevocationList { reason }
}
