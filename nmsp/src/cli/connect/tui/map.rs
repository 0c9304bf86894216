//! The floor: walls, access points, and stations where their signal strengths put them.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use ratatui::widgets::canvas::{Canvas, Context, Line as Stroke, Rectangle};

use super::Choice;
use crate::cli::connect::picture::{Picture, Station};
use crate::simulation::FloorPlan;
use crate::wire::numbers::StationClass;

/// A cell of a terminal is about twice as high as it is wide.
const CELL_HEIGHT: f64 = 2.0;
/// Signal strengths from here on are good, in dBm,
const GOOD_DBM: i8 = -60;
/// and from here on will do.
const FAIR_DBM: i8 = -72;

pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, choice: &Choice, picture: &Picture) {
    let Some(plan) = picture.floor() else {
        let text = "No access point has a known place yet.\n\n\
                    Give a floor plan with --floor FILE, or subscribe ap-info or location (--service all)\n\
                    and wait until the controller says where its access points are.";
        frame.render_widget(Paragraph::new(text), area);
        return;
    };
    let [map, legend] = ratatui::layout::Layout::vertical([
        ratatui::layout::Constraint::Min(3),
        ratatui::layout::Constraint::Length(1),
    ])
    .areas(area);
    let canvas = Canvas::default()
        .marker(Marker::Braille)
        .x_bounds([0.0, plan.width])
        .y_bounds([0.0, plan.depth])
        .paint(|context| paint(context, choice, picture, plan));
    frame.render_widget(canvas, fitted(map, plan.width, plan.depth));
    frame.render_widget(Paragraph::new(legend_line(choice, plan)), legend);
}

/// The largest part of an area that has the proportions of the floor.
pub(super) fn fitted(area: Rect, width: f64, depth: f64) -> Rect {
    let (columns, rows) = (f64::from(area.width), f64::from(area.height));
    let scale = (columns / width).min(rows * CELL_HEIGHT / depth);
    Rect {
        width: cells(width * scale).clamp(1, area.width.max(1)),
        height: cells(depth * scale / CELL_HEIGHT).clamp(1, area.height.max(1)),
        ..area
    }
}

#[expect(
    clippy::as_conversions,
    reason = "a float has no TryFrom; `as` clamps to the range"
)]
fn cells(value: f64) -> u16 {
    value.round() as u16
}

fn paint(context: &mut Context<'_>, choice: &Choice, picture: &Picture, plan: &FloorPlan) {
    // The plan counts downwards, the canvas upwards.
    let up = |y: f64| plan.depth - y;
    let quiet = if choice.plain {
        Color::Reset
    } else {
        Color::DarkGray
    };
    context.draw(&Rectangle {
        x: 0.0,
        y: 0.0,
        width: plan.width,
        height: plan.depth,
        color: quiet,
    });
    for wall in &plan.walls {
        context.draw(&Stroke::new(
            wall.from.x,
            up(wall.from.y),
            wall.to.x,
            up(wall.to.y),
            quiet,
        ));
    }
    context.layer();
    for (mac, station) in &picture.stations {
        let Some(place) = station.place else { continue };
        let _ = mac;
        context.print(
            place.x,
            up(place.y),
            Span::styled(glyph(station.class), strength_style(choice, station)),
        );
    }
    for access_point in &plan.access_points {
        let style = if choice.plain {
            Style::new().bold()
        } else {
            Style::new().fg(Color::Cyan).bold()
        };
        let label = format!("▣{}", access_point.name);
        context.print(
            access_point.position.x,
            up(access_point.position.y),
            Span::styled(label, style),
        );
    }
}

pub(super) const fn glyph(class: StationClass) -> &'static str {
    match class {
        StationClass::CLIENT => "•",
        StationClass::RFID_TAG => "t",
        StationClass::ROGUE_AP => "R",
        StationClass::ROGUE_CLIENT => "r",
        StationClass::INTERFERER => "!",
        StationClass::HANDOVER_CLIENT => "h",
        _ => "?",
    }
}

/// By the strongest reading.
pub(super) fn strength_style(choice: &Choice, station: &Station) -> Style {
    let strongest = station.strongest().map(|reading| reading.rssi_dbm);
    let colour = match strongest {
        Some(rssi) if rssi >= GOOD_DBM => Color::Green,
        Some(rssi) if rssi >= FAIR_DBM => Color::Yellow,
        _ => Color::Red,
    };
    if choice.plain {
        Style::new()
    } else {
        Style::new().fg(colour)
    }
}

fn legend_line(choice: &Choice, plan: &FloorPlan) -> Line<'static> {
    let mut spans = vec![Span::raw(format!(
        "{:.0} m × {:.0} m  ▣ access point  • client  t tag  R rogue AP  r its client  ! interferer",
        plan.width, plan.depth
    ))];
    if !choice.plain {
        for (text, colour) in [
            ("  ≥ -60 dBm", Color::Green),
            ("  ≥ -72 dBm", Color::Yellow),
            ("  weaker", Color::Red),
        ] {
            spans.push(Span::styled(text, Style::new().fg(colour)));
        }
    }
    Line::from(spans)
}
