//! The thread that writes: many entries in one transaction, answered after the commit.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use rustls::crypto::CryptoProvider;

use super::failure::Failures;
use super::insert::{drop_oldest_refused, insert_certificate, insert_policy, insert_refused};
use super::serials::{SerialPool, insert_serials};
use super::settings::SqliteSettings;
use super::{queue, revocation};
use crate::ca::database::reply::{Outcome, Reply, Written};
use crate::ca::database::{
    CertificateRecord, CrlOrder, Decision, LogError, PolicyRecord, RefusedRequest, RevocationRecord,
    Submission,
};

/// Most entries in one transaction, so that the first one does not wait for ever under load.
const MAX_GROUP: usize = 256;

/// A unit of work for the writer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: Option<Reply>,
}

#[derive(Debug)]
pub(super) enum Work {
    Issued(Box<CertificateRecord>),
    IssuedFromQueue(i64, Box<CertificateRecord>),
    Refused(Box<RefusedRequest>),
    Submit(Box<Submission>),
    Decide(Box<Decision>),
    Revoke(Box<RevocationRecord>),
    /// Taken when it is carried out.
    Crl(Option<Box<CrlOrder>>),
    Policy(Box<PolicyRecord>),
    ReserveSerials,
}

pub(super) struct Writer {
    connection: Connection,
    provider: Arc<CryptoProvider>,
    serials: Arc<SerialPool>,
    failures: Failures,
    settings: SqliteSettings,
    /// Policies in force that no committed transaction has put on record yet.
    policies: Vec<PolicyRecord>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        provider: Arc<CryptoProvider>,
        serials: Arc<SerialPool>,
        failures: Failures,
        settings: SqliteSettings,
    ) -> Self {
        Self {
            connection,
            provider,
            serials,
            failures,
            settings,
            policies: Vec::new(),
        }
    }

    /// Fills the reserve.
    pub(super) fn reserve_serials(&mut self) -> Result<(), LogError> {
        self.write_group(&mut []).map(drop)
    }

    /// Works until every sender is gone and the queue is empty.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut group = vec![first];
            group.extend(jobs.try_iter().take(MAX_GROUP - 1));
            let outcome = self.write_group(&mut group);
            self.serials.note_failure(outcome.as_ref().err().cloned());
            match outcome {
                Ok(answers) => {
                    for (job, answer) in group.into_iter().zip(answers) {
                        if let Some(reply) = job.reply {
                            reply.send(answer);
                        }
                    }
                }
                Err(error) => {
                    tracing::error!(%error, entries = group.len(), "the database took none of the waiting entries");
                    for reply in group.into_iter().filter_map(|job| job.reply) {
                        reply.send(Err(error.clone()));
                    }
                }
            }
        }
        self.release_unused_serials();
    }

    /// Writes a group in one transaction and fills the reserve of serial numbers. Yields an answer for each job; one
    /// that was not taken leaves the others whole.
    fn write_group(&mut self, group: &mut [Job]) -> Result<Vec<Outcome>, LogError> {
        let wanted = match self.serials.len() {
            left if left < self.settings.low_water() => self.settings.reserved_serials - left,
            _ => 0,
        };
        for job in &*group {
            if let Work::Policy(policy) = &job.work {
                self.policies.push((**policy).clone());
            }
        }
        let kept = self.settings.refused_requests;
        let (provider, failures, policies) = (&self.provider, &self.failures, &self.policies);
        let mut write = || -> Result<_, WriteError> {
            // Immediate: another process's lock is met, and waited for, here and nowhere later.
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            for policy in policies {
                insert_policy(&transaction, policy)?;
            }
            let mut answers = Vec::with_capacity(group.len());
            for job in group.iter_mut() {
                answers.push(carry_out(&transaction, &mut job.work)?);
            }
            if group.iter().any(|job| matches!(job.work, Work::Refused(_))) {
                drop_oldest_refused(&transaction, kept)?;
            }
            let new = insert_serials(&transaction, wanted, provider)?;
            transaction.commit()?;
            Ok((answers, new))
        };
        let (answers, new) = write().map_err(|error| error.classify(failures))?;
        self.policies.clear();
        self.serials.add(new);
        Ok(answers)
    }

    /// Gives back the numbers nobody took, so that restarts do not fill the table. After a kill they stay.
    fn release_unused_serials(&mut self) {
        let unused = self.serials.drain();
        let mut release = || -> rusqlite::Result<()> {
            let transaction = self
                .connection
                .transaction_with_behavior(TransactionBehavior::Immediate)?;
            for serial in &unused {
                transaction
                    .prepare_cached("DELETE FROM serials WHERE serial = ?1")?
                    .execute([serial.as_bytes().as_slice()])?;
            }
            transaction.commit()
        };
        if let Err(error) = release() {
            tracing::warn!(%error, "unused serial numbers stay on record");
        }
    }
}

/// Does one piece of work. The inner error is about this entry only; the outer one ends the transaction.
fn carry_out(connection: &Connection, work: &mut Work) -> rusqlite::Result<Outcome> {
    Ok(match work {
        Work::Issued(record) => match insert_certificate(connection, record) {
            Err(error) if is_constraint(&error) => Err(LogError::SerialNumber {
                serial: record.serial.to_string(),
            }),
            other => other.map(|()| Ok(Written::Done))?,
        },
        Work::IssuedFromQueue(id, record) => queue::issued(connection, *id, record)?.map(Written::Queue),
        Work::Refused(record) => {
            insert_refused(connection, record)?;
            Ok(Written::Done)
        }
        Work::Submit(submission) => Ok(Written::Queue(queue::submit(connection, submission)?)),
        Work::Decide(decision) => queue::decide(connection, decision)?.map(|()| Written::Done),
        Work::Revoke(revocation) => revocation::revoke(connection, revocation)?.map(|()| Written::Done),
        Work::Crl(order) => match order.take() {
            Some(order) => revocation::list(connection, *order)?.map(|crl| Written::Crl(Box::new(crl))),
            None => Err(LogError::Stopped),
        },
        Work::Policy(_) | Work::ReserveSerials => Ok(Written::Done),
    })
}

pub(super) enum WriteError {
    Sqlite(rusqlite::Error),
    Log(LogError),
}

impl WriteError {
    fn classify(self, failures: &Failures) -> LogError {
        match self {
            Self::Sqlite(error) => failures.classify(&error),
            Self::Log(error) => error,
        }
    }
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<LogError> for WriteError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// A constraint refuses one row and leaves the transaction whole; any other error does not.
pub(super) fn is_constraint(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation)
}
