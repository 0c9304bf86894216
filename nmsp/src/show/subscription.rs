//! `show nmsp subscription …`: who subscribed what.

use core::fmt;
use std::net::IpAddr;

use pki_common::{Diagnose, Escaped, Failure, Rung};

use super::services::{groups, table};
use super::state::{AccessPointGroup, PeerState, State, TunnelState};
use super::{heading, line};

/// What was asked about is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotFound {
    /// No location server has connected from this address.
    #[error("no location server has connected from {0}")]
    Peer(IpAddr),
    /// The location server did not subscribe by this group of access points.
    #[error("{peer} subscribed no group of access points with the name \"{name}\"")]
    Group {
        /// The location server.
        peer: IpAddr,
        /// The name.
        name: String,
    },
}

impl Diagnose for NotFound {
    fn diagnose(&self) -> Failure {
        let remedy = match self {
            Self::Peer(_) => "`nmsp show status` lists the addresses",
            Self::Group { .. } => "`nmsp show subscription group summary` lists the names",
        };
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

/// `show nmsp subscription summary`: every location server that is connected, with what it subscribed.
#[must_use]
pub fn subscription_summary(state: &State) -> String {
    let mut out = String::new();
    line(
        &mut out,
        format_args!("{:<42}{:<22}Subservice", "CMX IP address", "Service"),
    );
    line(&mut out, format_args!("{:-<100}", ""));
    for peer in state.peers.iter().filter(|peer| peer.active) {
        let mut address = peer.peer_ip.to_string();
        for group in groups(peer.subscriptions) {
            line(&mut out, format_args!("{address:<42}{group}"));
            address.clear();
        }
        if !address.is_empty() {
            line(&mut out, format_args!("{address:<42}none"));
        }
    }
    out
}

/// `show nmsp subscription detail <ip>`: what one location server subscribed; below, what is ours: each of its
/// connections with its queue and its losses.
///
/// # Errors
/// If it is not known.
pub fn subscription_detail(state: &State, ip: IpAddr) -> Result<String, NotFound> {
    let peer = find(state, ip)?;
    let mut out = String::new();
    line(&mut out, format_args!("CMX IP address: {ip}"));
    table(&mut out, peer.subscriptions);
    for one in &peer.tunnels {
        tunnel(&mut out, one);
    }
    Ok(out)
}

fn tunnel(out: &mut String, tunnel: &TunnelState) {
    let state = if tunnel.active { "Active" } else { "Inactive" };
    out.push('\n');
    line(
        out,
        format_args!(
            "Connection {} from {}, {state}",
            tunnel.connection_id, tunnel.peer
        ),
    );
    let mut row = |name: &str, value: fmt::Arguments<'_>| line(out, format_args!("  {name:<21}: {value}"));
    if let Some(ended) = &tunnel.ended {
        row("Ended", format_args!("{}", Escaped::new(ended)));
    }
    if let Some(mac) = tunnel.mac {
        row("MAC address", format_args!("{mac}"));
    }
    row("Subscribed", format_args!("{}", tunnel.subscriptions));
    for group in &tunnel.access_point_groups {
        row("AP group", format_args!("{}", Escaped::new(&group.name)));
    }
    for own in &tunnel.parameters {
        row(
            "Own rule",
            format_args!(
                "{}: every {} sec, from {} dB",
                own.services, own.interval_seconds, own.rssi_threshold_db
            ),
        );
    }
    let queue = &tunnel.queue;
    row("Queue", format_args!("{} of {}", queue.length, queue.bound));
    for lost in &tunnel.losses {
        let (replaced, dropped) = (lost.replaced, lost.dropped);
        row(
            "Not sent",
            format_args!("{}: {replaced} replaced by newer, {dropped} dropped", lost.kind),
        );
    }
    row(
        "Below the threshold",
        format_args!("{}", tunnel.unchanged_measurements),
    );
}

/// `show nmsp subscription group summary`: the groups of access points by which location servers subscribed; of one of
/// them, or of all.
///
/// # Errors
/// If the location server is not known.
pub fn subscription_group_summary(state: &State, only: Option<IpAddr>) -> Result<String, NotFound> {
    let peers = match only {
        Some(ip) => vec![find(state, ip)?],
        None => state.peers.iter().filter(|peer| peer.active).collect(),
    };
    let mut out = String::new();
    for peer in peers {
        if !out.is_empty() {
            out.push('\n');
        }
        line(&mut out, format_args!("CMX IP address: {}", peer.peer_ip));
        heading(&mut out, "Groups subscribed by this CMX server:");
        for group in groups_of(peer) {
            line(
                &mut out,
                format_args!("Group name: {}", Escaped::new(&group.name)),
            );
        }
    }
    Ok(out)
}

/// `show nmsp subscription group details services <group> <ip>`: what is filtered by a group.
///
/// # Errors
/// If location server or group are not known.
pub fn subscription_group_services(state: &State, name: &str, ip: IpAddr) -> Result<String, NotFound> {
    let peer = find(state, ip)?;
    find_group(peer, name)?;
    let mut out = group_heading(ip, name, "filtered services");
    let with_group = peer
        .tunnels
        .iter()
        .filter(|tunnel| tunnel.access_point_groups.iter().any(|group| group.name == name));
    let services = with_group.fold(crate::wire::Services::NONE, |all, tunnel| {
        all | tunnel.subscriptions
    });
    table(&mut out, services);
    Ok(out)
}

/// `show nmsp subscription group details ap-list <group> <ip>`: the access points of a group, eight in a line.
///
/// # Errors
/// If location server or group are not known.
pub fn subscription_group_access_points(state: &State, name: &str, ip: IpAddr) -> Result<String, NotFound> {
    let group = find_group(find(state, ip)?, name)?;
    let mut out = group_heading(ip, name, "AP MACs");
    for row in group.access_points.chunks(8) {
        let addresses: Vec<String> = row.iter().map(ToString::to_string).collect();
        line(&mut out, format_args!("  {}", addresses.join("  ")));
    }
    Ok(out)
}

fn group_heading(ip: IpAddr, name: &str, what: &str) -> String {
    let mut out = String::new();
    line(&mut out, format_args!("CMX IP address: {ip}"));
    line(&mut out, format_args!("CMX Group name: {}", Escaped::new(name)));
    line(&mut out, format_args!("CMX Group {what}:"));
    out
}

fn find(state: &State, ip: IpAddr) -> Result<&PeerState, NotFound> {
    let ip = ip.to_canonical();
    let found = state.peers.iter().find(|peer| peer.peer_ip == ip);
    found.ok_or(NotFound::Peer(ip))
}

fn groups_of(peer: &PeerState) -> impl Iterator<Item = &AccessPointGroup> {
    peer.tunnels.iter().flat_map(|tunnel| &tunnel.access_point_groups)
}

fn find_group<'a>(peer: &'a PeerState, name: &str) -> Result<&'a AccessPointGroup, NotFound> {
    groups_of(peer)
        .find(|group| group.name == name)
        .ok_or_else(|| NotFound::Group {
            peer: peer.peer_ip,
            name: name.to_owned(),
        })
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn ip() -> IpAddr {
        "192.0.2.10".parse().unwrap()
    }

    #[test]
    fn the_summary_has_a_line_for_each_service_of_each_connected_location_server() {
        assert_eq!(
            subscription_summary(&sample::state()),
            format!(
                "\
CMX IP address                            Service               Subservice
{:-<100}
192.0.2.10                                RSSI                  Tags, Mobile Station
                                          Info                  Mobile Station
",
                ""
            )
        );
    }

    #[test]
    fn the_detail_has_services_groups_queue_and_losses() {
        assert_eq!(
            subscription_detail(&sample::state(), ip()).unwrap(),
            "\
CMX IP address: 192.0.2.10
Service               Subservice
------------------------------------------------------------
RSSI                  Tags, Mobile Station
Info                  Mobile Station

Connection 0 from 192.0.2.10:40000, Active
  MAC address          : 00:50:56:9c:34:89
  Subscribed           : rssi-ms, rssi-rfid, info-ms
  AP group             : floor-1\\u{a}
  Own rule             : rssi-ms: every 5 sec, from 6 dB
  Queue                : 3 of 1024
  Not sent             : client measurements: 7 replaced by newer, 2 dropped
  Below the threshold  : 11
"
        );
    }

    #[test]
    fn groups_are_listed_with_their_services_and_access_points() {
        let state = sample::state();
        let summary = subscription_group_summary(&state, None).unwrap();
        assert_eq!(
            summary,
            "\
CMX IP address: 192.0.2.10
Groups subscribed by this CMX server:
-------------------------------------
Group name: floor-1\\u{a}
"
        );
        assert_eq!(subscription_group_summary(&state, Some(ip())).unwrap(), summary);
        let services = subscription_group_services(&state, "floor-1\n", ip()).unwrap();
        assert!(
            services.ends_with("Info                  Mobile Station\n"),
            "{services}"
        );
        let access_points = subscription_group_access_points(&state, "floor-1\n", ip()).unwrap();
        assert!(
            access_points.ends_with("CMX Group AP MACs:\n  00:3a:7d:00:00:09  00:3a:7d:00:00:0a\n"),
            "{access_points}"
        );
    }

    #[test]
    fn what_is_not_there_is_named_with_the_command_that_lists_it() {
        let state = sample::state();
        let stranger: IpAddr = "198.51.100.1".parse().unwrap();
        let error = subscription_detail(&state, stranger).unwrap_err().diagnose();
        assert!(error.cause.contains("198.51.100.1") && error.remedy.contains("show status"));
        let error = subscription_group_services(&state, "attic", ip()).unwrap_err();
        assert!(error.to_string().contains("\"attic\""));
        assert!(error.diagnose().remedy.contains("group summary"));
    }
}
