//! What monitoring reads.
//!
//! Names are those of the YANG model after `nmsp_`, `<container>_<leaf>`; what is ours says so in its help text. Counters
//! of a location server have the label `peer_ip` and go on when it comes back; the numbers of messages are those of the
//! controller's profile.

mod counters;

use core::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::show::{PeerState, State};
use counters::{CON_STATS, SERVER};

/// The metrics of a state as OpenMetrics 1.0.
#[must_use]
pub fn open_metrics(state: &State) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(StateCollector(state.clone())));
    let mut text = String::new();
    let written = encode(&mut text, &registry);
    debug_assert!(written.is_ok(), "writing to a String cannot fail");
    text
}

/// The same in the text format 0.0.4 of Prometheus: there the name of a family is the name of its samples, suffix
/// included, and nothing marks the end.
#[must_use]
pub fn prometheus_text(state: &State) -> String {
    let text = open_metrics(state);
    let kind_of = |name: &str| {
        let prefix = format!("# TYPE {name} ");
        let found = text.lines().find_map(|line| line.strip_prefix(&prefix));
        found.unwrap_or("untyped")
    };
    let mut out = String::with_capacity(text.len());
    for line in text.lines().filter(|line| *line != "# EOF") {
        let described = ["# HELP ", "# TYPE "].iter().find_map(|keyword| {
            let (name, rest) = line.strip_prefix(keyword)?.split_once(' ')?;
            Some((*keyword, name, rest))
        });
        let Some((keyword, name, rest)) = described else {
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let (suffix, kind) = match kind_of(name) {
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            other => ("", other),
        };
        let rest = if keyword == "# TYPE " { kind } else { rest };
        for part in [keyword, name, suffix, " ", rest, "\n"] {
            out.push_str(part);
        }
    }
    out
}

#[derive(Debug)]
struct StateCollector(State);

impl Collector for StateCollector {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let state = &self.0;
        let mut families = Families(encoder);
        families.program(state)?;
        families.server(state)?;
        families.peers(&state.peers)?;
        families.tunnels(&state.peers)
    }
}

type Labels = Vec<(&'static str, String)>;

/// Writes families of samples.
struct Families<'a>(DescriptorEncoder<'a>);

impl Families<'_> {
    fn counters(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in samples {
            metric
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, u64, u64>(&value, None)?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<NoLabelSet, u64, u64>(&value, None)
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let mut metric = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        metric.encode_gauge(&value)
    }

    fn program(&mut self, state: &State) -> fmt::Result {
        let mut build =
            self.0
                .encode_descriptor("nmsp_build", "Ours: the program.", None, MetricType::Info)?;
        build.encode_info(&vec![("version", state.controller.version.clone())])?;
        self.gauge(
            "nmsp_start_time_seconds",
            "Ours: when the server was started, since 1970.",
            state.controller.started.0 / 1000,
        )?;
        self.gauge(
            "nmsp_shutting_down",
            "Ours: 1 from the beginning of the shutdown.",
            state.controller.shutting_down.into(),
        )?;
        if let Some(tasks) = state.controller.tasks {
            self.gauge(
                "nmsp_tasks",
                "Ours: tasks alive in the runtime: some for the server, a few for each tunnel.",
                tasks,
            )?;
        }
        if let Some(list) = &state.auth_list {
            self.gauge(
                "nmsp_auth_list_entries",
                "Ours: entries of the authlist; absent without an authlist.",
                number(list.length),
            )?;
        }
        let records = state.store.records.iter();
        self.gauges(
            "nmsp_store_records",
            "Ours: records in the store, by kind.",
            records.map(|one| (vec![("kind", one.kind.clone())], number(one.count))),
        )?;
        self.counter(
            "nmsp_store_evicted_records",
            "Ours: records that went because their table was full.",
            state.store.evicted,
        )
    }

    fn server(&mut self, state: &State) -> fmt::Result {
        for (name, help, value) in SERVER {
            self.counter(name, help, value(&state.statistics))?;
        }
        self.counter(
            "nmsp_srv_stats_srv_restarts",
            "Times that the server was started again.",
            state.srv_stats.srv_restarts,
        )
    }

    fn peers(&mut self, peers: &[PeerState]) -> fmt::Result {
        let of_peer = |peer: &PeerState| vec![("peer_ip", peer.peer_ip.to_string())];
        let active = peers.iter().map(|peer| (of_peer(peer), peer.active.into()));
        self.gauges(
            "nmsp_cmx_connection_active",
            "1 while a connection of the location server is up.",
            active,
        )?;
        let subscribed = peers.iter().flat_map(|peer| {
            peer.subscriptions.iter().map(move |service| {
                let label = ("service", service.name().to_owned());
                ([of_peer(peer), vec![label]].concat(), 1)
            })
        });
        self.gauges(
            "nmsp_cmx_connection_subscription",
            "1 for each sub-service that the location server has subscribed.",
            subscribed,
        )?;
        for (name, help, value) in CON_STATS {
            let samples = peers.iter().map(|peer| (of_peer(peer), value(&peer.con_stats)));
            self.counters(name, help, samples)?;
        }
        for (name, help, sent) in [
            (
                "nmsp_con_stats_tx_msg_counter",
                "Messages sent to the location server, by message.",
                true,
            ),
            (
                "nmsp_con_stats_rx_msg_counter",
                "Messages received from the location server, by message.",
                false,
            ),
        ] {
            let samples = peers.iter().flat_map(|peer| {
                let stats = &peer.con_stats;
                let counters = if sent {
                    &stats.tx_msg_counter
                } else {
                    &stats.rx_msg_counter
                };
                counters.iter().map(move |one| {
                    let message = [("msg_id", one.msg_id.to_string()), ("message", one.name.clone())];
                    ([of_peer(peer), message.to_vec()].concat(), one.counter)
                })
            });
            self.counters(name, help, samples)?;
        }
        Ok(())
    }

    /// What belongs to one connection and not to an address.
    fn tunnels(&mut self, peers: &[PeerState]) -> fmt::Result {
        let tunnels = || {
            let live = |peer: &'_ PeerState| peer.tunnels.clone().into_iter().filter(|tunnel| tunnel.active);
            peers.iter().flat_map(live)
        };
        let labels = |peer: std::net::SocketAddr, connection_id: u32| {
            vec![
                ("peer_ip", peer.ip().to_canonical().to_string()),
                ("connection_id", connection_id.to_string()),
            ]
        };
        let queued = tunnels().map(|one| (labels(one.peer, one.connection_id), number(one.queue.length)));
        self.gauges(
            "nmsp_queue_length",
            "Ours: notifications that wait for the location server.",
            queued,
        )?;
        let bounds = tunnels().map(|one| (labels(one.peer, one.connection_id), number(one.queue.bound)));
        self.gauges(
            "nmsp_queue_bound",
            "Ours: how many notifications may wait.",
            bounds,
        )?;
        let losses = tunnels().flat_map(|one| {
            one.losses.into_iter().flat_map(move |lost| {
                [("replaced", lost.replaced), ("dropped", lost.dropped)].map(|(cause, count)| {
                    let more = vec![("kind", lost.kind.clone()), ("cause", cause.to_owned())];
                    ([labels(one.peer, one.connection_id), more].concat(), count)
                })
            })
        });
        self.counters(
            "nmsp_unsent_notifications",
            "Ours: notifications not sent because the location server was slow: replaced by a newer one, or dropped.",
            losses,
        )?;
        let unchanged =
            tunnels().map(|one| (labels(one.peer, one.connection_id), one.unchanged_measurements));
        self.counters(
            "nmsp_unchanged_measurements",
            "Ours: measurements left out because the signal strength moved by less than the threshold.",
            unchanged,
        )
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::ServerCounters;
    use crate::show::sample;
    use serde_json::Value;

    #[test]
    fn a_known_state_is_the_text_that_was_checked_by_hand() {
        assert_eq!(
            prometheus_text(&sample::state()),
            include_str!("../../../testdata/metrics/prometheus.txt")
        );
    }

    #[test]
    fn open_metrics_names_families_without_their_suffix_and_ends_with_a_mark() {
        let text = open_metrics(&sample::state());
        assert!(text.ends_with("\n# EOF\n"));
        for line in [
            "# TYPE nmsp_build info",
            "nmsp_build_info{version=\"0.0.0\"} 1",
            "# TYPE nmsp_ssl_stats_verify_fail counter",
            "nmsp_ssl_stats_verify_fail_total 2",
        ] {
            assert!(text.lines().any(|each| each == line), "{line}\n{text}");
        }
    }

    /// A counter that is added to the server must not be forgotten here.
    #[test]
    fn every_counter_of_the_server_has_its_metric() {
        fn leaves(path: &str, value: &Value, to: &mut Vec<String>) {
            match value {
                Value::Object(members) => {
                    for (name, member) in members {
                        leaves(&format!("{path}_{}", name.replace('-', "_")), member, to);
                    }
                }
                _ => to.push(path.to_owned()),
            }
        }
        let mut names = Vec::new();
        let statistics = serde_json::to_value(ServerCounters::default()).unwrap();
        leaves("nmsp", &statistics, &mut names);
        assert!(names.len() > 20, "{names:?}");
        for name in names {
            let name = name.strip_suffix("_total").unwrap_or(&name);
            assert!(SERVER.iter().any(|(metric, ..)| *metric == name), "{name}");
        }
    }
}
