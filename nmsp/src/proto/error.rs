//! Why a connection ends, split by whose fault it is.

use core::time::Duration;

use pki_common::{Diagnose, Failure, KnownCause, Rung, Side, TlsFault};

use crate::wire::numbers::DisconnectReason;
use crate::wire::{DecodeError, EncodeError, MessageType, Text};

/// What the peer did that the protocol does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Bytes that cannot be decoded.
    #[error("{name} cannot be decoded: {error}", name = .message.map_or("the message", MessageType::name))]
    Decode {
        /// The message, if its header was good and its id is known.
        message: Option<MessageType>,
        /// What is wrong, and where.
        error: DecodeError,
    },
    /// A message that only the other role may send.
    #[error("{message} came from the {from}, which never sends it")]
    WrongDirection {
        /// The message.
        message: MessageType,
        /// The role of the peer.
        from: super::Role,
    },
    /// A protocol version that this side does not speak any more.
    #[error("the peer speaks protocol version {offered}, the lowest one spoken here is {lowest}")]
    Version {
        /// The highest version of the peer.
        offered: u16,
        /// The lowest version of this side.
        lowest: u16,
    },
    /// The stream ended inside a message.
    #[error("the stream ended inside a message, {pending} bytes of it had arrived")]
    StreamCut {
        /// How many bytes of the message had arrived.
        pending: usize,
    },
}

impl Diagnose for ProtocolError {
    fn diagnose(&self) -> Failure {
        let cause = self.to_string();
        match self {
            Self::Decode { error, .. } => Failure {
                cause,
                ..error.diagnose()
            },
            Self::WrongDirection { .. } => Failure::new(
                Rung::Body,
                cause,
                "check which of the two peers is the controller, and that both use the same wire profile",
            )
            .refused_by(Side::Local)
            .known_as(KnownCause::AnswerNotUnderstood),
            Self::Version { .. } => {
                Failure::new(Rung::Body, cause, "update the peer").refused_by(Side::Local)
            }
            Self::StreamCut { .. } => Failure::new(
                Rung::Body,
                cause,
                "see the peer's log for why it ended in the middle of a message, then connect again",
            )
            .refused_by(Side::Local)
            .known_as(KnownCause::ConnectionLost),
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloseReason {
    /// The peer broke the protocol.
    #[error("protocol error: {0}")]
    Protocol(#[from] ProtocolError),
    /// The peer did not say what it can do.
    #[error("no Capability Notification within {0:?}")]
    CapabilityTimedOut(Duration),
    /// Controller: no complete message for the idle time.
    #[error("no complete message for {0:?}")]
    Idle(Duration),
    /// Location server: echo requests went unanswered.
    #[error("{0} echo requests in a row went unanswered")]
    EchoUnanswered(u32),
    /// The peer closed the stream between two messages, without a goodbye.
    #[error("closed by the peer")]
    ClosedByPeer,
    /// The peer said goodbye.
    #[error("the peer said goodbye: {reason}{colon}{text}", colon = if .text.as_bytes().is_empty() { "" } else { ": " })]
    Disconnected {
        /// Why.
        reason: DisconnectReason,
        /// The peer's words for people; may be empty.
        text: Text,
        /// How long the peer asks to wait before the next attempt.
        retry_after: Option<Duration>,
    },
    /// This side closed the connection.
    #[error("closed by this side")]
    ClosedLocally,
    /// A message of this side does not fit the wire profile.
    #[error("cannot encode: {0}")]
    Encode(#[from] EncodeError),
}

impl CloseReason {
    /// Whether this is an ordinary end: somebody wanted it, and nothing is wrong.
    #[must_use]
    pub const fn is_ordinary(&self) -> bool {
        matches!(
            self,
            Self::ClosedByPeer
                | Self::ClosedLocally
                | Self::Disconnected {
                    reason: DisconnectReason::UNSPECIFIED
                        | DisconnectReason::SHUTTING_DOWN
                        | DisconnectReason::RESTARTING,
                    ..
                }
        )
    }
}

impl Diagnose for CloseReason {
    fn diagnose(&self) -> Failure {
        let known_cause = match self {
            Self::CapabilityTimedOut(_) => Some(KnownCause::AnswerTimedOut),
            Self::Idle(_) | Self::EchoUnanswered(_) | Self::ClosedByPeer => Some(KnownCause::ConnectionLost),
            _ => None,
        };
        let (rung, refused_by, remedy) = match self {
            Self::Protocol(error) => return error.diagnose(),
            Self::CapabilityTimedOut(_) => (
                Rung::Body,
                Some(Side::Local),
                "check that the peer speaks NMSP on this port and is not overloaded",
            ),
            Self::Idle(_) => (
                Rung::Tcp,
                Some(Side::Local),
                "check the path to the location server and that its echo interval is shorter than the idle time-out",
            ),
            Self::EchoUnanswered(_) => (
                Rung::Tcp,
                Some(Side::Local),
                "check the path to the controller and whether it is overloaded",
            ),
            Self::ClosedByPeer => (
                Rung::Tcp,
                Some(Side::Peer),
                "see the peer's log for its reason, then connect again",
            ),
            Self::Disconnected { reason, .. } => return diagnose_goodbye(*reason, self),
            Self::ClosedLocally => (
                Rung::Local,
                Some(Side::Local),
                "nothing: this side closed the connection on purpose",
            ),
            Self::Encode(error) => return error.diagnose(),
        };
        Failure {
            rung,
            refused_by,
            alert: None,
            known_cause,
            cause: self.to_string(),
            remedy: remedy.to_owned(),
        }
    }
}

/// The peer has named its reason; each has another remedy.
fn diagnose_goodbye(reason: DisconnectReason, goodbye: &CloseReason) -> Failure {
    let (rung, remedy) = match reason {
        DisconnectReason::NOT_AUTHORIZED => (
            Rung::Tls(TlsFault::AuthList),
            "add this side's MAC address and key hash to the peer's authlist again, if it is to be admitted",
        ),
        DisconnectReason::PROTOCOL_ERROR => (
            Rung::Body,
            "check that both sides use the same wire profile, and see the peer's log for the message it refused",
        ),
        DisconnectReason::IDLE => (
            Rung::Tcp,
            "check the path to the peer and that the echo interval is shorter than the peer's idle time-out",
        ),
        DisconnectReason::OVERLOADED => (Rung::Body, "connect again later, or send less"),
        _ => (Rung::Body, "connect again"),
    };
    let failure = Failure::new(rung, goodbye.to_string(), remedy).refused_by(Side::Peer);
    match reason {
        DisconnectReason::NOT_AUTHORIZED => failure.known_as(KnownCause::AuthlistRefused),
        DisconnectReason::PROTOCOL_ERROR => failure.known_as(KnownCause::AnswerNotUnderstood),
        DisconnectReason::IDLE => failure.known_as(KnownCause::ConnectionLost),
        DisconnectReason::OVERLOADED => failure.known_as(KnownCause::ServerFailed),
        _ => failure,
    }
}

/// Why a request was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The connection has ended.
    #[error("the connection has ended")]
    Closed,
    /// This role never sends such a message.
    #[error("a {0} never sends this message")]
    WrongRole(super::Role),
    /// Too many requests wait for their response.
    #[error("{limit} requests are waiting for their response already")]
    TooManyPending {
        /// How many may wait.
        limit: usize,
    },
    /// The message does not do what it was to be sent for.
    #[error("{message} is not a {kind}")]
    WrongKind {
        /// The message.
        message: &'static str,
        /// What it should have been.
        kind: &'static str,
    },
    /// The peer has not asked with this transaction, or was answered already.
    #[error("no request with transaction {0} is waiting for an answer")]
    NotAsked(u32),
    /// The message does not fit the wire profile.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

impl Diagnose for RequestError {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Closed => "connect again",
            Self::WrongRole(_) => "send it from the other side of the connection",
            Self::TooManyPending { .. } => "wait for the answers that are still open",
            Self::WrongKind { .. } => "send a message of the kind that the call is for",
            Self::NotAsked(_) => "answer each request once, within the request time-out",
            Self::Encode(error) => return error.diagnose(),
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::Role;

    #[test]
    fn every_end_of_a_connection_names_rung_cause_and_remedy() {
        let wrong_direction = ProtocolError::WrongDirection {
            message: MessageType::MeasurementNotification,
            from: Role::LocationServer,
        };
        let cut = ProtocolError::StreamCut { pending: 7 };
        let table = [
            (CloseReason::from(wrong_direction), Rung::Body, "location server"),
            (cut.into(), Rung::Body, "7 bytes"),
            (CloseReason::Idle(Duration::from_secs(60)), Rung::Tcp, "60s"),
            (CloseReason::EchoUnanswered(3), Rung::Tcp, "3 echo requests"),
            (
                EncodeError::NotInProfile("Antenna").into(),
                Rung::Local,
                "Antenna",
            ),
        ];
        for (reason, rung, cause) in table {
            let failure = reason.diagnose();
            assert_eq!(failure.rung, rung, "{failure}");
            assert!(
                failure.cause.contains(cause) && !failure.remedy.is_empty(),
                "{failure}"
            );
        }
        assert_eq!(RequestError::Closed.diagnose().remedy, "connect again");
    }
}
