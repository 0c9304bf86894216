//! What is said at the end.

use std::time::Duration;

use serde::Serialize;

use super::run::Published;
use crate::cli::connect::Counters;
use crate::server::{ConnectionStatus, ServerHandle};
use crate::wire::Service;

/// The whole summary.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    seconds: f64,
    /// Reports of stations that the simulation made.
    reports: u64,
    /// Other records: facts, counters, places, alarms.
    records: u64,
    /// How much of one core the simulation took, 0 to 1.
    simulation_load: f64,
    connections: Vec<Connection>,
}

#[derive(Debug, Serialize)]
struct Connection {
    peer: String,
    subscriptions: Vec<&'static str>,
    queued: usize,
    dropped: u64,
    counters: Counters,
}

impl From<&ConnectionStatus> for Connection {
    fn from(status: &ConnectionStatus) -> Self {
        Self {
            peer: status.peer.to_string(),
            subscriptions: status.subscriptions.iter().map(Service::name).collect(),
            queued: status.queued_notifications,
            dropped: status.dropped_notifications,
            counters: Counters::from(&status.counters),
        }
    }
}

impl Summary {
    pub(super) fn new(handle: &ServerHandle, published: &Published, time: Duration) -> Self {
        Self {
            seconds: time.as_secs_f64(),
            reports: published.reports,
            records: published.records,
            simulation_load: published.busy.as_secs_f64() / time.as_secs_f64().max(f64::EPSILON),
            connections: handle.status().iter().map(Connection::from).collect(),
        }
    }

    /// For people; the table of connections comes with it.
    pub(super) fn text(&self) -> String {
        let dropped: u64 = self.connections.iter().map(|connection| connection.dropped).sum();
        format!(
            "simulated {} reports and {} other records in {:.1} s, {:.1} % of a core; {dropped} notifications dropped\n",
            self.reports,
            self.records,
            self.seconds,
            self.simulation_load * 100.0,
        )
    }
}
