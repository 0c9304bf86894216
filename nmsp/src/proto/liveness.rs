//! Is the peer still there? The location server asks, the controller waits to be asked.

use core::time::Duration;
use std::time::Instant;

use super::{CloseReason, ConnectionConfig, Role, after};

/// What to do when a liveness deadline has passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Send an echo request with the next transaction.
    SendEcho,
    /// Give the peer up.
    GiveUp(CloseReason),
}

/// The clocks of one connection.
#[derive(Debug)]
pub(super) struct Liveness {
    role: Role,
    echo_interval: Duration,
    missed_echo_limit: u32,
    idle_timeout: Duration,
    next_echo: Instant,
    idle_deadline: Instant,
    unanswered: u32,
    /// The echo request that waits for its response.
    outstanding: Option<(u32, Instant)>,
    /// The application takes no input, so silence proves nothing.
    paused: bool,
}

impl Liveness {
    pub(super) fn new(role: Role, config: &ConnectionConfig, now: Instant) -> Self {
        Self {
            role,
            echo_interval: config.echo_interval,
            missed_echo_limit: config.missed_echo_limit,
            idle_timeout: config.idle_timeout,
            next_echo: after(now, config.echo_interval),
            idle_deadline: after(now, config.idle_timeout),
            unanswered: 0,
            outstanding: None,
            paused: false,
        }
    }

    /// A complete message arrived: the peer is alive.
    pub(super) fn heard(&mut self, now: Instant) {
        self.unanswered = 0;
        self.idle_deadline = after(now, self.idle_timeout);
    }

    /// While the application takes no input, missing answers are not counted.
    pub(super) fn pause(&mut self, now: Instant, paused: bool) {
        self.paused = paused;
        self.heard(now);
    }

    pub(super) fn echo_sent(&mut self, transaction: u32, now: Instant) {
        self.outstanding = Some((transaction, now));
    }

    /// The time since the request that this response answers; `None` if it answers none.
    pub(super) fn echo_answered(&mut self, transaction: u32, now: Instant) -> Option<Duration> {
        let (_, sent) = self
            .outstanding
            .take_if(|(outstanding, _)| *outstanding == transaction)?;
        Some(now.saturating_duration_since(sent))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.role {
            Role::LocationServer => Some(self.next_echo),
            Role::Controller if self.paused => None,
            Role::Controller => Some(self.idle_deadline),
        }
    }

    pub(super) fn due(&mut self, now: Instant) -> Option<Due> {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return None;
        }
        if self.role == Role::Controller {
            return Some(Due::GiveUp(CloseReason::Idle(self.idle_timeout)));
        }
        if self.unanswered >= self.missed_echo_limit {
            return Some(Due::GiveUp(CloseReason::EchoUnanswered(self.unanswered)));
        }
        if !self.paused {
            self.unanswered += 1;
        }
        self.next_echo = after(now, self.echo_interval);
        Some(Due::SendEcho)
    }
}
