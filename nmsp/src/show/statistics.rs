//! `show nmsp statistics summary` and `show nmsp statistics connection`.

use super::state::{ConStats, MessageCounter, State};
use super::{heading, line};
use crate::server::ServerCounters;

/// `show nmsp statistics summary`: the counters of the server as a whole.
#[must_use]
pub fn statistics_summary(state: &State) -> String {
    let (ssl, aaa) = (&state.statistics.ssl_stats, &state.statistics.aaa_stats);
    let mut out = String::new();
    block(
        &mut out,
        "NMSP Global Counters",
        &[("Number of restarts", state.srv_stats.srv_restarts)],
    );
    block(
        &mut out,
        "SSL Statistics",
        &[
            ("Total amount of verifications", ssl.verify_count),
            ("Verification failures", ssl.verify_fail),
            ("Verification success", ssl.verify_success),
            ("Amount of connections created", ssl.connection_created),
            ("Amount of connections closed", ssl.connection_closed),
            ("Total amount of accept attempts", ssl.accept_attempts),
            ("Failures in accept", ssl.accept_fail),
            ("Amount of rejected accepts", ssl.accept_reject),
            ("Amount of successful accepts", ssl.accept_success),
            ("Amount of failed registrations", ssl.accept_register_fail),
        ],
    );
    block(
        &mut out,
        "AAA Statistics",
        &[
            ("Total amount of AAA requests", aaa.aaa_request),
            ("Failed to send requests", aaa.aaa_send_fail),
            ("Requests sent to AAA", aaa.aaa_send_success),
            ("Responses from AAA", aaa.aaa_response),
            ("Responses from AAA to validate", aaa.aaa_validation_total),
            ("Responses validate error", aaa.aaa_validation_fail),
            ("Responses validate success", aaa.aaa_validation_success),
        ],
    );
    own_counters(&mut out, &state.statistics);
    out
}

/// What the model has no name for.
fn own_counters(out: &mut String, ours: &ServerCounters) {
    block(
        out,
        "Counters of this implementation",
        &[
            ("Handshakes that ran out of time", ours.handshake_timeouts),
            ("Connections ended by a protocol error", ours.protocol_errors),
            ("Connections ended by silence", ours.peer_timeouts),
            (
                "Notifications replaced by newer ones",
                ours.replaced_notifications,
            ),
            ("Notifications dropped", ours.dropped_notifications),
            ("Rejected: too many connections", ours.rejected_connections),
            ("Rejected: too many of one address", ours.rejected_per_address),
            ("Rejected: too many handshakes", ours.rejected_handshakes),
            ("Rejected: too often from one address", ours.rejected_rate),
            ("Connections held back for their rate", ours.throttled),
            (
                "Connections whose authlist entry went",
                ours.authorization_withdrawn,
            ),
            ("Reloads", ours.reloads),
            ("Reloads refused", ours.failed_reloads),
        ],
    );
}

fn block(out: &mut String, title: &str, rows: &[(&str, u64)]) {
    if !out.is_empty() {
        out.push('\n');
    }
    heading(out, title);
    for (name, count) in rows {
        line(out, format_args!("{name:<38}: {count}"));
    }
}

/// `show nmsp statistics connection`: the counters of each location server, by message.
#[must_use]
pub fn statistics_connection(state: &State) -> String {
    let mut out = String::new();
    heading(&mut out, "NMSP Connection Counters");
    for peer in &state.peers {
        let status = if peer.active { "Active" } else { "Inactive" };
        out.push('\n');
        line(
            &mut out,
            format_args!("CMX IP Address: {}, Status: {status}", peer.peer_ip),
        );
        connection(&mut out, &peer.con_stats);
    }
    out
}

fn connection(out: &mut String, counters: &ConStats) {
    line(out, format_args!("State:"));
    for (name, count) in [
        ("Connections", counters.connections),
        ("Disconnections", counters.disconnections),
        ("Rx Data Frames", counters.rx_data_frames),
        ("Tx Data Frames", counters.tx_data_frames),
        ("Unsupported messages", counters.unsupported_msg_count),
    ] {
        line(out, format_args!("  {name:<21}: {count}"));
    }
    messages(out, "Rx Message Counters:", &counters.rx_msg_counter);
    messages(out, "Tx Message Counters:", &counters.tx_msg_counter);
}

fn messages(out: &mut String, title: &str, counters: &[MessageCounter]) {
    line(out, format_args!("{title}"));
    line(out, format_args!("  {:<5}{:<40}Count", "ID", "Name"));
    line(out, format_args!("  {:-<56}", ""));
    for counter in counters {
        line(
            out,
            format_args!("  {:<5}{:<40}{}", counter.msg_id, counter.name, counter.counter),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_summary_has_every_counter_of_the_yang_model() {
        assert_eq!(
            statistics_summary(&sample::state()),
            include_str!("../../testdata/show/statistics-summary.txt")
        );
    }

    #[test]
    fn each_connection_has_its_state_and_two_tables_of_messages() {
        assert_eq!(
            statistics_connection(&sample::state()),
            include_str!("../../testdata/show/statistics-connection.txt")
        );
    }
}
