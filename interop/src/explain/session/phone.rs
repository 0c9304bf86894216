//! One enrolment of one phone in the log of CAPF.

use std::collections::VecDeque;

use est::operation::EstErrorNumber;
use pki_common::{Failure, KnownCause, Rung};

use super::{MAX_OPEN, Moment, OTHER, Outcome, Place, Session, SessionKind};
use crate::explain::line::Source;
use crate::explain::line::capf::{CapfLine, Step};
use crate::explain::line::registration_authority::Page;
use crate::explain::number::libest;
use crate::explain::time::Seconds;

/// What libest's client waits for an answer, in milliseconds (`EST_SSL_READ_TIMEOUT_DEF`, F002-33), and what its clock may
/// be short of it.
const READ_TIMEOUT: i64 = 10_000;
const TOLERANCE: i64 = 500;

/// The enrolments of one log.
#[derive(Debug, Default)]
pub(super) struct Phones {
    open: VecDeque<Phone>,
}

#[derive(Debug)]
struct Phone {
    session: Session,
    device: Option<String>,
    thread: Option<u32>,
    began: bool,
    asked: Option<Place>,
    answered: Option<Place>,
    number: Option<u32>,
    signed: Option<bool>,
    stored: bool,
}

impl Phones {
    pub(super) fn line(&mut self, place: Place, line: CapfLine, ended: &mut Vec<Session>) {
        if matches!(line.step, Step::StartUp) {
            return;
        }
        let mut index = self.open.iter().rposition(|phone| match &line.device {
            Some(device) => {
                phone.device.as_ref() == Some(device)
                    || (phone.device.is_none() && phone.thread == line.thread)
            }
            None => phone.thread == line.thread,
        });
        let begins = matches!(line.step, Step::EnrolmentBegins);
        if let Some(old) = index
            && begins
            && self.open.get(old).is_some_and(|phone| phone.began)
        {
            ended.extend(self.open.remove(old).map(Phone::end));
            index = None;
        }
        // What stands outside of an enrolment, such as the settings of a phone that connects, begins none.
        if index.is_none() && matches!(line.step, Step::Detail { .. } | Step::SessionEnds) {
            return;
        }
        let index = index.unwrap_or_else(|| {
            if self.open.len() >= MAX_OPEN {
                ended.extend(self.open.pop_front().map(Phone::end));
            }
            self.open.push_back(Phone::new());
            self.open.len() - 1
        });
        let Some(phone) = self.open.get_mut(index) else {
            return;
        };
        phone.device = phone.device.take().or(line.device);
        phone.thread = line.thread.or(phone.thread);
        if phone.step(place, line.step) {
            ended.extend(self.open.remove(index).map(Phone::end));
        }
    }

    pub(super) fn finish(self, ended: &mut Vec<Session>) {
        ended.extend(self.open.into_iter().map(Phone::end));
    }
}

impl Phone {
    fn new() -> Self {
        Self {
            session: Session::new(SessionKind::Phone, Source::Capf, String::new()),
            device: None,
            thread: None,
            began: false,
            asked: None,
            answered: None,
            number: None,
            signed: None,
            stored: false,
        }
    }

    /// Takes a line; says whether it is the last one.
    fn step(&mut self, place: Place, step: Step) -> bool {
        let last = matches!(step, Step::SessionEnds);
        match step {
            Step::EnrolmentBegins => {
                self.began = true;
                self.session.event(place, "enrolment begins");
            }
            Step::Calls { csr } => {
                self.began = true;
                self.asked.get_or_insert(place);
                self.session
                    .anchor(Moment::Page(Page::Login), place, "enrolment begins");
                self.session.event(
                    place,
                    format!("the request {csr} goes to the registration authority"),
                );
            }
            Step::RequestRead => {
                // The time-out runs from here on.
                if self.number.is_none() {
                    self.asked = Some(place);
                }
                self.session.event_once(place, "certificate request read");
            }
            Step::Enrolled { number, length } => self.enrolled(place, number, length),
            Step::ObtainFailed => self.session.event(place, "no new certificate"),
            Step::Returned { number } => {
                self.number = self.number.or(Some(number));
                self.answered = self.answered.or(Some(place));
                self.session.touch(place);
            }
            Step::Signed { successful } => {
                self.signed = Some(successful);
                self.session.event(
                    place,
                    if successful {
                        "certificate signed"
                    } else {
                        "signing failed"
                    },
                );
            }
            Step::Detail { text } => {
                self.stored |= text == "certificate sent to the phone";
                // Several lines of the log tell one step.
                self.session.event_once(place, text);
            }
            Step::OperationStatus { text } => self
                .session
                .event(place, format!("status of the operation: {text}")),
            Step::SessionEnds => self.session.event(place, "the phone's session ends"),
            Step::StartUp => {}
        }
        last
    }

    /// libest has ended.
    fn enrolled(&mut self, place: Place, number: u32, length: u32) {
        self.number = Some(number);
        self.answered = Some(place);
        if number == 0 {
            self.session
                .anchor(Moment::Page(Page::Certificate), place, "certificate received");
        }
        self.session.event(
            place,
            format!("libest ends with {}, {length} bytes of PKCS #7", name(number)),
        );
    }

    fn end(mut self) -> Session {
        self.session.name = self.device.take().unwrap_or_else(|| "a phone".to_owned());
        let took = self
            .asked
            .and_then(|place| place.wall)
            .zip(self.answered.and_then(|place| place.wall))
            .map(|(from, to)| to - from);
        match (self.number, self.signed) {
            (Some(0), _) | (None, Some(true)) => {
                let after = took.map_or_else(String::new, |took| format!(" after {}", Seconds(took)));
                let stored = if self.stored { " and sent to the phone" } else { "" };
                self.session.outcome = Outcome::Succeeded(format!("certificate issued{after}{stored}"));
            }
            (Some(number), _) => self.failed(number, took),
            (None, Some(false)) => {
                let failure = Failure::new(
                    Rung::Upstream,
                    "The certificate was not signed; the line with libest's number is missing.",
                    "Look into NGINX's error.log of the registration authority at this time.",
                );
                self.session.fail("signing failed", failure, None);
            }
            (None, None) => {
                self.session.outcome = Outcome::Unfinished(
                    "the log ends before the answer of the registration authority".to_owned(),
                );
            }
        }
        self.session
    }

    fn failed(&mut self, number: u32, took: Option<i64>) {
        let number_only = u16::try_from(number).ok().map(EstErrorNumber);
        let after = took.map_or_else(String::new, |took| format!(" after {}", Seconds(took)));
        match number_only {
            Some(EstErrorNumber::SSL_READ) => self.read_failed(took),
            Some(EstErrorNumber::AUTH_FAIL) => {
                let mut failure = KnownCause::CredentialsRefused
                    .failure("The registration authority answered 401: the credentials, or the certificate template, are wrong.")
                    .refused_by(OTHER);
                failure.remedy = "Read NGINX's error.log of the registration authority: a login to AD CS that succeeds just before the 401 means that the template is wrong, otherwise it is the password.".to_owned();
                self.session.correct(
                    "EST_ERR_AUTH_FAIL",
                    "the registration authority says this for a wrong template, too",
                );
                self.session.fail(
                    format!("the registration authority refused{after}"),
                    failure,
                    Some("the registration authority"),
                );
            }
            _ => {
                let sentence = format!("libest ended with {}{after}.", name(number));
                let failure = match number_only.and_then(libest::cause) {
                    Some(cause) => cause.failure(sentence),
                    None => Failure::new(
                        Rung::Upstream,
                        sentence,
                        "Look into NGINX's error.log of the registration authority at this time.",
                    ),
                };
                if number_only == Some(EstErrorNumber::HTTP_WRITE) {
                    self.session.notes.push("EST_ERR_HTTP_WRITE during an enrolment is CSCvf83629 in the vendor's list of defects".to_owned());
                }
                self.session
                    .fail(format!("enrolment failed: {}", name(number)), failure, None);
            }
        }
    }

    /// libest's read ended without an answer: at its time-out, or because the connection broke.
    fn read_failed(&mut self, took: Option<i64>) {
        if let Some(took) = took.filter(|took| *took < READ_TIMEOUT - TOLERANCE) {
            let failure = KnownCause::ConnectionLost.failure(format!(
                "The connection to the registration authority broke after {}, before libest's time-out of 10 s.",
                Seconds(took)
            ));
            self.session.correct(
                "EST_ERR_SSL_READ",
                "TLS was fine until then: the registration authority closed the connection without an answer",
            );
            return self.session.fail(
                "the registration authority closed the connection without an answer",
                failure,
                None,
            );
        }
        let waited = took.map_or_else(
            || "libest's time-out of 10 s".to_owned(),
            |took| Seconds(took).to_string(),
        );
        let mut failure = KnownCause::AnswerTimedOut.failure(format!(
            "The phone service waited {waited} for the registration authority, which was itself waiting for AD CS or was not able to answer."
        ));
        failure.remedy = "Look into NGINX's error.log and the IIS log at this time for what was slow; libest's time-out of 10 s (1 to 3600 s) is the one that has run out.".to_owned();
        self.session.correct(
            "EST_ERR_SSL_READ",
            "no fault of TLS: the answer did not come within libest's time-out of 10 s",
        );
        self.session.fail(
            format!("no answer from the registration authority within {waited}"),
            failure,
            None,
        );
    }
}

fn name(number: u32) -> String {
    u16::try_from(number).map_or_else(
        |_| number.to_string(),
        |number| EstErrorNumber(number).to_string(),
    )
}
