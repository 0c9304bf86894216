//! The state of a controller as data. In JSON the names are those of the vendor's YANG model where it has one.

use std::net::{IpAddr, SocketAddr};

use pki_common::authlist::AuthListType;
use pki_common::{KeyHash, MacAddr};
use serde::{Deserialize, Serialize};

use crate::server::ServerCounters;
use crate::wire::Services;
use crate::wire::elements::ServiceParameters;
use crate::wire::message::Timestamp;

/// Everything that there is to see of a controller at one moment. The JSON of `/state` is this; what a later version adds
/// is ignored by an earlier one, and what an earlier one lacks has its default; without a `controller` with a version it is
/// something else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct State {
    /// The program.
    pub controller: ControllerState,
    /// The services that it offers.
    #[serde(default)]
    pub capability: Services,
    /// Location servers by their address: connected ones first, then the last ones that are gone.
    #[serde(default)]
    pub peers: Vec<PeerState>,
    /// `ssl-stats`, `aaa-stats`, and counters of ours.
    #[serde(default)]
    pub statistics: ServerCounters,
    /// `srv-stats`.
    #[serde(default)]
    pub srv_stats: SrvStats,
    /// How often each class is notified, and from which change on, in the order of the controllers' printout.
    #[serde(default)]
    pub notification: Vec<NotificationState>,
    /// Whom the controller admits; `None` if it goes by a trust store alone.
    #[serde(default)]
    pub auth_list: Option<AuthListState>,
    /// What is in the store that the controller publishes from.
    #[serde(default)]
    pub store: StoreState,
}

/// The program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ControllerState {
    /// The version of this crate.
    pub version: String,
    /// When the server was started, in milliseconds since 1970.
    #[serde(default)]
    pub started: Timestamp,
    /// When the state was taken, in milliseconds since 1970.
    #[serde(default)]
    pub taken: Timestamp,
    /// Whether it has begun to shut down.
    #[serde(default)]
    pub shutting_down: bool,
    /// Tasks alive in the runtime in which the state was taken: some for the server, a few for each tunnel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u64>,
}

/// `srv-stats` of the YANG model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct SrvStats {
    /// `srv-restarts`: how often the server was started again, as whoever runs it counts; a server does not know it by
    /// itself.
    pub srv_restarts: u64,
}

/// A location server: `cmx-connection` of the YANG model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PeerState {
    /// `peer-ip`.
    pub peer_ip: IpAddr,
    /// `connection-id` of the first of its connections.
    pub connection_id: u32,
    /// `active`: whether one of its connections is up.
    pub active: bool,
    /// `con-stats`, over all connections from this address since the server started.
    pub con_stats: ConStats,
    /// `subscriptions`, of all its connections together.
    pub subscriptions: Services,
    /// `transport`: `TLS`, or another word for what the YANG model does not know.
    pub transport: String,
    /// Ours: the connections that are up; if there is none, the last one that ended.
    #[serde(default)]
    pub tunnels: Vec<TunnelState>,
}

/// `con-stats` of the YANG model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ConStats {
    /// `tx-msg-counter`: messages sent, by their number; those at zero are left out.
    pub tx_msg_counter: Vec<MessageCounter>,
    /// `rx-msg-counter`: messages received, by their number; those at zero and those without a name are left out.
    pub rx_msg_counter: Vec<MessageCounter>,
    /// `unsupported-msg-count`: received messages that this crate has no use for.
    pub unsupported_msg_count: u64,
    /// `tx-data-frames`: messages sent.
    pub tx_data_frames: u64,
    /// `rx-data-frames`: messages received.
    pub rx_data_frames: u64,
    /// `connections`: handshakes that succeeded.
    pub connections: u64,
    /// `disconnections`: connections that ended.
    pub disconnections: u64,
    /// Ours: bytes of the messages sent, headers included, TLS not.
    pub tx_bytes: u64,
    /// Ours: bytes of the messages received, headers included, TLS not.
    pub rx_bytes: u64,
    /// Ours: responses that no request was waiting for.
    pub unmatched_responses: u64,
    /// Ours: requests of the controller that got no response in time.
    pub timed_out_requests: u64,
    /// Ours: requests of the location server that repeated an open one.
    pub duplicate_requests: u64,
    /// Ours: requests of the location server that were refused.
    pub refused_requests: u64,
}

impl ConStats {
    /// How often the message with this name was sent.
    #[must_use]
    pub fn tx(&self, name: &str) -> u64 {
        count_of(&self.tx_msg_counter, name)
    }

    /// How often the message with this name was received.
    #[must_use]
    pub fn rx(&self, name: &str) -> u64 {
        count_of(&self.rx_msg_counter, name)
    }
}

fn count_of(counters: &[MessageCounter], name: &str) -> u64 {
    let of_name = counters.iter().filter(|counter| counter.name == name);
    of_name.map(|counter| counter.counter).sum()
}

/// How often one message was sent or received.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct MessageCounter {
    /// `msg-id`: the number in the profile of the controller.
    pub msg_id: u16,
    /// Its name.
    pub name: String,
    /// `counter`.
    pub counter: u64,
}

/// One connection of a location server (ours).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TunnelState {
    /// The number of the connection.
    pub connection_id: u32,
    /// Address and port.
    pub peer: SocketAddr,
    /// Whether it is up.
    pub active: bool,
    /// The MAC address in the certificate of the location server.
    #[serde(default)]
    pub mac: Option<MacAddr>,
    /// What it subscribed.
    pub subscriptions: Services,
    /// When it subscribed last, in milliseconds since 1970.
    #[serde(default)]
    pub subscribed: Option<Timestamp>,
    /// When the handshake was done, in milliseconds since 1970.
    #[serde(default)]
    pub connected: Option<Timestamp>,
    /// Only what access points of these groups hear is sent; everything if there is none.
    #[serde(default)]
    pub access_point_groups: Vec<AccessPointGroup>,
    /// What waits to be sent.
    #[serde(default)]
    pub queue: QueueState,
    /// How often and from which change on it wants some services; the controller's own rules hold for the others.
    #[serde(default)]
    pub parameters: Vec<ServiceParameters>,
    /// What was not sent because the location server was slow, by kind of record.
    #[serde(default)]
    pub losses: Vec<Losses>,
    /// Measurements left out because the signal strength moved by less than the threshold.
    #[serde(default)]
    pub unchanged_measurements: u64,
    /// Why it ended, once it has.
    #[serde(default)]
    pub ended: Option<String>,
}

/// A group of access points in a subscription.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct AccessPointGroup {
    /// Its name.
    pub name: String,
    /// Its access points, as far as the controller knows them.
    pub access_points: Vec<MacAddr>,
}

/// The queue of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct QueueState {
    /// Notifications that wait.
    pub length: usize,
    /// How many may wait.
    pub bound: usize,
}

/// Notifications of one kind that were not sent because the location server was slow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Losses {
    /// The kind of record; `messages` for notifications that the application sent as messages.
    pub kind: String,
    /// Those that a newer value of the same record replaced.
    pub replaced: u64,
    /// Those that were given up because too much waited.
    pub dropped: u64,
}

/// When one class is notified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct NotificationState {
    /// The class, as the configuration file names it.
    pub class: String,
    /// Time between two notifications about the same station, in seconds.
    pub interval_seconds: u16,
    /// How far the signal strength must have moved, in dB; 0 notifies always.
    pub rssi_threshold_db: u8,
}

/// Whom the controller admits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct AuthListState {
    /// How many entries there are.
    pub length: usize,
    /// The entries, ordered by MAC address; `None` if they were not asked for.
    pub entries: Option<Vec<AuthListRow>>,
}

/// One entry of the authlist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AuthListRow {
    /// `Mac Addr`.
    pub mac: MacAddr,
    /// `Cert Type`.
    pub cert_type: AuthListType,
    /// `Key Hash`.
    #[serde(default)]
    pub key_hash: Option<KeyHash>,
}

/// The store that the controller publishes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct StoreState {
    /// How many records there are of each kind; kinds without one are left out.
    pub records: Vec<RecordCount>,
    /// How many went because their table was full.
    pub evicted: u64,
}

/// How many records of a kind there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct RecordCount {
    /// The kind.
    pub kind: String,
    /// How many.
    pub count: usize,
}
