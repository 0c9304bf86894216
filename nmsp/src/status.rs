//! `show nmsp status`, in the columns that a Catalyst 9800 prints and test frameworks parse.

use core::fmt::Write as _;

use crate::server::ConnectionStatus;
use crate::wire::MessageType;

/// One row per peer: address, `Active` or `Inactive`, echo responses sent, echo requests received, messages sent,
/// messages received, transport. The last line of a row is whitespace-separated, whatever the width of the address.
///
/// `Tx Data` and `Rx Data` count messages other than echoes. (That this is what the vendor counts is our reading of a
/// printed example.)
#[must_use]
pub fn show_nmsp_status(connections: &[ConnectionStatus]) -> String {
    let mut out = String::from(
        "NMSP Status\n-----------\n\n\
         DNA Spaces/CMX IP Address                         Active    Tx Echo Resp  Rx Echo Req   Tx Data     Rx Data     Transport\n\
         ------------------------------------------------------------------------------------------------------------------------\n",
    );
    for connection in connections {
        let counters = &connection.counters;
        let (responses, requests) = (
            counters.tx(MessageType::EchoResponse),
            counters.rx(MessageType::EchoRequest),
        );
        let active = if connection.active { "Active" } else { "Inactive" };
        let row = writeln!(
            out,
            "{:<50}{active:<10}{responses:<14}{requests:<14}{:<12}{:<12}{}",
            connection.peer.ip(),
            counters.tx_data_frames.saturating_sub(responses),
            counters.rx_data_frames.saturating_sub(requests),
            connection.transport,
        );
        debug_assert!(row.is_ok(), "writing to a String cannot fail");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{CounterSnapshot, MessageCount};
    use crate::server::Transport;
    use crate::wire::Services;

    #[test]
    fn has_the_seven_fields_of_the_golden_output() {
        let count = |message, count| vec![MessageCount { message, count }];
        let status = |ip: &str, active, echoes, tx_data_frames, rx_data_frames| ConnectionStatus {
            peer: std::net::SocketAddr::new(ip.parse().unwrap(), 40_000),
            connection_id: 0,
            active,
            mac: None,
            subscriptions: Services::NONE,
            transport: Transport::Tls,
            counters: CounterSnapshot {
                tx_msg_counter: count(MessageType::EchoResponse, echoes),
                rx_msg_counter: count(MessageType::EchoRequest, echoes),
                tx_data_frames,
                rx_data_frames,
                ..CounterSnapshot::default()
            },
            queued_notifications: 0,
            dropped_notifications: 0,
        };
        let out = show_nmsp_status(&[
            status("1.1.1.1", true, 14, 14 + 1595, 14 + 300),
            status("2001:bebe::1", false, 0, 1, 0),
        ]);
        let rows: Vec<Vec<&str>> = out
            .lines()
            .skip(5)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows[0], ["1.1.1.1", "Active", "14", "14", "1595", "300", "TLS"]);
        assert_eq!(rows[1], ["2001:bebe::1", "Inactive", "0", "0", "1", "0", "TLS"]);
        assert_eq!(
            out.lines().nth(3).unwrap().find("Active"),
            out.lines().nth(5).unwrap().find("Active")
        );
    }
}
