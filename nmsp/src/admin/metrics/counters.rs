//! The counters, by name.

use crate::server::ServerCounters;
use crate::show::ConStats;

/// Name without the suffix of a counter, help, value.
type Row<T> = (&'static str, &'static str, fn(&T) -> u64);

/// `con-stats` of a location server, but for the counters by message.
pub(super) const CON_STATS: &[Row<ConStats>] = &[
    (
        "nmsp_con_stats_unsupported_msg_count",
        "Unsupported messages received from the location server.",
        |stats| stats.unsupported_msg_count,
    ),
    (
        "nmsp_con_stats_tx_data_frames",
        "Messages sent to the location server.",
        |stats| stats.tx_data_frames,
    ),
    (
        "nmsp_con_stats_rx_data_frames",
        "Messages received from the location server.",
        |stats| stats.rx_data_frames,
    ),
    (
        "nmsp_con_stats_connections",
        "Handshakes of the location server that succeeded.",
        |stats| stats.connections,
    ),
    (
        "nmsp_con_stats_disconnections",
        "Connections of the location server that ended.",
        |stats| stats.disconnections,
    ),
    (
        "nmsp_tx_bytes",
        "Ours: bytes of the messages sent to the location server.",
        |stats| stats.tx_bytes,
    ),
    (
        "nmsp_rx_bytes",
        "Ours: bytes of the messages received from the location server.",
        |stats| stats.rx_bytes,
    ),
    (
        "nmsp_unmatched_responses",
        "Ours: responses of the location server that no request was waiting for.",
        |stats| stats.unmatched_responses,
    ),
    (
        "nmsp_timed_out_requests",
        "Ours: requests to the location server that got no response in time.",
        |stats| stats.timed_out_requests,
    ),
    (
        "nmsp_duplicate_requests",
        "Ours: requests of the location server that repeated an open one.",
        |stats| stats.duplicate_requests,
    ),
    (
        "nmsp_refused_requests",
        "Ours: requests of the location server that were refused.",
        |stats| stats.refused_requests,
    ),
];

/// The server as a whole.
pub(super) const SERVER: &[Row<ServerCounters>] = &[
    (
        "nmsp_ssl_stats_verify_count",
        "Certificates presented by location servers.",
        |all| all.ssl_stats.verify_count,
    ),
    (
        "nmsp_ssl_stats_verify_fail",
        "Certificates that are not valid.",
        |all| all.ssl_stats.verify_fail,
    ),
    (
        "nmsp_ssl_stats_verify_success",
        "Certificates that are valid.",
        |all| all.ssl_stats.verify_success,
    ),
    (
        "nmsp_ssl_stats_connection_created",
        "Connections that finished their handshake.",
        |all| all.ssl_stats.connection_created,
    ),
    (
        "nmsp_ssl_stats_connection_closed",
        "Connections that ended after their handshake.",
        |all| all.ssl_stats.connection_closed,
    ),
    (
        "nmsp_ssl_stats_accept_attempts",
        "TCP connections accepted.",
        |all| all.ssl_stats.accept_attempts,
    ),
    ("nmsp_ssl_stats_accept_fail", "Handshakes that failed.", |all| {
        all.ssl_stats.accept_fail
    }),
    (
        "nmsp_ssl_stats_accept_reject",
        "Connections turned away by a limit.",
        |all| all.ssl_stats.accept_reject,
    ),
    (
        "nmsp_ssl_stats_accept_success",
        "Handshakes that succeeded.",
        |all| all.ssl_stats.accept_success,
    ),
    (
        "nmsp_ssl_stats_accept_register_fail",
        "Connections that could not be served after their handshake.",
        |all| all.ssl_stats.accept_register_fail,
    ),
    (
        "nmsp_aaa_stats_aaa_request",
        "Questions to the authlist.",
        |all| all.aaa_stats.aaa_request,
    ),
    (
        "nmsp_aaa_stats_aaa_send_fail",
        "Questions that could not be asked.",
        |all| all.aaa_stats.aaa_send_fail,
    ),
    ("nmsp_aaa_stats_aaa_send_success", "Questions asked.", |all| {
        all.aaa_stats.aaa_send_success
    }),
    ("nmsp_aaa_stats_aaa_response", "Answers of the authlist.", |all| {
        all.aaa_stats.aaa_response
    }),
    (
        // The suffix of a counter makes it `aaa_validation_total`.
        "nmsp_aaa_stats_aaa_validation",
        "Verdicts of the authlist.",
        |all| all.aaa_stats.aaa_validation_total,
    ),
    (
        "nmsp_aaa_stats_aaa_validation_fail",
        "Location servers that the authlist does not admit.",
        |all| all.aaa_stats.aaa_validation_fail,
    ),
    (
        "nmsp_aaa_stats_aaa_validation_success",
        "Location servers that the authlist admits.",
        |all| all.aaa_stats.aaa_validation_success,
    ),
    (
        "nmsp_handshake_timeouts",
        "Ours: handshakes that ran out of time.",
        |all| all.handshake_timeouts,
    ),
    (
        "nmsp_protocol_errors",
        "Ours: connections ended by a protocol error of the location server.",
        |all| all.protocol_errors,
    ),
    (
        "nmsp_peer_timeouts",
        "Ours: connections ended because the location server fell silent.",
        |all| all.peer_timeouts,
    ),
    (
        "nmsp_dropped_notifications",
        "Ours: notifications dropped because a location server was slow.",
        |all| all.dropped_notifications,
    ),
    (
        "nmsp_replaced_notifications",
        "Ours: notifications replaced by a newer one because a location server was slow.",
        |all| all.replaced_notifications,
    ),
    (
        "nmsp_rejected_connections",
        "Ours: connections turned away because there were too many.",
        |all| all.rejected_connections,
    ),
    (
        "nmsp_rejected_per_address",
        "Ours: connections turned away because there were too many of their address.",
        |all| all.rejected_per_address,
    ),
    (
        "nmsp_rejected_handshakes",
        "Ours: connections turned away because there were too many handshakes.",
        |all| all.rejected_handshakes,
    ),
    (
        "nmsp_rejected_rate",
        "Ours: connections turned away because their address came too often.",
        |all| all.rejected_rate,
    ),
    (
        "nmsp_throttled",
        "Ours: times that a location server was not read from because it sent too much.",
        |all| all.throttled,
    ),
    (
        "nmsp_authorization_withdrawn",
        "Ours: connections closed because the authlist no longer admits the location server.",
        |all| all.authorization_withdrawn,
    ),
    (
        "nmsp_reloads",
        "Ours: reloads of identity, authlist or trust store that took effect.",
        |all| all.reloads,
    ),
    (
        "nmsp_failed_reloads",
        "Ours: reloads that were refused because a file is broken.",
        |all| all.failed_reloads,
    ),
];
