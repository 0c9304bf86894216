//! The log of a batch: one line for each step of each device, in the manner of the phone service of Cisco document
//! 214396, so that its readers find their way: `14:05:02.123 | debug 2:SEP74A02FC0A675:Calling ...`.
//!
//! The time is UTC. The number is that of the job (`--jobs`), where the phone service has the number of a thread.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pki_common::Escaped;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::super::CliError;
use super::Item;
use crate::operation::EstErrorNumber;

/// `14:05:02.123`
const TIME: &[BorrowedFormatItem<'_>] = format_description!("[hour]:[minute]:[second].[subsecond digits:3]");

/// Where the steps go; nowhere when nobody asked for them.
#[derive(Debug, Default)]
pub(super) struct StepLog {
    file: Option<(PathBuf, Mutex<Written>)>,
}

#[derive(Debug)]
struct Written {
    file: File,
    failed: Option<std::io::Error>,
}

impl StepLog {
    /// Appends to a file, which is made when it does not exist.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|error| {
            CliError::local(
                format!("the log {} cannot be written: {error}", path.display()),
                "Check the folder and its permissions.",
            )
        })?;
        let written = Mutex::new(Written { file, failed: None });
        Ok(Self {
            file: Some((path.to_owned(), written)),
        })
    }

    /// The lines of one device.
    pub(super) const fn of<'a>(&'a self, job: usize, device: &'a str) -> Steps<'a> {
        Steps {
            log: self,
            job,
            device,
        }
    }

    /// Whether all lines are in the file.
    pub(super) fn finish(self) -> Result<(), CliError> {
        let Some((path, written)) = self.file else {
            return Ok(());
        };
        let written = written.into_inner().unwrap_or_else(PoisonError::into_inner);
        written.failed.map_or(Ok(()), |error| {
            Err(CliError::local(
                format!(
                    "the certificates are written, but the log {} is incomplete: {error}",
                    path.display()
                ),
                "Make room on the disk.",
            ))
        })
    }
}

/// The lines of one device.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps<'a> {
    log: &'a StepLog,
    job: usize,
    device: &'a str,
}

impl Steps<'_> {
    /// Writes a line.
    pub(super) fn step(&self, text: &str) {
        let Some((_, written)) = &self.log.file else {
            return;
        };
        let time = OffsetDateTime::now_utc().format(TIME).unwrap_or_default();
        let line = format!(
            "{time} | debug {}:{}:{}\n",
            self.job,
            Escaped::new(self.device),
            Escaped::new(text)
        );
        let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
        // In one piece, so that a reader never sees half a line.
        if let Err(error) = written.file.write_all(line.as_bytes()) {
            written.failed.get_or_insert(error);
        }
    }

    /// What became of an enrolment, in the words of the phone service.
    pub(super) fn returned(&self, number: EstErrorNumber, length: usize) {
        let text = match number.name() {
            Some(name) => format!(
                "Enrollment rv = {} (EST_ERR_{name}) with pkcs7 length = {length}",
                number.0
            ),
            None => format!("Enrollment rv = {} with pkcs7 length = {length}", number.0),
        };
        self.step(&text);
    }

    /// The lines before anything is sent.
    pub(super) fn begin(&self, item: &Item) {
        self.step("Initiating Automatic Certificate Enrollment");
        self.step(&format!("csr_file={}", item.request.display()));
    }

    /// The lines of a failure.
    pub(super) fn failed(&self, error: &CliError) {
        self.returned(error.est_error().unwrap_or(EstErrorNumber::UNKNOWN), 0);
        let failure = error.failure();
        let known = failure
            .known_cause
            .map(|known| format!(" ({known})"))
            .unwrap_or_default();
        self.step(&format!("cause{known}: {}", failure.cause));
        self.step(&format!("remedy: {}", failure.remedy));
        self.step("Could not obtain new certificate. Online Cert Signing Failed");
    }
}
