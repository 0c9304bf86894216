//! A login to AD CS web enrolment in an IIS log, and the requests after it.

use std::collections::VecDeque;

use pki_common::{Failure, KnownCause, Rung};

use super::{MAX_OPEN, Moment, Outcome, Place, Session, SessionKind, WRITER};
use crate::explain::line::Source;
use crate::explain::line::iis::IisRow;
use crate::explain::line::registration_authority::Page;
use crate::explain::number::windows::WindowsCode;
use crate::explain::time::Seconds;

/// A request after such a silence begins the next visit, in milliseconds.
const SILENCE: i64 = 60_000;
/// The time-out of libest's client and of the vendor's registration authority (F002-33, F002-42), in milliseconds: who asked
/// is gone when an answer takes longer.
const CLIENTS_TIMEOUT: u32 = 10_000;
/// From here on an answer is slow, in milliseconds; those of the source document took up to 220.
const SLOW: u32 = 5_000;
const AD_CS: &str = "AD CS";

/// The visits of one log.
#[derive(Debug, Default)]
pub(super) struct Visits {
    open: VecDeque<Visit>,
}

#[derive(Debug)]
struct Visit {
    session: Session,
    client: String,
    last: Option<i64>,
    user: Option<String>,
    /// A login was accepted: something was answered that is not 401.
    accepted: bool,
    first_leg: bool,
    pages: Vec<Page>,
    refused: Option<IisRow>,
    unanswered: Option<IisRow>,
    failed: Option<IisRow>,
}

impl Visits {
    pub(super) fn row(&mut self, place: Place, row: &IisRow, ended: &mut Vec<Session>) {
        let mut index = self.open.iter().rposition(|visit| visit.client == row.client);
        if let Some(old) = index
            && self.open.get(old).is_some_and(|visit| visit.is_over(place, row))
        {
            ended.extend(self.open.remove(old).map(Visit::end));
            index = None;
        }
        let index = index.unwrap_or_else(|| {
            if self.open.len() >= MAX_OPEN {
                ended.extend(self.open.pop_front().map(Visit::end));
            }
            self.open.push_back(Visit::new(&row.client));
            self.open.len() - 1
        });
        if let Some(visit) = self.open.get_mut(index) {
            visit.row(place, row);
        }
    }

    pub(super) fn finish(self, ended: &mut Vec<Session>) {
        ended.extend(self.open.into_iter().map(Visit::end));
    }
}

impl Visit {
    fn new(client: &str) -> Self {
        Self {
            session: Session::new(SessionKind::Visit, Source::Iis, format!("client {client}")),
            client: client.to_owned(),
            last: None,
            user: None,
            accepted: false,
            first_leg: false,
            pages: Vec::new(),
            refused: None,
            unanswered: None,
            failed: None,
        }
    }

    /// A new login begins a new visit once something has been asked for.
    fn is_over(&self, place: Place, row: &IisRow) -> bool {
        let silent = self
            .last
            .zip(place.wall)
            .is_some_and(|(last, now)| now - last > SILENCE);
        let asked = self.pages.iter().any(|page| *page != Page::Login) || self.refused.is_some();
        let first_leg = row.status == 401 && row.code != WindowsCode::LOGON_DENIED;
        silent || (row.page == Some(Page::Login) && first_leg && asked)
    }

    fn row(&mut self, place: Place, row: &IisRow) {
        self.last = place.wall.or(self.last);
        self.user = self.user.take().or_else(|| row.user.clone());
        self.session.event(place, text(row));
        let slow = row.taken.filter(|taken| *taken >= SLOW);
        if let Some(taken) = slow {
            self.session.anchor(Moment::Slow(taken), place, text(row));
        }
        if row.status == 401 {
            self.first_leg |= row.code == WindowsCode::NO_CREDENTIALS;
            if row.code.cause() == Some(KnownCause::CredentialsRefused) {
                self.refused = Some(row.clone());
            }
            return;
        }
        self.accepted |= row.status < 400;
        if row.status < 400 {
            self.refused = None;
            if let Some(page) = row.page {
                self.session.anchor(Moment::Page(page), place, text(row));
                if self.pages.last() != Some(&page) {
                    self.pages.push(page);
                }
            }
        } else {
            self.failed.get_or_insert_with(|| row.clone());
        }
        let gone = matches!(
            row.code,
            WindowsCode::NETNAME_DELETED | WindowsCode::CONNECTION_ABORTED
        );
        if gone || row.taken.is_some_and(|taken| taken >= CLIENTS_TIMEOUT) {
            self.unanswered.get_or_insert_with(|| row.clone());
        }
    }

    fn end(mut self) -> Session {
        if let Some(user) = &self.user {
            self.session.name = format!("client {}, user {user}", self.client);
        }
        if let Some(row) = self.refused.take() {
            self.credentials_refused(&row);
        } else if let Some(row) = self.unanswered.take() {
            self.timed_out(&row);
        } else if let Some(row) = self.failed.take() {
            self.request_failed(&row);
        } else {
            self.session.outcome = self.ended();
        }
        self.session
    }

    fn ended(&self) -> Outcome {
        let has = |page| self.pages.contains(&page);
        if !self.accepted {
            return Outcome::Unfinished(if self.first_leg {
                "the login stops after the server's challenge".to_owned()
            } else {
                "only a request without a login, which the server answers with 401".to_owned()
            });
        }
        if has(Page::Submit) && !has(Page::Certificate) {
            return Outcome::Unfinished(
                "a request was submitted and no certificate fetched: its status of 200 says nothing, look into the pending and failed requests of the authority".to_owned(),
            );
        }
        let done: Vec<_> = self
            .pages
            .iter()
            .map(|page| match page {
                Page::Login => "logged in",
                Page::RequestForm => "request page read",
                Page::Submit => "request submitted",
                Page::Certificate => "certificate fetched",
                Page::Chain => "certificate chain fetched",
                Page::Renewals => "number of renewals read",
            })
            .collect();
        Outcome::Succeeded(if done.is_empty() {
            "answered".to_owned()
        } else {
            done.join(", ")
        })
    }

    fn credentials_refused(&mut self, row: &IisRow) {
        let meaning = row.code.meaning().unwrap_or("the login was refused");
        let failure = KnownCause::CredentialsRefused
            .failure(format!(
                "AD CS answered 401.{} with {}: {meaning}.",
                row.sub_status, row.code
            ))
            .refused_by(WRITER);
        self.session
            .fail(format!("the login was refused: {meaning}"), failure, Some(AD_CS));
    }

    fn timed_out(&mut self, row: &IisRow) {
        let took = row.taken.map_or_else(String::new, |taken| {
            format!(" after {}", Seconds(i64::from(taken)))
        });
        let failure = KnownCause::AnswerTimedOut.failure(format!(
            "AD CS answered {} {}{took}; the time-out of the client, 10 s unless it was changed, was over or it had closed the connection.",
            row.method, row.path
        ));
        self.session.fail(
            format!("{} {} was answered too late{took}", row.method, row.path),
            failure,
            None,
        );
    }

    fn request_failed(&mut self, row: &IisRow) {
        let sentence = format!(
            "AD CS answered {} {} with {}.{}, {}.",
            row.method, row.path, row.status, row.sub_status, row.code
        );
        let failure = match row.status {
            403 => KnownCause::CredentialsRefused.failure(sentence),
            404 => KnownCause::PageNotFound.failure(sentence),
            500.. => KnownCause::ServerFailed.failure(sentence),
            _ => Failure::new(
                Rung::Status,
                sentence,
                "Look the status and sub-status up in the documentation of IIS.",
            ),
        };
        self.session.fail(
            format!("{} {} was answered {}", row.method, row.path, row.status),
            failure.refused_by(WRITER),
            Some(AD_CS),
        );
    }
}

/// The row for people.
fn text(row: &IisRow) -> String {
    let query = if row.query.is_empty() {
        String::new()
    } else {
        format!("?{}", row.query)
    };
    let mut text = format!("{} {}{query} answered {}", row.method, row.path, row.status);
    if row.status == 401 || row.sub_status != 0 {
        text.push_str(&format!(".{}", row.sub_status));
    }
    if row.status == 301 && row.page == Some(Page::Login) {
        text.push_str(", the redirect for the missing slash: logged in");
    }
    if row.code != WindowsCode::SUCCESS {
        text.push_str(&format!(", {}", row.code));
        if let Some(meaning) = row.code.meaning() {
            text.push_str(&format!(": {meaning}"));
        }
    }
    match row.taken.filter(|taken| *taken >= SLOW) {
        Some(taken) => format!("{text}, after {}", Seconds(i64::from(taken))),
        None => text,
    }
}
