//! Counters of the whole server, named as in the vendor's YANG model.

use core::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

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
    /// Ours: notifications dropped because a subscriber was slow, over all subscribers.
    pub dropped_notifications: u64,
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
    dropped_notifications: AtomicU64,
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

    pub(super) fn accept_rejected(&self) {
        add(&self.accept_reject);
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

    pub(super) fn notification_dropped(&self) {
        add(&self.dropped_notifications);
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
            dropped_notifications: read(&self.dropped_notifications),
        }
    }
}
