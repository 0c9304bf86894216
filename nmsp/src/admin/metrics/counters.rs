//! The counters, by name.

use crate::server::ServerCounters;
use crate::show::ConStats;

/// Name without the suffix of a counter, help, value.
type Row<T> = (&'static str, &'static str, fn(&T) -> u64);

/// Name, where the value is, help.
macro_rules! rows {
    ($of:ty: $($name:literal $($field:ident).+, $help:literal;)+) => {
        &[$(($name, $help, |all: &$of| all.$($field).+)),+]
    };
}

/// `con-stats` of a location server, but for the counters by message.
pub(super) const CON_STATS: &[Row<ConStats>] = rows! { ConStats:
    "nmsp_con_stats_unsupported_msg_count" unsupported_msg_count, "Unsupported messages received from the location server.";
    "nmsp_con_stats_tx_data_frames" tx_data_frames, "Messages sent to the location server.";
    "nmsp_con_stats_rx_data_frames" rx_data_frames, "Messages received from the location server.";
    "nmsp_con_stats_connections" connections, "Handshakes of the location server that succeeded.";
    "nmsp_con_stats_disconnections" disconnections, "Connections of the location server that ended.";
    "nmsp_tx_bytes" tx_bytes, "Ours: bytes of the messages sent to the location server.";
    "nmsp_rx_bytes" rx_bytes, "Ours: bytes of the messages received from the location server.";
    "nmsp_unmatched_responses" unmatched_responses, "Ours: responses of the location server that no request was waiting for.";
    "nmsp_timed_out_requests" timed_out_requests, "Ours: requests to the location server that got no response in time.";
    "nmsp_duplicate_requests" duplicate_requests, "Ours: requests of the location server that repeated an open one.";
    "nmsp_refused_requests" refused_requests, "Ours: requests of the location server that were refused.";
};

/// The server as a whole.
pub(super) const SERVER: &[Row<ServerCounters>] = rows! { ServerCounters:
    "nmsp_ssl_stats_verify_count" ssl_stats.verify_count, "Certificates presented by location servers.";
    "nmsp_ssl_stats_verify_fail" ssl_stats.verify_fail, "Certificates that are not valid.";
    "nmsp_ssl_stats_verify_success" ssl_stats.verify_success, "Certificates that are valid.";
    "nmsp_ssl_stats_connection_created" ssl_stats.connection_created, "Connections that finished their handshake.";
    "nmsp_ssl_stats_connection_closed" ssl_stats.connection_closed, "Connections that ended after their handshake.";
    "nmsp_ssl_stats_accept_attempts" ssl_stats.accept_attempts, "TCP connections accepted.";
    "nmsp_ssl_stats_accept_fail" ssl_stats.accept_fail, "Handshakes that failed.";
    "nmsp_ssl_stats_accept_reject" ssl_stats.accept_reject, "Connections turned away by a limit.";
    "nmsp_ssl_stats_accept_success" ssl_stats.accept_success, "Handshakes that succeeded.";
    "nmsp_ssl_stats_accept_register_fail" ssl_stats.accept_register_fail, "Connections that could not be served after their handshake.";
    "nmsp_aaa_stats_aaa_request" aaa_stats.aaa_request, "Questions to the authlist.";
    "nmsp_aaa_stats_aaa_send_fail" aaa_stats.aaa_send_fail, "Questions that could not be asked.";
    "nmsp_aaa_stats_aaa_send_success" aaa_stats.aaa_send_success, "Questions asked.";
    "nmsp_aaa_stats_aaa_response" aaa_stats.aaa_response, "Answers of the authlist.";
    // The suffix of a counter makes it `aaa_validation_total`.
    "nmsp_aaa_stats_aaa_validation" aaa_stats.aaa_validation_total, "Verdicts of the authlist.";
    "nmsp_aaa_stats_aaa_validation_fail" aaa_stats.aaa_validation_fail, "Location servers that the authlist does not admit.";
    "nmsp_aaa_stats_aaa_validation_success" aaa_stats.aaa_validation_success, "Location servers that the authlist admits.";
    "nmsp_handshake_timeouts" handshake_timeouts, "Ours: handshakes that ran out of time.";
    "nmsp_protocol_errors" protocol_errors, "Ours: connections ended by a protocol error of the location server.";
    "nmsp_peer_timeouts" peer_timeouts, "Ours: connections ended because the location server fell silent.";
    "nmsp_dropped_notifications" dropped_notifications, "Ours: notifications dropped because a location server was slow.";
    "nmsp_replaced_notifications" replaced_notifications, "Ours: notifications replaced by a newer one because a location server was slow.";
    "nmsp_rejected_connections" rejected_connections, "Ours: connections turned away because there were too many.";
    "nmsp_rejected_per_address" rejected_per_address, "Ours: connections turned away because there were too many of their address.";
    "nmsp_rejected_handshakes" rejected_handshakes, "Ours: connections turned away because there were too many handshakes.";
    "nmsp_rejected_rate" rejected_rate, "Ours: connections turned away because their address came too often.";
    "nmsp_throttled" throttled, "Ours: times that a location server was not read from because it sent too much.";
    "nmsp_authorization_withdrawn" authorization_withdrawn, "Ours: connections closed because the authlist no longer admits the location server.";
    "nmsp_reloads" reloads, "Ours: reloads of identity, authlist or trust store that took effect.";
    "nmsp_failed_reloads" failed_reloads, "Ours: reloads that were refused because a file is broken.";
};
