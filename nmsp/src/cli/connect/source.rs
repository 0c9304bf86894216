//! The connections: a fleet of controllers, one stream of news.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::SystemTime;

use pki_common::Failure;

use super::options::Options;
use crate::cli::failure::CliError;
use crate::client::ClientConfig;
use crate::client::fleet::{
    ControllerEvent, ControllerHealth, ControllerId, ControllerState, Fleet, FleetConfig, FleetEvent,
    RetryClass,
};
use crate::proto::{CounterSnapshot, Event, MessageFrame};
use crate::wire::numbers::StatusCode;
use crate::wire::{Service, Services};

/// What happens at a controller.
#[derive(Debug)]
pub(super) enum News {
    /// The tunnel is up.
    Connected,
    Notification(MessageFrame),
    /// It ended the connection, and nobody connects again.
    Ended,
    /// What cannot go on: the only controller cannot be reached, or has nothing to offer.
    Failed(Failure),
}

/// How one controller's connection is.
#[derive(Debug, Clone)]
pub(super) struct Health {
    pub(super) controller: String,
    pub(super) address: Option<SocketAddr>,
    pub(super) state: ControllerState,
    pub(super) seconds: u64,
    pub(super) reconnects: u64,
    pub(super) last_error: Option<Failure>,
    /// The controller's clock against ours, as a sentence.
    pub(super) clock: Option<String>,
    pub(super) counters: CounterSnapshot,
}

impl Health {
    fn of(health: &ControllerHealth) -> Self {
        let since = SystemTime::now().duration_since(health.since).unwrap_or_default();
        Self {
            controller: health.controller.host.to_string(),
            address: health.controller.address,
            state: health.state,
            seconds: since.as_secs(),
            reconnects: health.reconnects,
            last_error: health.last_error.as_ref().map(|error| error.failure.clone()),
            clock: health.clock_skew.map(|skew| skew.to_string()),
            counters: health.counters.clone().unwrap_or_default(),
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == ControllerState::Up
    }
}

pub(super) struct Source {
    fleet: Fleet,
    /// In the order of the options.
    ids: Vec<ControllerId>,
    /// How those were that are not connected again.
    finished: HashMap<ControllerId, ControllerHealth>,
    connected_once: bool,
    reconnect: bool,
    /// Whether services were named, so that it matters when a controller does not offer one.
    named: bool,
}

impl Source {
    pub(super) fn start(options: &Options, config: ClientConfig) -> Result<Self, CliError> {
        let mut fleet_config = FleetConfig::new(config);
        fleet_config.subscription = options.subscription(Services::from_iter(Service::ALL.iter().copied()));
        fleet_config.retry = options.retry();
        let fleet = Fleet::new(fleet_config);
        let ids: Result<Vec<_>, _> = options
            .controller
            .iter()
            .map(|controller| fleet.add(controller.as_str()))
            .collect();
        Ok(Self {
            fleet,
            ids: ids?,
            finished: HashMap::new(),
            connected_once: false,
            reconnect: !options.no_reconnect,
            named: !options.service.is_empty(),
        })
    }

    /// The next news, with the index of the controller; `None` when all connections are over. Dropping the future loses
    /// nothing: what takes time goes on by itself.
    pub(super) async fn next(&mut self) -> Option<(usize, News)> {
        loop {
            let FleetEvent { id, event, .. } = self.fleet.next().await?;
            let Some(index) = self.ids.iter().position(|known| *known == id) else {
                continue;
            };
            if let Some(news) = self.news(id, event) {
                return Some((index, news));
            }
        }
    }

    fn news(&mut self, id: ControllerId, event: ControllerEvent) -> Option<News> {
        match event {
            ControllerEvent::Connected(_) => {
                self.connected_once = true;
                Some(News::Connected)
            }
            ControllerEvent::Subscribed(outcome) => {
                if self.named && !outcome.rejected.is_empty() {
                    tracing::warn!(rejected = %outcome.rejected, "the controller does not offer these services");
                }
                if outcome.accepted.is_empty() && self.ids.len() == 1 {
                    let cause = format!("the controller offers none of: {}", outcome.rejected);
                    let failure = Failure::new(
                        pki_common::Rung::Status,
                        cause,
                        "ask for a service that the controller offers",
                    );
                    return Some(News::Failed(failure));
                }
                None
            }
            ControllerEvent::Connection(Event::Notification(frame)) => Some(News::Notification(frame)),
            ControllerEvent::Connection(Event::Request { transaction, .. }) => {
                let client = self.fleet.handle().client(id)?;
                tokio::spawn(async move {
                    let text = "this location server only listens";
                    if let Err(error) = client.refuse(transaction, StatusCode::NOT_SUPPORTED, text).await {
                        tracing::debug!(%error, "the controller's request was not answered");
                    }
                });
                None
            }
            ControllerEvent::Disconnected(disconnected) => {
                let failed = disconnected.class == RetryClass::NeedsAttention || !self.connected_once;
                if failed && self.ids.len() == 1 && (!self.reconnect || !self.connected_once) {
                    return Some(News::Failed(disconnected.failure));
                }
                if self.reconnect {
                    return None;
                }
                if let Some(health) = self.fleet.handle().health_of(id) {
                    self.finished.insert(id, health);
                }
                let fleet = self.fleet.handle().clone();
                tokio::spawn(async move { fleet.remove(id).await });
                Some(News::Ended)
            }
            _ => None,
        }
    }

    /// How every controller is, in the order of the options.
    pub(super) fn health(&self) -> Vec<Health> {
        let live = self.fleet.health();
        let find = |id: &ControllerId| {
            let finished = self.finished.get(id);
            finished.or_else(|| live.iter().find(|health| health.id == *id))
        };
        self.ids.iter().filter_map(find).map(Health::of).collect()
    }

    /// Says goodbye to all and returns how they were at the end.
    pub(super) async fn close(self) -> Vec<Health> {
        let before = self.health();
        self.fleet.handle().close().await;
        // The state and its time are those before the goodbye, the counters include it.
        let mut after = self.health();
        for (after, before) in after.iter_mut().zip(before) {
            after.state = before.state;
            after.seconds = before.seconds;
        }
        after
    }
}
