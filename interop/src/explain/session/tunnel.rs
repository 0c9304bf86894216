//! One NMSP connection in the trace of a controller.

use std::collections::VecDeque;

use pki_common::{Alert, Failure, KnownCause, Rung, TlsFault};

use super::{MAX_OPEN, OTHER, Outcome, Place, Session, SessionKind, WRITER};
use crate::explain::line::Source;
use crate::explain::line::nmsp::{NmspLine, Step};
use crate::explain::number::openssl::{CallbackPlace, ErrorCode, HandshakeState, alert_of};
use crate::explain::time::Seconds;

/// The digits of a pointer that are enough to know it by when a line was cut.
const ENOUGH_DIGITS: usize = 4;
const CONTROLLER: &str = "the controller";
const LOCATION_SERVER: &str = "the location server";

/// The connections of one trace.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    open: VecDeque<Tunnel>,
    /// The place in `open` of the one that the last line named: lines of OpenSSL's callback name none.
    current: Option<usize>,
}

/// What is known of one connection.
#[derive(Debug)]
struct Tunnel {
    session: Session,
    process: Option<u32>,
    connection: Option<u32>,
    ssl: Option<String>,
    allocated: Option<i64>,
    asked: Option<i64>,
    certificate_valid: bool,
    authlist: Option<bool>,
    verdict: Option<(bool, Option<i64>)>,
    certificate_refused: Option<String>,
    alert: Option<SeenAlert>,
    error: Option<String>,
    up: Option<Option<i64>>,
    waits: bool,
    last_step: &'static str,
}

#[derive(Debug, Clone, Copy)]
struct SeenAlert {
    sent: bool,
    alert: Alert,
    state: Option<HandshakeState>,
}

impl Tunnels {
    pub(super) fn line(&mut self, place: Place, line: NmspLine, ended: &mut Vec<Session>) {
        let index = self.owner(&line, ended);
        self.current = Some(index);
        let Some(tunnel) = self.open.get_mut(index) else {
            return;
        };
        tunnel.process = tunnel.process.or(line.process);
        if tunnel.step(place, line.step) {
            self.close(index, ended);
        }
    }

    pub(super) fn finish(mut self, ended: &mut Vec<Session>) {
        while !self.open.is_empty() {
            self.close(0, ended);
        }
    }

    fn close(&mut self, index: usize, ended: &mut Vec<Session>) {
        ended.extend(self.open.remove(index).map(Tunnel::end));
        self.current = self.current.and_then(|current| match current.cmp(&index) {
            std::cmp::Ordering::Less => Some(current),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(current - 1),
        });
    }

    /// The connection that a line belongs to; a new one when there is none.
    fn owner(&mut self, line: &NmspLine, ended: &mut Vec<Session>) -> usize {
        let found = match &line.step {
            Step::Allocated { connection } => {
                // The number is free again, so the end of the one that had it is missing.
                while let Some(old) = self.by_connection(*connection, line.process) {
                    self.close(old, ended);
                }
                None
            }
            Step::SslNew { ssl } => self
                .by_ssl(ssl, line.process)
                .or_else(|| self.last(line.process, |tunnel| tunnel.ssl.is_none())),
            Step::Handshake { ssl }
            | Step::WantRead { ssl }
            | Step::CertificateValid { ssl, .. }
            | Step::CertificateRefused { ssl, .. }
            | Step::Authlist { ssl, .. }
            | Step::HandshakeDone { ssl }
            | Step::HandshakeFailed { ssl, .. }
            | Step::Meaning { ssl, .. }
            | Step::Freed { ssl, .. } => self
                .by_ssl(ssl, line.process)
                .or_else(|| self.last(line.process, |tunnel| tunnel.ssl.is_none())),
            Step::NotCompleted { connection } | Step::Up { connection } | Step::Closed { connection, .. } => {
                self.by_connection(*connection, line.process)
            }
            Step::Sends { server, .. } => self.by_connection(*server, line.process),
            // The line names nobody: it is the verdict on the one that has been waiting for it the longest.
            Step::Verdict { admitted } => self
                .open
                .iter()
                .position(|tunnel| tunnel.verdict.is_none() && tunnel.authlist == Some(*admitted))
                .or(self.current),
            Step::Info { .. }
            | Step::ReturnType
            | Step::ReturnDescription { .. }
            | Step::StateString
            | Step::Initialised => self.current,
        };
        found.unwrap_or_else(|| {
            if self.open.len() >= MAX_OPEN {
                self.close(0, ended);
            }
            self.open.push_back(Tunnel::new());
            self.open.len() - 1
        })
    }

    fn last(&self, process: Option<u32>, is: impl Fn(&Tunnel) -> bool) -> Option<usize> {
        self.open
            .iter()
            .rposition(|tunnel| tunnel.is_of(process) && is(tunnel))
    }

    fn by_connection(&self, connection: u32, process: Option<u32>) -> Option<usize> {
        self.last(process, |tunnel| tunnel.connection == Some(connection))
            .or_else(|| self.last(process, |tunnel| tunnel.connection.is_none()))
    }

    fn by_ssl(&self, ssl: &str, process: Option<u32>) -> Option<usize> {
        let exact = self.last(process, |tunnel| tunnel.ssl.as_deref() == Some(ssl));
        exact.or_else(|| {
            let cut = |known: &str| {
                known.len().min(ssl.len()) >= ENOUGH_DIGITS
                    && (known.starts_with(ssl) || ssl.starts_with(known))
            };
            self.last(process, |tunnel| tunnel.ssl.as_deref().is_some_and(cut))
        })
    }
}

impl Tunnel {
    fn new() -> Self {
        Self {
            session: Session::new(SessionKind::Tunnel, Source::NmspTrace, String::new()),
            process: None,
            connection: None,
            ssl: None,
            allocated: None,
            asked: None,
            certificate_valid: false,
            authlist: None,
            verdict: None,
            certificate_refused: None,
            alert: None,
            error: None,
            up: None,
            waits: false,
            last_step: "nothing",
        }
    }

    fn is_of(&self, process: Option<u32>) -> bool {
        self.process.is_none() || process.is_none() || self.process == process
    }

    /// Takes a line; says whether it is the last one.
    fn step(&mut self, place: Place, step: Step) -> bool {
        let freed = matches!(step, Step::Freed { .. });
        self.waits &= matches!(
            step,
            Step::ReturnType | Step::ReturnDescription { .. } | Step::StateString | Step::Initialised
        );
        match step {
            Step::Allocated { connection } => {
                self.connection = Some(connection);
                self.allocated = place.wall;
                self.tell(place, "connection accepted", "connection accepted");
            }
            Step::SslNew { ssl } => self.named(place, ssl),
            Step::Handshake { ssl } => {
                self.named(place, ssl);
                self.last_step = "handshake begun";
            }
            Step::WantRead { ssl } => {
                self.named(place, ssl);
                self.waits = true;
                self.tell(
                    place,
                    "waits for the location server",
                    "waiting for the location server",
                );
            }
            Step::NotCompleted { connection } => {
                self.connection = Some(connection);
                self.tell(
                    place,
                    "bytes have arrived, the handshake goes on",
                    "handshake going on",
                );
            }
            Step::Info {
                state,
                place: from,
                ret,
            } => self.info(place, state, from, ret),
            Step::ReturnType | Step::ReturnDescription { .. } | Step::StateString | Step::Initialised => {
                self.session.touch(place);
            }
            other => self.judge(place, other),
        }
        freed
    }

    /// Lines about the certificate, the authlist and the end of the handshake.
    fn judge(&mut self, place: Place, step: Step) {
        match step {
            Step::CertificateValid { ssl, asks_authlist } => {
                self.named(place, ssl);
                self.certificate_valid = true;
                if asks_authlist {
                    self.asked = place.wall;
                    self.tell(
                        place,
                        "the peer's certificate is valid, the authlist is asked",
                        "waiting for the authlist",
                    );
                } else {
                    self.tell(
                        place,
                        "the peer's certificate is valid, there is no authlist",
                        "certificate accepted",
                    );
                }
            }
            Step::CertificateRefused { ssl, reason } => {
                self.named(place, ssl);
                self.tell(
                    place,
                    format!("the peer's certificate is refused: {reason}"),
                    "certificate refused",
                );
                self.certificate_refused = Some(reason);
            }
            Step::Authlist { ssl, admitted } => {
                self.named(place, ssl);
                self.authlist = Some(admitted);
                let verdict = if admitted {
                    "the authlist admits the peer"
                } else {
                    "the authlist refuses the peer"
                };
                self.tell(place, verdict, "waiting for the authlist's verdict to be taken");
            }
            Step::Verdict { admitted } => {
                self.verdict = Some((admitted, place.wall));
                let waited = self
                    .asked
                    .zip(place.wall)
                    .map(|(asked, now)| format!(" after {}", Seconds(now - asked)));
                let verdict = if admitted { "admitted" } else { "refused" };
                self.tell(
                    place,
                    format!("verdict taken{}: {verdict}", waited.unwrap_or_default()),
                    "verdict taken",
                );
            }
            other => self.handshake_end(place, other),
        }
    }

    /// Lines about how the handshake ended.
    fn handshake_end(&mut self, place: Place, step: Step) {
        match step {
            Step::HandshakeDone { ssl } => {
                self.named(place, ssl);
                self.tell(place, "handshake done", "handshake done");
            }
            Step::HandshakeFailed { ssl, error } => {
                self.named(place, ssl);
                let decoded = ErrorCode::find(&error).map(|code| format!(" [{code}]"));
                self.tell(
                    place,
                    format!("handshake failed: {error}{}", decoded.unwrap_or_default()),
                    "handshake failed",
                );
                self.error = Some(error);
            }
            Step::Meaning { ssl, text } => {
                self.named(place, ssl);
                self.session.touch(place);
                self.session
                    .notes
                    .push(format!("the controller's own explanation: {text}"));
            }
            other => self.life(place, other),
        }
    }

    /// Lines about a connection that is up, and about its end.
    fn life(&mut self, place: Place, step: Step) {
        match step {
            Step::Up { connection } => {
                self.connection = Some(connection);
                self.up = Some(place.wall);
                self.tell(place, "tunnel up", "tunnel up");
            }
            Step::Closed { connection, reason } => {
                self.connection = Some(connection);
                self.tell(place, format!("connection closed: {reason}"), "connection closed");
            }
            Step::Freed { ssl, connection } => {
                self.named(place, ssl);
                self.connection = Some(connection);
                self.tell(place, "connection freed", "connection freed");
            }
            Step::Sends { message, server } => {
                self.connection = Some(server);
                self.tell(
                    place,
                    format!("NMSP_{message} sent to location server {server}"),
                    "messages sent",
                );
                // It is sent on a connection that is up, whatever of it the log still has.
                self.up = self.up.or(Some(None));
            }
            _ => {}
        }
    }

    fn named(&mut self, place: Place, ssl: String) {
        self.session.touch(place);
        // A line that was cut has only a part of it.
        if self.ssl.as_ref().is_none_or(|known| known.len() < ssl.len()) {
            self.ssl = Some(ssl);
        }
    }

    fn tell(&mut self, place: Place, text: impl core::fmt::Display, last_step: &'static str) {
        self.last_step = last_step;
        self.session.event(place, text);
    }

    /// A line of OpenSSL's callback.
    fn info(&mut self, place: Place, state: Option<u32>, from: u32, ret: u32) {
        let state = state.map(HandshakeState);
        let from = CallbackPlace(from);
        if matches!(from, CallbackPlace::READ_ALERT | CallbackPlace::WRITE_ALERT)
            && let Some((level, alert)) = alert_of(ret)
        {
            let sent = from == CallbackPlace::WRITE_ALERT;
            let level = if level == 2 { "fatal" } else { "warning" };
            let direction = if sent { "sent to" } else { "received from" };
            self.tell(
                place,
                format!("{level} {alert} {direction} the location server"),
                "alert",
            );
            if level == "fatal" {
                self.alert = Some(SeenAlert { sent, alert, state });
            }
            return;
        }
        let Some(state) = state else {
            self.session.touch(place);
            return;
        };
        match (from, from.name()) {
            // It returns after every wait and at the end; what it waits for has a line of its own.
            (CallbackPlace::ACCEPT_EXIT, _) | (CallbackPlace::HANDSHAKE_DONE, _) => self.session.touch(place),
            (CallbackPlace::HANDSHAKE_START, _) => self.tell(
                place,
                "TLS handshake begins, the controller is the server",
                "handshake begun",
            ),
            (CallbackPlace::ACCEPT_LOOP, _) => {
                self.tell(place, format!("TLS: {state}"), "handshake going on");
            }
            (_, Some(name)) => self.tell(
                place,
                format!("TLS: {state}: {name}, ret {ret:#x}"),
                "handshake going on",
            ),
            (_, None) => self.tell(
                place,
                format!("TLS: {state}: where {:#x}, ret {ret:#x}", from.0),
                "handshake going on",
            ),
        }
    }

    fn end(mut self) -> Session {
        let id = self
            .connection
            .map_or_else(String::new, |connection| format!(" {connection}"));
        let ssl = self
            .ssl
            .as_ref()
            .map_or_else(String::new, |ssl| format!(" (ssl {ssl})"));
        self.session.name = format!("NMSP connection{id}{ssl}");
        if self.is_authlist_refusal() {
            self.authlist_refusal();
        } else if let Some(up) = self.up {
            self.session.outcome = Outcome::Succeeded(self.success(up));
        } else if let Some(seen) = self.alert {
            self.alert_refusal(seen);
        } else if let Some(reason) = self.certificate_refused.take() {
            self.certificate_refusal(&reason);
        } else if let Some(error) = self.error.take() {
            self.handshake_failure(&error);
        } else {
            let waiting = if self.waits {
                "; the location server has sent nothing more"
            } else {
                ""
            };
            self.session.outcome = Outcome::Unfinished(format!(
                "the log ends before the tunnel is up; the last step is: {}{waiting}",
                self.last_step
            ));
        }
        self.session
    }

    fn is_authlist_refusal(&self) -> bool {
        let in_verdict = |seen: SeenAlert| {
            seen.sent
                && seen.alert == Alert::CERTIFICATE_UNKNOWN
                && seen.state == Some(HandshakeState::CERTIFICATE_VERDICT)
        };
        self.up.is_none()
            && (self.authlist == Some(false)
                || self.verdict.is_some_and(|(admitted, _)| !admitted)
                || self.alert.is_some_and(in_verdict))
    }

    fn authlist_refusal(&mut self) {
        let sent = self.alert.filter(|seen| seen.sent);
        let alert = sent.map_or_else(String::new, |seen| {
            format!(", alert {} sent by the controller", seen.alert.0)
        });
        let mut failure = KnownCause::AuthlistRefused
            .failure("The certificate of the location server is valid, but the authlist entry for its MAC address is missing or has another key hash.")
            .refused_by(WRITER);
        failure.remedy = "Compare the MAC address and the key hash of `show server-auth-info` on the location server with the authlist of the controller, digit by digit; IOS-XE wants the SHA2 hash, AireOS the SHA1 hash.".to_owned();
        if let Some(seen) = sent {
            failure = failure.with_alert(seen.alert);
        }
        if self
            .error
            .as_deref()
            .and_then(ErrorCode::find)
            .map(|code| code.reason)
            == Some(ErrorCode::NO_CERTIFICATE_RETURNED)
        {
            self.session.correct(
                "no certificate returned",
                "a certificate was returned and is valid; the authlist refused it",
            );
        }
        let headline = format!("authlist refused the peer (key hash or MAC){alert}");
        self.session.fail(headline, failure, Some(CONTROLLER));
    }

    fn success(&mut self, up: Option<i64>) -> String {
        let waited = self
            .asked
            .zip(self.verdict.and_then(|(_, at)| at))
            .map(|(asked, at)| at - asked);
        match (self.allocated.zip(up), waited) {
            (Some((from, to)), Some(waited)) => {
                format!(
                    "tunnel up after {}, of which {} waiting for the authlist verdict",
                    Seconds(to - from),
                    Seconds(waited)
                )
            }
            (Some((from, to)), None) => format!("tunnel up after {}", Seconds(to - from)),
            (None, Some(waited)) => {
                format!(
                    "tunnel up; the log lacks its beginning, {} went on waiting for the authlist verdict",
                    Seconds(waited)
                )
            }
            (None, None) => "tunnel up; the log lacks its beginning".to_owned(),
        }
    }

    fn alert_refusal(&mut self, seen: SeenAlert) {
        let (by, of, side) = if seen.sent {
            (CONTROLLER, LOCATION_SERVER, WRITER)
        } else {
            (LOCATION_SERVER, CONTROLLER, OTHER)
        };
        let known = match seen.alert {
            Alert::UNKNOWN_CA => Some(KnownCause::IssuerNotTrusted),
            Alert::CERTIFICATE_EXPIRED => Some(KnownCause::Expired),
            Alert::CERTIFICATE_REVOKED => Some(KnownCause::CertificateRevoked),
            Alert::NO_CERTIFICATE | Alert::CERTIFICATE_REQUIRED => Some(KnownCause::CertificateRequired),
            Alert::HANDSHAKE_FAILURE | Alert::PROTOCOL_VERSION | Alert::INSUFFICIENT_SECURITY => {
                Some(KnownCause::TlsNotCommon)
            }
            _ => None,
        };
        let reason = self.certificate_refused.take().or_else(|| self.error.take());
        let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
        let failure = match known {
            Some(known) => known.failure(match known {
                KnownCause::IssuerNotTrusted => {
                    format!("{by} does not trust the issuer of the certificate of {of}{reason}.")
                }
                KnownCause::Expired => format!(
                    "The certificate of {of} has expired or is not valid yet, by the clock of {by}{reason}."
                ),
                KnownCause::CertificateRequired => {
                    format!("{of} sent no certificate, and {by} wants one{reason}.")
                }
                KnownCause::TlsNotCommon => {
                    format!("{by} and {of} have no TLS version or cipher suite in common{reason}.")
                }
                _ => format!("{by} refused the certificate of {of}{reason}."),
            }),
            None => Failure::new(
                Rung::Tls(TlsFault::Alert),
                format!("{by} ended the handshake with {}{reason}.", seen.alert),
                format!(
                    "Look into the log of {by}; check the clocks of both sides (NTP), a certificate that is not valid yet leads to this, too."
                ),
            ),
        };
        let headline = format!("{by} ended the handshake, alert {} sent by {by}", seen.alert.0);
        self.session.fail(
            headline,
            failure.refused_by(side).with_alert(seen.alert),
            Some(by),
        );
    }

    fn certificate_refusal(&mut self, reason: &str) {
        let failure = Failure::new(
            Rung::Tls(TlsFault::Chain),
            format!("The controller refused the certificate of the location server: {reason}."),
            "Compare the certificate with the trust store and the clock of the controller.",
        );
        self.session.fail(
            "the controller refused the certificate of the location server",
            failure.refused_by(WRITER),
            Some(CONTROLLER),
        );
    }

    /// The line of the failure is all that is left.
    fn handshake_failure(&mut self, error: &str) {
        let code = ErrorCode::find(error);
        let no_certificate = code.is_some_and(|code| code.reason == ErrorCode::NO_CERTIFICATE_RETURNED);
        if no_certificate && !self.certificate_valid {
            let failure = Failure::new(
                Rung::Tls(TlsFault::Alert),
                "The controller writes \"no certificate returned\" for a refusal of its authlist as well as for a peer without a certificate, and the lines before it, which tell one from the other, are missing.",
                "Compare MAC address and key hash of the location server with the authlist of the controller first; then check that it presents a certificate. A trace from the beginning of the connection tells which.",
            );
            self.session.correct(
                "no certificate returned",
                "most often a certificate was returned and the authlist refused it",
            );
            self.session.fail(
                "handshake failed: authlist refusal or no certificate",
                failure.refused_by(WRITER),
                Some(CONTROLLER),
            );
            return;
        }
        let decoded = code.map_or_else(String::new, |code| format!(" ({code})"));
        let timed_out = error.contains("did not finish it in");
        let sentence = format!("The handshake failed: {error}{decoded}.");
        let failure = match code.and_then(ErrorCode::alert) {
            _ if timed_out => KnownCause::AnswerTimedOut.failure(sentence),
            Some(alert) => {
                self.alert_refusal(SeenAlert { sent: false, alert, state: None });
                return;
            }
            None => match code.map(|code| code.reason) {
                Some(199) => KnownCause::CertificateRequired.failure(sentence).refused_by(WRITER),
                Some(193 | 258) => KnownCause::TlsNotCommon.failure(sentence).refused_by(WRITER),
                Some(155 | 156 | 252 | 267) => KnownCause::NotTls.failure(sentence).refused_by(WRITER),
                Some(134) => Failure::new(
                    Rung::Tls(TlsFault::Chain),
                    sentence,
                    "Compare the certificate of the location server with the trust store and the clock of the controller.",
                )
                .refused_by(WRITER),
                _ => Failure::new(Rung::Tls(TlsFault::Protocol), sentence, "Look for the alert and the state before this line."),
            },
        };
        self.session.fail("the handshake failed", failure, None);
    }
}
