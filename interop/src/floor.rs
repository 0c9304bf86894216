//! The floor of the lab: four access points and twenty clients that walk about, simulated by [`nmsp::simulation`], and its
//! picture for a terminal.

use std::fmt::Write;

use nmsp::simulation::{AccessPoint, FloorPlan, Position};

/// A hall of 40 m × 16 m with an access point near each corner.
pub fn plan() -> FloorPlan {
    let mut plan = FloorPlan::hall(40.0, 16.0);
    let corners = [
        (3.0, 2.5),
        (plan.width - 3.0, 2.5),
        (3.0, plan.depth - 2.5),
        (plan.width - 3.0, plan.depth - 2.5),
    ];
    let places = corners.into_iter().map(|(x, y)| Position { x, y });
    plan.access_points = (1..)
        .zip(places)
        .map(|(number, place)| AccessPoint::numbered(number, place))
        .collect();
    plan
}

/// Draws the floor for a terminal: `[1]`…`[4]` are access points, a letter is a station (`a` for the first).
pub fn draw(plan: &FloorPlan, stations: &[Position]) -> String {
    const COLUMNS: u16 = 72;
    const ROWS: u16 = 15;
    let mut picture = vec![vec![' '; usize::from(COLUMNS)]; usize::from(ROWS)];
    let mut put = |place: Position, column_offset: usize, glyph: char| {
        let column = cell(place.x / plan.width, COLUMNS) + column_offset;
        if let Some(field) = picture
            .get_mut(cell(place.y / plan.depth, ROWS))
            .and_then(|row| row.get_mut(column))
        {
            *field = glyph;
        }
    };
    for (place, letter) in stations.iter().zip(('a'..='z').chain('A'..='Z').cycle()) {
        put(*place, 0, letter);
    }
    for (radio, digit) in plan.access_points.iter().zip('1'..='9') {
        for (offset, glyph) in ['[', digit, ']'].into_iter().enumerate() {
            put(radio.position, offset, glyph);
        }
    }
    let edge = "─".repeat(usize::from(COLUMNS));
    let mut drawing = format!("┌{edge}┐\n");
    for row in picture {
        drawing.extend(['│'].into_iter().chain(row).chain(['│', '\n']));
    }
    // Writing to a String cannot fail.
    let _ = write!(drawing, "└{edge}┘\n  {:.0} m × {:.0} m", plan.width, plan.depth);
    drawing
}

#[expect(
    clippy::as_conversions,
    reason = "a float has no TryFrom to usize; the value is clamped to the cells first"
)]
fn cell(fraction: f64, cells: u16) -> usize {
    (fraction * f64::from(cells))
        .floor()
        .clamp(0.0, f64::from(cells - 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drawing_shows_every_access_point_and_a_station() {
        let drawing = draw(&plan(), &[Position { x: 20.0, y: 8.0 }]);
        for mark in ["[1]", "[2]", "[3]", "[4]", "a", "40 m × 16 m"] {
            assert!(drawing.contains(mark), "{mark} is missing in\n{drawing}");
        }
    }
}
