//! The registration authority: its login to AD CS at start-up, and its exchanges with EST clients.

use std::collections::VecDeque;

use est::operation::EstErrorNumber;
use pki_common::{Failure, KnownCause, Rung};

use super::{MAX_OPEN, Moment, Outcome, Place, Session, SessionKind, WRITER, causes};
use crate::explain::line::Source;
use crate::explain::line::access::AccessRow;
use crate::explain::line::registration_authority::{AuthorityLine, Page, Step};
use crate::explain::number::{curl, libest};

/// Longer than the longest wait of the vendor's registration authority within an exchange (10 s), in milliseconds: a line
/// after such a silence belongs to the next one.
const SILENCE: i64 = 30_000;
/// The AUTH type of libest that is Basic.
const BASIC: u32 = 1;
const AUTHORITY: &str = "the registration authority";

/// The sessions of one log.
#[derive(Debug, Default)]
pub(super) struct Authority {
    start: Option<Work>,
    exchanges: VecDeque<Work>,
    /// The place in `exchanges` of the one that the last line was of: libest's own lines name no client.
    current: Option<usize>,
}

/// What is known of one session.
#[derive(Debug)]
struct Work {
    session: Session,
    client: Option<String>,
    last: Option<i64>,
    logged_in: bool,
    form_seen: bool,
    submitted: bool,
    failed: Option<TransferFailed>,
    chain: Option<bool>,
    authentication: Option<u32>,
    number: Option<u32>,
    access: Option<AccessRow>,
    /// The lines after the end of an exchange are still of it, until the next one begins.
    over: bool,
}

#[derive(Debug)]
struct TransferFailed {
    function: String,
    number: u32,
    text: String,
    url: Option<String>,
}

impl Authority {
    pub(super) fn line(&mut self, place: Place, line: AuthorityLine, ended: &mut Vec<Session>) {
        if matches!(line.step, Step::StartUp) {
            return;
        }
        let upstream = matches!(
            line.step,
            Step::PageFetched { .. }
                | Step::TransferFailed { .. }
                | Step::UrlUsed { .. }
                | Step::Received { .. }
                | Step::LoginGivenUp
                | Step::ChainMissing
                | Step::ChainRetrieved
        );
        if upstream && line.client.is_none() {
            self.start_up(place, line.step, ended);
        } else {
            self.exchange(place, line, ended);
        }
    }

    pub(super) fn finish(self, ended: &mut Vec<Session>) {
        ended.extend(self.start.map(Work::end));
        ended.extend(self.exchanges.into_iter().map(Work::end));
    }

    fn start_up(&mut self, place: Place, step: Step, ended: &mut Vec<Session>) {
        // A second login is that of the next start.
        let login = matches!(
            step,
            Step::PageFetched {
                page: Some(Page::Login),
                ..
            }
        );
        let next = self
            .start
            .as_ref()
            .is_some_and(|work| work.is_past(place) || (login && (work.logged_in || work.failed.is_some())));
        if next {
            ended.extend(self.start.take().map(Work::end));
        }
        let work = self.start.get_or_insert_with(|| {
            Work::new(
                SessionKind::AuthorityStart,
                "registration authority logs in to AD CS",
            )
        });
        work.step(place, step);
        if work.chain.is_some() {
            ended.extend(self.start.take().map(Work::end));
        }
    }

    fn exchange(&mut self, place: Place, line: AuthorityLine, ended: &mut Vec<Session>) {
        let client = line.client.or_else(|| match &line.step {
            Step::Access(row) => Some(row.client.clone()),
            _ => None,
        });
        let begins = matches!(
            line.step,
            Step::NoPeerCertificate | Step::PageFetched { .. } | Step::TransferFailed { .. }
        );
        let mut index = match &client {
            Some(client) => self
                .exchanges
                .iter()
                .rposition(|work| work.client.as_ref() == Some(client))
                .or_else(|| self.exchanges.iter().rposition(|work| work.client.is_none())),
            None => self.current,
        };
        if let Some(old) = index
            && self
                .exchanges
                .get(old)
                .is_some_and(|work| work.is_past(place) || (begins && work.over))
        {
            ended.extend(self.exchanges.remove(old).map(Work::end));
            index = None;
        }
        let index = index.unwrap_or_else(|| {
            if self.exchanges.len() >= MAX_OPEN {
                ended.extend(self.exchanges.pop_front().map(Work::end));
            }
            self.exchanges.push_back(Work::new(SessionKind::EstExchange, ""));
            self.exchanges.len() - 1
        });
        self.current = Some(index);
        if let Some(work) = self.exchanges.get_mut(index) {
            work.client = work.client.take().or(client);
            work.step(place, line.step);
        }
    }
}

impl Work {
    fn new(kind: SessionKind, name: &str) -> Self {
        Self {
            session: Session::new(kind, Source::RegistrationAuthority, name.to_owned()),
            client: None,
            last: None,
            logged_in: false,
            form_seen: false,
            submitted: false,
            failed: None,
            chain: None,
            authentication: None,
            number: None,
            access: None,
            over: false,
        }
    }

    fn is_past(&self, place: Place) -> bool {
        self.last
            .zip(place.wall)
            .is_some_and(|(last, now)| now - last > SILENCE)
    }

    fn step(&mut self, place: Place, step: Step) {
        self.last = place.wall.or(self.last);
        match step {
            Step::PageFetched { page, url } => self.fetched(place, page, &url),
            Step::TransferFailed {
                function,
                number,
                text,
            } => {
                let known =
                    curl::cause(number, &text).map_or_else(String::new, |cause| format!(" [{cause}]"));
                self.session
                    .event(place, format!("{function}: libcurl {number}: {text}{known}"));
                self.failed.get_or_insert(TransferFailed {
                    function,
                    number,
                    text,
                    url: None,
                });
            }
            Step::UrlUsed { url } => {
                self.session.event(place, format!("the URL was {url}"));
                if let Some(failed) = &mut self.failed {
                    failed.url.get_or_insert(url);
                }
            }
            Step::Received { length } => {
                self.session
                    .event(place, format!("{length} bytes received from AD CS"));
                self.session.touch(place);
            }
            Step::LoginGivenUp => self.session.event(place, "the login to AD CS is given up"),
            Step::ChainMissing => {
                self.chain = Some(false);
                self.session.event(place, "no certificate chain from AD CS");
            }
            Step::ChainRetrieved => {
                self.chain = Some(true);
                self.session.event(
                    place,
                    "the certificate chain of AD CS goes to the EST server, for cacerts",
                );
            }
            Step::StartUp => self.session.touch(place),
            other => self.answer(place, other),
        }
    }

    /// Lines about the answer to the EST client.
    fn answer(&mut self, place: Place, step: Step) {
        match step {
            Step::NoPeerCertificate => {
                self.session.event(
                    place,
                    "the EST client presents no certificate, which is usual: it logs in by password",
                );
            }
            Step::AuthenticationFailed { kind } => {
                self.authentication = Some(kind);
                let name = libest::authentication_name(kind);
                self.session.event(
                    place,
                    format!("authentication of the EST client failed, by HTTP {name} ({kind})"),
                );
            }
            Step::EnrolmentFailed { number } => {
                self.number.get_or_insert(number);
                self.session
                    .event(place, format!("enrolment failed: {}", number_text(number)));
            }
            Step::HttpError { text } => self
                .session
                .event(place, format!("answer to the EST client: {text}")),
            Step::ErrorNumber { number } => {
                self.number.get_or_insert(number);
                self.over = true;
                self.session.touch(place);
            }
            Step::Access(row) => {
                self.over = true;
                self.session
                    .event(place, format!("{} answered {}", row.request, row.status));
                if let Some(wall) = place.wall {
                    // The access line has a zone, its neighbours in the file are of the same clock.
                    let utc = row.wall - row.zone.millis();
                    self.session.anchor(Moment::Zone(wall - utc), place, "");
                }
                self.access = Some(row);
            }
            Step::Detail { text } => self.session.event_once(place, text),
            _ => {}
        }
    }

    fn fetched(&mut self, place: Place, page: Option<Page>, url: &str) {
        let what = match page {
            Some(Page::Login) => "logged in to AD CS",
            Some(Page::RequestForm) => "request page with the list of templates fetched",
            Some(Page::Submit) => "request submitted",
            Some(Page::Certificate) => "certificate fetched",
            Some(Page::Chain) => "certificate chain fetched",
            Some(Page::Renewals) => "number of renewals fetched",
            None => "page fetched",
        };
        self.logged_in |= page == Some(Page::Login);
        self.form_seen |= page == Some(Page::RequestForm);
        self.submitted |= matches!(page, Some(Page::Submit | Page::Certificate));
        self.session.event(place, format!("{what}: {url}"));
        if let Some(page) = page {
            self.session.anchor(Moment::Page(page), place, what);
        }
        if page == Some(Page::Chain) && url.contains("Renewal=0") {
            self.session.notes.push(
                "Renewal=0 asks for the first certificate of the authority: after a renewal of its certificate this is the old chain".to_owned(),
            );
        }
    }

    fn end(mut self) -> Session {
        if self.session.kind == SessionKind::EstExchange {
            let client = self.client.as_deref().unwrap_or("an unnamed client");
            self.session.name = format!("EST client {client}");
        }
        if let Some(failed) = self.failed.take() {
            self.transfer_failed(&failed);
        } else if self.session.kind == SessionKind::AuthorityStart {
            self.start_ended();
        } else {
            self.exchange_ended();
        }
        self.session
    }

    fn transfer_failed(&mut self, failed: &TransferFailed) {
        let doing = match failed.function.as_str() {
            name if name.starts_with("login") => "the login to AD CS failed",
            name if name.starts_with("retrieve") => "fetching the certificate chain from AD CS failed",
            name if name.starts_with("navigate") => "fetching a page from AD CS failed",
            _ => "a transfer from AD CS failed",
        };
        let url = failed
            .url
            .as_ref()
            .map_or_else(String::new, |url| format!(" ({url})"));
        let Some(cause) = curl::cause(failed.number, &failed.text) else {
            let failure = Failure::new(
                Rung::Upstream,
                format!("{doing}{url}: libcurl {}: {}.", failed.number, failed.text),
                "Try the URL with `curl -v` on the host of the registration authority.",
            );
            return self.session.fail(doing, failure, None);
        };
        let mut failure = causes::failure(cause, &format!("{}{url}: {}.", causes::words(cause), failed.text));
        match cause {
            KnownCause::IssuerNotTrusted => self.session.notes.push(
                "a self-signed certificate on IIS leads to the same line; the vendor's registration authority does not support one, even in its trust store".to_owned(),
            ),
            KnownCause::AnswerTimedOut => {
                failure.remedy = "Look for what AD CS was busy with at that time; the vendor's time-out of 10 s between registration authority and AD CS is fixed (CSCvo58656), the one of `[certsrv]` in `est serve` can be set.".to_owned();
            }
            _ => {}
        }
        if curl::by_number(failed.number).is_some_and(|by_number| by_number != cause) || failed.number == 60 {
            self.session.notes.push(format!(
                "the number {} of libcurl stands for several causes (since 7.62 also for 51); the text decides",
                failed.number
            ));
        }
        if self.number == Some(22) || self.access.as_ref().is_some_and(|row| row.status == 401) {
            self.session.correct(
                "401 Unauthorized, EST_ERR_AUTH_FAIL",
                format!("the password was not checked: {}", causes::words(cause)),
            );
        }
        self.session.fail(
            format!("{doing}: {}", causes::words(cause)),
            failure,
            causes::refused_by(cause),
        );
    }

    fn start_ended(&mut self) {
        self.session.outcome = match self.chain {
            Some(true) => Outcome::Succeeded("logged in to AD CS, certificate chain fetched".to_owned()),
            None if self.logged_in => Outcome::Succeeded("logged in to AD CS".to_owned()),
            None => Outcome::Unfinished("the log does not say how the login to AD CS ended".to_owned()),
            Some(false) => {
                let failure = Failure::new(
                    Rung::Upstream,
                    "The registration authority has no certificate chain of AD CS; the lines that say why are missing.",
                    "Take the log from before this line, with the return code of libcurl.",
                );
                return self
                    .session
                    .fail("no certificate chain from AD CS", failure, None);
            }
        };
    }

    fn exchange_ended(&mut self) {
        let status = self.access.as_ref().map(|row| row.status);
        let refused = self.number == Some(u32::from(EstErrorNumber::AUTH_FAIL.0))
            || status == Some(401)
            || self.authentication.is_some();
        if refused && self.logged_in && self.form_seen && !self.submitted {
            return self.template_not_offered();
        }
        if refused {
            let by = if self.authentication.unwrap_or(BASIC) == BASIC {
                "Basic"
            } else {
                "HTTP"
            };
            let failure = KnownCause::CredentialsRefused.failure(format!(
                "The {by} credentials of the EST client were not accepted, and the log shows no login to AD CS with them that succeeded."
            ));
            return self.session.fail(
                "authentication of the EST client failed",
                failure.refused_by(WRITER),
                Some(AUTHORITY),
            );
        }
        if let Some(number) = self.number.filter(|number| *number != 0) {
            return self.numbered(number);
        }
        self.session.outcome = match status {
            Some(status @ (200..=201 | 203..=299)) => {
                Outcome::Succeeded(format!("the EST client was answered {status}"))
            }
            Some(202) => {
                Outcome::Succeeded("the EST client was told to come back: the request is pending".to_owned())
            }
            Some(status) => {
                let cause = if status >= 500 {
                    KnownCause::ServerFailed
                } else {
                    KnownCause::AnswerNotUnderstood
                };
                let failure = cause
                    .failure(format!("The registration authority answered {status}."))
                    .refused_by(WRITER);
                return self.session.fail(
                    format!("the EST client was answered {status}"),
                    failure,
                    Some(AUTHORITY),
                );
            }
            None if self.submitted => Outcome::Succeeded("request submitted to AD CS".to_owned()),
            None => Outcome::Unfinished("the log does not say what the EST client was answered".to_owned()),
        };
    }

    fn template_not_offered(&mut self) {
        let mut failure = KnownCause::TemplateNotOffered
            .failure("The login to AD CS succeeded and the page with the templates was fetched, but nothing was submitted: the configured template is not in its list.")
            .refused_by(WRITER);
        failure.remedy = "Correct the name of the template in the service parameter (CAPF: Online CA Template), letter by letter, or publish the template on the authority and let the account enrol by it.".to_owned();
        self.session.correct(
            "401 Unauthorized, EST_ERR_AUTH_FAIL",
            "the credentials are right: AD CS accepted them just before; the template is wrong",
        );
        self.session.fail(
            "the certificate template is not offered by AD CS; the EST client was answered 401 for it",
            failure,
            Some(AUTHORITY),
        );
    }

    fn numbered(&mut self, number: u32) {
        let sentence = format!(
            "The registration authority ended the exchange with libest's error {}.",
            number_text(number)
        );
        let headline = format!("the exchange failed: {}", number_text(number));
        let failure = match u16::try_from(number)
            .ok()
            .map(EstErrorNumber)
            .and_then(libest::cause)
        {
            Some(cause) => cause.failure(sentence),
            None => Failure::new(
                Rung::Upstream,
                sentence,
                "Look at the lines before this one in NGINX's error.log.",
            ),
        };
        self.session.fail(headline, failure, None);
    }
}

fn number_text(number: u32) -> String {
    u16::try_from(number).map_or_else(
        |_| number.to_string(),
        |number| EstErrorNumber(number).to_string(),
    )
}
