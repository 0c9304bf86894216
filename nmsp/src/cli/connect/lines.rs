//! Output line by line: for people behind a pipe, and as JSON.

use crate::cli::failure::CliError;
use crate::cli::print;
use crate::proto::MessageFrame;
use crate::wire::OwnedMessage;
use crate::wire::message::Measurement;

/// Prints a notification. At most `left` stations of a measurement; returns how many there were.
pub(super) fn show(controller: &str, frame: &MessageFrame, json: bool, left: u64) -> Result<u64, CliError> {
    let Some(notification) = frame.measurement() else {
        other(controller, frame, json)?;
        return Ok(0);
    };
    let mut shown = 0;
    let mut text = String::new();
    for station in notification.stations() {
        if shown == left {
            break;
        }
        shown += 1;
        measurement(&station.to_owned(), json, &mut text)?;
    }
    print(&text)?;
    Ok(shown)
}

fn measurement(measurement: &Measurement, json: bool, text: &mut String) -> Result<(), CliError> {
    if json {
        text.push_str(&json_text(measurement)?);
    } else {
        text.push_str(&format!(
            "{} {} {:<15}",
            measurement.timestamp,
            measurement.station,
            measurement.class.to_string()
        ));
        for reading in &measurement.access_points {
            let place = format!("{} channel {}", reading.band, reading.channel);
            text.push_str(&format!(
                "  {} {} dBm ({place})",
                reading.access_point, reading.rssi_dbm
            ));
        }
    }
    text.push('\n');
    Ok(())
}

/// A notification that is no measurement.
#[derive(serde::Serialize)]
struct Line<'a> {
    controller: &'a str,
    sequence: u32,
    #[serde(flatten)]
    message: &'a OwnedMessage,
}

fn other(controller: &str, frame: &MessageFrame, json: bool) -> Result<(), CliError> {
    let message = frame.to_owned();
    let line = Line {
        controller,
        sequence: frame.sequence(),
        message: &message,
    };
    if json {
        return print(&format!("{}\n", json_text(&line)?));
    }
    let name = frame
        .message_type()
        .map_or("unknown message", crate::wire::MessageType::name);
    let sequence = frame.sequence();
    let content = json_text(&message)?;
    print(&format!("{controller} {name} {sequence} {content}\n"))
}

fn json_text(value: &impl serde::Serialize) -> Result<String, CliError> {
    serde_json::to_string(value).map_err(|error| CliError::Output(error.into()))
}
