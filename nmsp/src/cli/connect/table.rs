//! The live table: the present state on a terminal, drawn again and again in the same place.

use std::fmt::Write as _;
use std::time::Instant;

use console::{Style, Term, style};

use super::picture::{Picture, Station};
use super::source::Health;
use crate::cli::failure::CliError;
use crate::wire::numbers::StationState;

/// Lines that are not stations: controllers come on top.
const OTHER_LINES: usize = 4;
/// A terminal that does not say how high it is.
const DEFAULT_ROWS: usize = 24;

pub(super) struct Table {
    terminal: Term,
    drawn: usize,
}

impl Table {
    pub(super) fn new() -> Self {
        Self {
            terminal: Term::stdout(),
            drawn: 0,
        }
    }

    /// Draws over what was drawn before.
    pub(super) fn draw(
        &mut self,
        picture: &Picture,
        health: &[Health],
        now: Instant,
    ) -> Result<(), CliError> {
        let (rows, columns) = self
            .terminal
            .size_checked()
            .map_or((DEFAULT_ROWS, 80), |(rows, columns)| {
                (usize::from(rows), usize::from(columns))
            });
        let mut text = String::new();
        let mut lines = 0;
        for line in render(picture, health, now, rows) {
            text.push_str(&console::truncate_str(&line, columns.saturating_sub(1), "…"));
            text.push('\n');
            lines += 1;
        }
        self.terminal
            .clear_last_lines(self.drawn)
            .and_then(|()| self.terminal.write_str(&text))
            .map_err(CliError::Output)?;
        self.drawn = lines;
        Ok(())
    }
}

/// The lines of the table; no more than fit.
pub(super) fn render(picture: &Picture, health: &[Health], now: Instant, rows: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for (received, health) in picture.controllers.iter().zip(health) {
        let colour = if health.is_up() {
            Style::new().green()
        } else {
            Style::new().yellow()
        };
        let lost = match received.lost {
            0 => style("0".to_owned()),
            lost => style(lost.to_string()).red(),
        };
        let mut line = format!(
            "{}  {} {} s  {} messages  {:.0}/s  {lost} lost",
            health.controller,
            colour.apply_to(health.state),
            health.seconds,
            received.notifications(),
            received.rate(),
        );
        if let Some(failure) = health.last_error.as_ref().filter(|_| !health.is_up()) {
            let _ = write!(line, "  {}: {}", failure.rung, failure.cause);
        }
        lines.push(line);
    }
    let mut stations: Vec<_> = picture.stations.iter().collect();
    let room = rows.saturating_sub(lines.len() + OTHER_LINES).max(1);
    stations.sort_unstable_by_key(|(mac, station)| {
        (
            core::cmp::Reverse(station.strongest().map(|reading| reading.rssi_dbm)),
            **mac,
        )
    });
    lines.push(style("STATION            CLASS         AGE  RSSI  ACCESS POINT       HEARD  STATE           USER, SSID").bold().to_string());
    for (mac, station) in stations.iter().take(room) {
        lines.push(format!("{mac}  {}", row(picture, station, now)));
    }
    let hidden = stations.len().saturating_sub(room);
    lines.push(match hidden {
        0 => format!("{} stations; Ctrl-C ends", stations.len()),
        more => format!(
            "{} stations, {more} of them not shown; Ctrl-C ends",
            stations.len()
        ),
    });
    lines
}

/// What stands behind the address of a station.
pub(super) fn row(picture: &Picture, station: &Station, now: Instant) -> String {
    let age = now.saturating_duration_since(station.heard_at).as_secs();
    let strongest = station.strongest();
    let (rssi, at) = strongest.map_or_else(Default::default, |reading| {
        let known = picture.access_points.get(&reading.access_point);
        let name = known.and_then(|known| known.name.as_ref());
        (
            reading.rssi_dbm.to_string(),
            name.map_or_else(|| reading.access_point.to_string(), ToString::to_string),
        )
    });
    let state = station
        .state
        .map(|state| StationState::to_string(&state))
        .unwrap_or_default();
    let mut who = station.user.as_ref().map(ToString::to_string).unwrap_or_default();
    if let Some(ssid) = &station.ssid {
        if !who.is_empty() {
            who.push_str(", ");
        }
        who.push_str(&ssid.to_string());
    }
    format!(
        "{:<12} {age:>3}s  {rssi:>4}  {at:<17}  {:>5}  {state:<14}  {who}",
        station.class.to_string(),
        station.readings.len(),
    )
}
