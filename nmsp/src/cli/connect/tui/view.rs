//! Everything but the map.

use core::cmp::Reverse;
use std::time::Instant;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row, Table, Tabs};

use super::{Choice, Page, map};
use crate::cli::connect::picture::Picture;
use crate::cli::connect::source::Health;
use crate::cli::connect::table;

const KEYS: &str = "Tab, 1-4  pages
↑ ↓ PgUp PgDn Home  scroll
p, space  pause and go on
h, ?  this help
q, Esc, Ctrl-C  end";

pub(super) fn draw(
    frame: &mut Frame<'_>,
    choice: &Choice,
    picture: &Picture,
    health: &[Health],
    now: Instant,
) {
    let [head, tabs, body] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(1), Constraint::Min(1)])
            .areas(frame.area());
    frame.render_widget(Paragraph::new(headline(choice, picture, health)), head);
    let titles = Tabs::new(Page::ALL.map(Page::title))
        .select(choice.page.number())
        .highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    frame.render_widget(titles, tabs);
    match choice.page {
        Page::Map => map::draw(frame, body, choice, picture),
        Page::Connections => connections(frame, body, choice, picture, health),
        Page::Messages => messages(frame, body, choice, picture, health),
        Page::Stations => stations(frame, body, choice, picture, now),
    }
    if choice.help {
        help(frame);
    }
}

fn headline(choice: &Choice, picture: &Picture, health: &[Health]) -> Line<'static> {
    let up = health.iter().filter(|each| each.is_up()).count();
    let rate: f64 = picture
        .controllers
        .iter()
        .map(super::super::picture::Received::rate)
        .sum();
    let lost = picture.lost();
    let lost_style = if lost > 0 && !choice.plain {
        Style::new().fg(Color::Red)
    } else {
        Style::new()
    };
    let mut spans = vec![
        Span::styled("nmsp", Style::new().bold()),
        Span::raw(format!(
            "  {up}/{} controllers up  {} stations  {rate:.0} messages/s  ",
            health.len(),
            picture.stations.len(),
        )),
        Span::styled(format!("{lost} lost"), lost_style),
        Span::raw("  h help"),
    ];
    if choice.paused {
        spans.push(Span::styled(
            "  paused",
            Style::new().add_modifier(Modifier::REVERSED),
        ));
    }
    Line::from(spans)
}

fn header(names: impl IntoIterator<Item = &'static str>) -> Row<'static> {
    Row::new(names).style(Style::new().bold())
}

fn connections(frame: &mut Frame<'_>, area: Rect, choice: &Choice, picture: &Picture, health: &[Health]) {
    let rows = picture.controllers.iter().zip(health).map(|(received, health)| {
        let colour = if health.is_up() {
            Color::Green
        } else {
            Color::Yellow
        };
        let style = if choice.plain {
            Style::new()
        } else {
            Style::new().fg(colour)
        };
        let error = health
            .last_error
            .as_ref()
            .map(|failure| format!("{}: {}", failure.rung, failure.cause));
        // What is wrong now goes before what the clocks say.
        let remark = match (error, &health.clock) {
            (Some(error), Some(clock)) if health.is_up() => format!("{clock}; last error {error}"),
            (Some(error), _) => error,
            (None, clock) => clock.clone().unwrap_or_default(),
        };
        Row::new([
            Cell::from(health.controller.clone()),
            Cell::from(Span::styled(health.state.to_string(), style)),
            Cell::from(format!("{} s", health.seconds)),
            Cell::from(health.reconnects.to_string()),
            Cell::from(received.notifications().to_string()),
            Cell::from(format!("{:.0}", received.rate())),
            Cell::from(received.lost.to_string()),
            Cell::from(remark),
        ])
    });
    let widths = [
        Constraint::Min(22),
        Constraint::Length(11),
        Constraint::Length(7),
        Constraint::Length(5),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Length(5),
        Constraint::Fill(2),
    ];
    let table = Table::new(rows.skip(choice.scroll), widths).header(header([
        "Controller",
        "State",
        "For",
        "Again",
        "Messages",
        "/s",
        "Lost",
        "Last error, clock",
    ]));
    frame.render_widget(table, area);
}

fn messages(frame: &mut Frame<'_>, area: Rect, choice: &Choice, picture: &Picture, health: &[Health]) {
    let rows = picture
        .controllers
        .iter()
        .zip(health)
        .flat_map(|(received, health)| {
            received.messages.iter().map(|(message, tally)| {
                Row::new([
                    health.controller.clone(),
                    message.name().to_owned(),
                    tally.received.to_string(),
                    format!("{:.1}", tally.rate),
                    tally.bytes.to_string(),
                ])
            })
        });
    let widths = [
        Constraint::Min(22),
        Constraint::Min(26),
        Constraint::Length(12),
        Constraint::Length(10),
        Constraint::Length(14),
    ];
    let table = Table::new(rows.skip(choice.scroll), widths).header(header([
        "Controller",
        "Message",
        "Received",
        "/s",
        "Bytes",
    ]));
    frame.render_widget(table, area);
}

fn stations(frame: &mut Frame<'_>, area: Rect, choice: &Choice, picture: &Picture, now: Instant) {
    let mut all: Vec<_> = picture.stations.iter().collect();
    all.sort_unstable_by_key(|(mac, station)| {
        (
            Reverse(station.strongest().map(|reading| reading.rssi_dbm)),
            **mac,
        )
    });
    let first = choice.scroll.min(all.len().saturating_sub(1));
    let mut lines = vec![Line::from(Span::styled(
        "Station            Class        Age   RSSI  Access point       Heard  State           User, SSID",
        Style::new().bold(),
    ))];
    let room = usize::from(area.height.saturating_sub(1));
    for (mac, station) in all.into_iter().skip(first).take(room) {
        let text = format!("{mac}  {}", table::row(picture, station, now));
        lines.push(Line::from(Span::styled(
            text,
            map::strength_style(choice, station),
        )));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let (width, height) = (44.min(area.width), 7.min(area.height));
    let place = Rect {
        x: area.width.saturating_sub(width) / 2,
        y: area.height.saturating_sub(height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(KEYS).block(Block::bordered().title("Keys")), place);
}
