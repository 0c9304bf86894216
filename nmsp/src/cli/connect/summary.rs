//! What is said at the end: received messages, losses and counters, so that a script can compare both sides.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::picture::Picture;
use super::source::Health;
use crate::cli::failure::CliError;
use crate::proto::{CounterSnapshot, MessageCount};

/// The whole summary.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    seconds: f64,
    /// Notifications that controllers dropped, over all connections.
    lost: u64,
    measurements: u64,
    controllers: Vec<ControllerSummary>,
}

#[derive(Debug, Serialize)]
struct ControllerSummary {
    controller: String,
    address: Option<String>,
    state: String,
    reconnects: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<String>,
    measurements: u64,
    lost: u64,
    last_sequence: Option<u32>,
    received: BTreeMap<&'static str, u64>,
    counters: Counters,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_error: Option<Error>,
}

#[derive(Debug, Serialize)]
struct Error {
    rung: String,
    cause: String,
    remedy: String,
}

/// The counters of one connection in the form of the summaries of `nmsp connect` and `nmsp simulate`.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Counters {
    tx_msg_counter: BTreeMap<&'static str, u64>,
    rx_msg_counter: BTreeMap<&'static str, u64>,
    tx_data_frames: u64,
    rx_data_frames: u64,
    unsupported_msg_count: u64,
}

impl From<&CounterSnapshot> for Counters {
    fn from(counters: &CounterSnapshot) -> Self {
        let named = |counts: &[MessageCount]| {
            let named = counts.iter().map(|each| (each.message.name(), each.count));
            named.collect()
        };
        Self {
            tx_msg_counter: named(&counters.tx_msg_counter),
            rx_msg_counter: named(&counters.rx_msg_counter),
            tx_data_frames: counters.tx_data_frames,
            rx_data_frames: counters.rx_data_frames,
            unsupported_msg_count: counters.unsupported_msg_count,
        }
    }
}

impl Summary {
    pub(super) fn new(picture: &Picture, health: &[Health], time: Duration) -> Self {
        let controllers =
            picture
                .controllers
                .iter()
                .zip(health)
                .map(|(received, health)| ControllerSummary {
                    controller: health.controller.clone(),
                    address: health.address.map(|address| address.to_string()),
                    state: health.state.to_string(),
                    reconnects: health.reconnects,
                    clock: health.clock.clone(),
                    measurements: received.measurements,
                    lost: received.lost,
                    last_sequence: received.last_sequence,
                    received: received
                        .messages
                        .iter()
                        .map(|(message, tally)| (message.name(), tally.received))
                        .collect(),
                    counters: Counters::from(&health.counters),
                    last_error: health.last_error.as_ref().map(|failure| Error {
                        rung: failure.rung.to_string(),
                        cause: failure.cause.clone(),
                        remedy: failure.remedy.clone(),
                    }),
                });
        Self {
            seconds: time.as_secs_f64(),
            lost: picture.lost(),
            measurements: picture
                .controllers
                .iter()
                .map(|received| received.measurements)
                .sum(),
            controllers: controllers.collect(),
        }
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "received {} measured stations in {:.1} s, {} notifications lost\n",
            self.measurements, self.seconds, self.lost
        );
        for controller in &self.controllers {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "controller {}", controller.controller);
            for (message, number) in &controller.received {
                let _ = writeln!(text, "  {message:<32}{number:>12}");
            }
            let gaps = match controller.lost {
                0 => "no gap".to_owned(),
                lost => format!("{lost} missing"),
            };
            let _ = writeln!(
                text,
                "  sequence: {gaps}; messages sent {}, received {}",
                controller.counters.tx_data_frames, controller.counters.rx_data_frames
            );
            if let Some(error) = &controller.last_error {
                let _ = writeln!(text, "  last error: {}: {}", error.rung, error.cause);
            }
        }
        text
    }
}

/// One JSON object on one line.
pub(in crate::cli) fn json_line(value: &impl Serialize) -> Result<String, CliError> {
    let mut line = serde_json::to_string(value).map_err(|error| CliError::Output(error.into()))?;
    line.push('\n');
    Ok(line)
}

/// Writes a summary as JSON.
pub(in crate::cli) fn save(value: &impl Serialize, path: &Path) -> Result<(), CliError> {
    std::fs::write(path, json_line(value)?).map_err(|source| CliError::File {
        path: path.to_owned(),
        source,
    })
}
