//! One request in an access log.

use std::collections::VecDeque;

use est::operation::EstErrorNumber;
use pki_common::{Failure, KnownCause, Rung};

use super::{MAX_OPEN, Moment, Outcome, Place, Session, SessionKind, WRITER};
use crate::explain::line::Source;
use crate::explain::line::access::AccessRow;
use crate::explain::number::libest;

/// How long a client may take to send its password after it was asked for, in milliseconds.
const CHALLENGE: i64 = 30_000;
const SERVER: &str = "the EST server";

/// The requests of one log that may not be judged yet: a 401 that no password came with is a question, and no refusal, when the
/// client answers it.
#[derive(Debug, Default)]
pub(super) struct Requests {
    challenged: VecDeque<(Place, AccessRow)>,
}

impl Requests {
    pub(super) fn row(&mut self, place: Place, row: &AccessRow, ended: &mut Vec<Session>) {
        while let Some((old, _)) = self.challenged.front()
            && (old
                .wall
                .zip(place.wall)
                .is_some_and(|(old, now)| now - old > CHALLENGE)
                || self.challenged.len() >= MAX_OPEN)
        {
            ended.extend(
                self.challenged
                    .pop_front()
                    .map(|(place, row)| session(place, &row)),
            );
        }
        let asked = self
            .challenged
            .iter()
            .position(|(_, earlier)| earlier.client == row.client && earlier.request == row.request);
        if let Some(index) = asked
            && let Some((earlier_place, earlier)) = self.challenged.remove(index)
            && row.status == 401
            && row.user.is_none()
        {
            ended.push(session(earlier_place, &earlier));
        }
        if row.status == 401 && row.user.is_none() {
            self.challenged.push_back((place, row.clone()));
        } else {
            ended.push(session(place, row));
        }
    }

    pub(super) fn finish(self, ended: &mut Vec<Session>) {
        ended.extend(
            self.challenged
                .into_iter()
                .map(|(place, row)| session(place, &row)),
        );
    }
}

fn session(place: Place, row: &AccessRow) -> Session {
    let user = row
        .user
        .as_ref()
        .map_or_else(String::new, |user| format!(", user {user}"));
    let mut session = Session::new(
        SessionKind::Request,
        Source::Access,
        format!("client {}{user}", row.client),
    );
    let number = row
        .est_error
        .and_then(|number| u16::try_from(number).ok())
        .map(EstErrorNumber);
    let number_text = number.map_or_else(String::new, |number| format!(", {number}"));
    session.event(
        place,
        format!("{} answered {}{number_text}", row.request, row.status),
    );
    if let Some(wall) = place.wall {
        session.anchor(Moment::Zone(wall - (row.wall - row.zone.millis())), place, "");
    }
    let operation = row.operation().unwrap_or(&row.request).to_owned();
    if row.status < 400 {
        session.outcome = Outcome::Succeeded(match row.status {
            202 => format!("{operation}: told to come back"),
            status => format!("{operation}: answered {status}"),
        });
        return session;
    }
    let reason = row
        .cause
        .as_ref()
        .map_or_else(String::new, |cause| format!(": {cause}"));
    let sentence = format!("The server answered {}{number_text}{reason}.", row.status);
    let named = row.known_cause;
    let by_status = match row.status {
        401 | 403 => Some(KnownCause::CredentialsRefused),
        404 => Some(KnownCause::PageNotFound),
        500 => Some(KnownCause::ServerFailed),
        _ => None,
    };
    let failure = match named.or_else(|| number.and_then(libest::cause)).or(by_status) {
        Some(cause) => cause.failure(sentence),
        None => Failure::new(
            Rung::Status,
            sentence,
            "Look into the log of the server at this time.",
        ),
    };
    if row.status == 401 && row.user.is_none() && named.is_none() {
        session
            .notes
            .push("the client sent no user name, and did not answer the server's challenge".to_owned());
    }
    session.fail(
        format!("{operation}: answered {}", row.status),
        failure.refused_by(WRITER),
        Some(SERVER),
    );
    session
}
