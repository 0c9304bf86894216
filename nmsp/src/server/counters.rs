//! Counters of the whole server, named as in the vendor's YANG model.

use core::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::arrivals::Rejection;

/// `ssl-stats`: TLS connections and certificate checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct SslStats {
    /// `verify-count`: certificates presented by location servers.
    pub verify_count: u64,
    /// `verify-fail`: certificates that are not valid.
    pub verify_fail: u64,
    /// `verify-success`: certificates that are valid; the authlist comes after.
    pub verify_success: u64,
    /// `connection-created`: connections that finished their handshake.
    pub connection_created: u64,
    /// `connection-closed`: of these, the ones that have ended.
    pub connection_closed: u64,
    /// `accept-attempts`: TCP connections accepted.
    pub accept_attempts: u64,
    /// `accept-fail`: handshakes that failed or took too long.
    pub accept_fail: u64,
    /// `accept-reject`: connections turned away because there were too many.
    pub accept_reject: u64,
    /// `accept-success`: handshakes that succeeded.
    pub accept_success: u64,
    /// `accept-register-fail`: connections that could not be served after the handshake. This server registers before
    /// the handshake, so the counter stays at zero; it is here because the model has it.
    pub accept_register_fail: u64,
}

/// `aaa-stats`: questions to the authlist. The authlist is local, so each request is answered at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct AaaStats {
    /// `aaa-request`: questions.
    pub aaa_request: u64,
    /// `aaa-send-fail`: questions that could not be asked; zero with a local authlist.
    pub aaa_send_fail: u64,
    /// `aaa-send-success`: questions asked.
    pub aaa_send_success: u64,
    /// `aaa-response`: answers.
    pub aaa_response: u64,
    /// `aaa-validation-total`: verdicts.
    pub aaa_validation_total: u64,
    /// `aaa-validation-fail`: location servers that the authlist does not admit.
    pub aaa_validation_fail: u64,
    /// `aaa-validation-success`: location servers that it admits.
    pub aaa_validation_success: u64,
}

/// The counters of a server at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ServerCounters {
    /// `ssl-stats`.
    pub ssl_stats: SslStats,
    /// `aaa-stats`.
    pub aaa_stats: AaaStats,
    /// Ours: handshakes among `accept-fail` that ran out of time.
    pub handshake_timeouts: u64,
    /// Ours: connections that ended by a protocol error of the peer.
    pub protocol_errors: u64,
    /// Ours: connections that ended because the peer fell silent: no complete message within the idle time, or no
    /// Capability Notification in time.
    pub peer_timeouts: u64,
    /// Ours: notifications that were superseded by newer values while they waited for a slow subscriber, over all
    /// subscribers.
    pub replaced_notifications: u64,
    /// Ours: notifications dropped because too much waited for a slow subscriber, over all subscribers.
    pub dropped_notifications: u64,
    /// Ours: among `accept-reject`, because [`Limits::max_connections`](super::Limits::max_connections) was reached.
    pub rejected_connections: u64,
    /// Ours: among `accept-reject`, because
    /// [`Limits::max_connections_per_address`](super::Limits::max_connections_per_address) was reached.
    pub rejected_per_address: u64,
    /// Ours: among `accept-reject`, because [`Limits::max_handshakes`](super::Limits::max_handshakes) or
    /// [`Limits::max_handshakes_per_address`](super::Limits::max_handshakes_per_address) was reached.
    pub rejected_handshakes: u64,
    /// Ours: among `accept-reject`, because one address came more often than
    /// [`Limits::max_new_connections_per_second`](super::Limits::max_new_connections_per_second).
    pub rejected_rate: u64,
    /// Ours: how often a connection was not read from because its peer sent more than
    /// [`Limits::max_messages_per_second`](super::Limits::max_messages_per_second).
    pub throttled: u64,
    /// Ours: connections closed because the authlist no longer admits the peer.
    pub authorization_withdrawn: u64,
    /// Ours: reloads of identity, authlist or trust store that took effect.
    pub reloads: u64,
    /// Ours: reloads that were refused because a file is broken; what was in force stayed.
    pub failed_reloads: u64,
}

/// The live counters.
#[derive(Debug, Default)]
pub(super) struct Counters {
    verify_fail: AtomicU64,
    verify_success: AtomicU64,
    connection_closed: AtomicU64,
    accept_attempts: AtomicU64,
    accept_fail: AtomicU64,
    accept_reject: AtomicU64,
    accept_success: AtomicU64,
    validation_fail: AtomicU64,
    validation_success: AtomicU64,
    handshake_timeouts: AtomicU64,
    protocol_errors: AtomicU64,
    peer_timeouts: AtomicU64,
    replaced_notifications: AtomicU64,
    dropped_notifications: AtomicU64,
    rejected_connections: AtomicU64,
    rejected_per_address: AtomicU64,
    rejected_handshakes: AtomicU64,
    rejected_rate: AtomicU64,
    throttled: AtomicU64,
    authorization_withdrawn: AtomicU64,
    reloads: AtomicU64,
    failed_reloads: AtomicU64,
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counters {
    pub(super) fn certificate_checked(&self, valid: bool) {
        add(if valid {
            &self.verify_success
        } else {
            &self.verify_fail
        });
    }

    pub(super) fn authlist_asked(&self, admitted: bool) {
        add(if admitted {
            &self.validation_success
        } else {
            &self.validation_fail
        });
    }

    pub(super) fn accept_attempt(&self) {
        add(&self.accept_attempts);
    }

    pub(super) fn accept_rejected(&self, reason: Rejection) {
        add(&self.accept_reject);
        add(match reason {
            Rejection::Connections(_) => &self.rejected_connections,
            Rejection::PerAddress(_) => &self.rejected_per_address,
            Rejection::Handshakes(_) | Rejection::HandshakesPerAddress(_) => &self.rejected_handshakes,
            Rejection::Rate(_) => &self.rejected_rate,
        });
    }

    pub(super) fn accept_failed(&self, timed_out: bool) {
        add(&self.accept_fail);
        if timed_out {
            add(&self.handshake_timeouts);
        }
    }

    pub(super) fn accept_succeeded(&self) {
        add(&self.accept_success);
    }

    pub(super) fn connection_closed(&self) {
        add(&self.connection_closed);
    }

    pub(super) fn protocol_error(&self) {
        add(&self.protocol_errors);
    }

    pub(super) fn peer_timed_out(&self) {
        add(&self.peer_timeouts);
    }

    pub(super) fn notifications_lost(&self, replaced: u64, dropped: u64) {
        if replaced > 0 {
            self.replaced_notifications.fetch_add(replaced, Ordering::Relaxed);
        }
        if dropped > 0 {
            self.dropped_notifications.fetch_add(dropped, Ordering::Relaxed);
        }
    }

    pub(super) fn throttled(&self) {
        add(&self.throttled);
    }

    pub(super) fn authorization_withdrawn(&self) {
        add(&self.authorization_withdrawn);
    }

    pub(super) fn reloaded(&self, succeeded: bool) {
        add(if succeeded {
            &self.reloads
        } else {
            &self.failed_reloads
        });
    }

    pub(super) fn snapshot(&self) -> ServerCounters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (verify_fail, verify_success) = (read(&self.verify_fail), read(&self.verify_success));
        let (denied, admitted) = (read(&self.validation_fail), read(&self.validation_success));
        let accept_success = read(&self.accept_success);
        ServerCounters {
            ssl_stats: SslStats {
                verify_count: verify_fail + verify_success,
                verify_fail,
                verify_success,
                connection_created: accept_success,
                connection_closed: read(&self.connection_closed),
                accept_attempts: read(&self.accept_attempts),
                accept_fail: read(&self.accept_fail),
                accept_reject: read(&self.accept_reject),
                accept_success,
                accept_register_fail: 0,
            },
            aaa_stats: AaaStats {
                aaa_request: denied + admitted,
                aaa_send_fail: 0,
                aaa_send_success: denied + admitted,
                aaa_response: denied + admitted,
                aaa_validation_total: denied + admitted,
                aaa_validation_fail: denied,
                aaa_validation_success: admitted,
            },
            handshake_timeouts: read(&self.handshake_timeouts),
            protocol_errors: read(&self.protocol_errors),
            peer_timeouts: read(&self.peer_timeouts),
            replaced_notifications: read(&self.replaced_notifications),
            dropped_notifications: read(&self.dropped_notifications),
            rejected_connections: read(&self.rejected_connections),
            rejected_per_address: read(&self.rejected_per_address),
            rejected_handshakes: read(&self.rejected_handshakes),
            rejected_rate: read(&self.rejected_rate),
            throttled: read(&self.throttled),
            authorization_withdrawn: read(&self.authorization_withdrawn),
            reloads: read(&self.reloads),
            failed_reloads: read(&self.failed_reloads),
        }
    }
}
