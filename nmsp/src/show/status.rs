//! `show nmsp status`, in the columns that a Catalyst 9800 prints and test frameworks parse.

use std::net::IpAddr;

use super::line;
use super::state::State;
use crate::server::ConnectionStatus;
use crate::wire::MessageType;

const COLUMNS: &str = "DNA Spaces/CMX IP Address                         Active    Tx Echo Resp  Rx Echo Req   Tx Data     Rx Data     Transport";

/// One row per location server: address, `Active` or `Inactive`, echo responses sent, echo requests received, messages
/// sent, messages received, transport. The last line of a row is whitespace-separated, whatever the width of the address.
///
/// `Tx Data` and `Rx Data` count messages other than echoes. (That this is what the vendor counts is our reading of a
/// printed example.)
#[must_use]
pub fn status(state: &State) -> String {
    let rows = state.peers.iter().map(|peer| Row {
        peer: peer.peer_ip,
        active: peer.active,
        echo_responses: peer.con_stats.tx(MessageType::EchoResponse.name()),
        echo_requests: peer.con_stats.rx(MessageType::EchoRequest.name()),
        frames: (peer.con_stats.tx_data_frames, peer.con_stats.rx_data_frames),
        transport: &peer.transport,
    });
    table(&rows.collect::<Vec<_>>())
}

/// The same for connections: one row for each, also if several come from one address.
#[must_use]
pub fn show_nmsp_status(connections: &[ConnectionStatus]) -> String {
    let transports: Vec<String> = connections
        .iter()
        .map(|connection| connection.transport.to_string())
        .collect();
    let rows = connections.iter().zip(&transports);
    let rows = rows.map(|(connection, transport)| Row {
        peer: connection.peer.ip().to_canonical(),
        active: connection.active,
        echo_responses: connection.counters.tx(MessageType::EchoResponse),
        echo_requests: connection.counters.rx(MessageType::EchoRequest),
        frames: (
            connection.counters.tx_data_frames,
            connection.counters.rx_data_frames,
        ),
        transport,
    });
    table(&rows.collect::<Vec<_>>())
}

struct Row<'a> {
    peer: IpAddr,
    active: bool,
    echo_responses: u64,
    echo_requests: u64,
    /// Sent and received, echoes included.
    frames: (u64, u64),
    transport: &'a str,
}

fn table(rows: &[Row<'_>]) -> String {
    let mut out = String::from("NMSP Status\n-----------\n\n");
    line(&mut out, format_args!("{COLUMNS}"));
    line(&mut out, format_args!("{:-<120}", ""));
    for row in rows {
        let active = if row.active { "Active" } else { "Inactive" };
        let (responses, requests) = (row.echo_responses, row.echo_requests);
        line(
            &mut out,
            format_args!(
                "{:<50}{active:<10}{responses:<14}{requests:<14}{:<12}{:<12}{}",
                row.peer,
                row.frames.0.saturating_sub(responses),
                row.frames.1.saturating_sub(requests),
                row.transport,
            ),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::proto::{CounterSnapshot, MessageCount};

    fn rows(out: &str) -> Vec<Vec<&str>> {
        let lines = out.lines().skip(5);
        lines.map(|line| line.split_whitespace().collect()).collect()
    }

    fn connection(ip: &str, active: bool, echoes: u64, frames: (u64, u64)) -> ConnectionStatus {
        let count = |message, count| vec![MessageCount { message, count }];
        ConnectionStatus {
            active,
            counters: CounterSnapshot {
                tx_msg_counter: count(MessageType::EchoResponse, echoes),
                rx_msg_counter: count(MessageType::EchoRequest, echoes),
                tx_data_frames: frames.0,
                rx_data_frames: frames.1,
                ..CounterSnapshot::default()
            },
            ..ConnectionStatus::new(std::net::SocketAddr::new(ip.parse().unwrap(), 40_000), 0)
        }
    }

    #[test]
    fn has_the_seven_fields_of_the_golden_output() {
        let out = show_nmsp_status(&[
            connection("1.1.1.1", true, 14, (14 + 1595, 14 + 300)),
            connection("2001:bebe::1", false, 0, (1, 0)),
        ]);
        let rows = rows(&out);
        assert_eq!(rows[0], ["1.1.1.1", "Active", "14", "14", "1595", "300", "TLS"]);
        assert_eq!(rows[1], ["2001:bebe::1", "Inactive", "0", "0", "1", "0", "TLS"]);
        assert_eq!(
            out.lines().nth(3).unwrap().find("Active"),
            out.lines().nth(5).unwrap().find("Active")
        );
    }

    #[test]
    fn a_state_prints_one_row_for_each_location_server() {
        let out = status(&sample::state());
        assert_eq!(
            rows(&out),
            [
                ["192.0.2.10", "Active", "14", "14", "1597", "3", "TLS"],
                ["2001:db8::7", "Inactive", "0", "0", "1", "1", "TLS"],
            ]
        );
        assert_eq!(
            status(&State::default()).lines().count(),
            5,
            "no rows, but columns"
        );
    }
}
