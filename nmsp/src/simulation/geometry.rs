//! Places and walls, in metres.

/// A place on the floor, in metres from its upper left corner.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Position {
    /// Metres to the right.
    pub x: f64,
    /// Metres down.
    pub y: f64,
}

impl Position {
    /// A place.
    #[must_use]
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// The distance to another place, in metres.
    #[must_use]
    pub fn distance(self, other: Self) -> f64 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    /// The place that is this part of the way to another, 0 to 1.
    #[must_use]
    pub(super) fn towards(self, other: Self, part: f64) -> Self {
        Self {
            x: self.x + (other.x - self.x) * part,
            y: self.y + (other.y - self.y) * part,
        }
    }

    /// Which side of the line from `from` to `to` it is on: the sign; 0 on the line.
    fn side(self, from: Self, to: Self) -> f64 {
        (to.x - from.x) * (self.y - from.y) - (to.y - from.y) * (self.x - from.x)
    }
}

/// A straight wall.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wall {
    /// One end.
    pub from: Position,
    /// The other end.
    pub to: Position,
    /// How much weaker a signal is behind it, in dB.
    pub loss_db: f64,
}

impl Wall {
    /// Whether the straight line between two places goes through the wall; touching it counts.
    #[must_use]
    pub fn separates(&self, one: Position, other: Position) -> bool {
        let apart = |a: f64, b: f64, c: f64, d: f64| a.max(b) < c.min(d) || c.max(d) < a.min(b);
        if apart(one.x, other.x, self.from.x, self.to.x) || apart(one.y, other.y, self.from.y, self.to.y) {
            return false;
        }
        one.side(self.from, self.to) * other.side(self.from, self.to) <= 0.0
            && self.from.side(one, other) * self.to.side(one, other) <= 0.0
    }

    /// How close the straight line between two places comes to the wall, in metres; 0 if it goes through.
    #[must_use]
    pub fn clearance(&self, one: Position, other: Position) -> f64 {
        if self.separates(one, other) {
            return 0.0;
        }
        [
            distance_to_segment(one, self.from, self.to),
            distance_to_segment(other, self.from, self.to),
            distance_to_segment(self.from, one, other),
            distance_to_segment(self.to, one, other),
        ]
        .into_iter()
        .fold(f64::INFINITY, f64::min)
    }
}

fn distance_to_segment(place: Position, from: Position, to: Position) -> f64 {
    let (dx, dy) = (to.x - from.x, to.y - from.y);
    let length_squared = dx * dx + dy * dy;
    let part = if length_squared == 0.0 {
        0.0
    } else {
        (((place.x - from.x) * dx + (place.y - from.y) * dy) / length_squared).clamp(0.0, 1.0)
    };
    place.distance(from.towards(to, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WALL: Wall = Wall {
        from: Position::new(5.0, 0.0),
        to: Position::new(5.0, 10.0),
        loss_db: 4.0,
    };

    #[test]
    fn a_wall_separates_what_is_on_its_two_sides_and_nothing_else() {
        let place = Position::new;
        assert!(WALL.separates(place(0.0, 5.0), place(10.0, 5.0)));
        assert!(WALL.separates(place(5.0, 5.0), place(10.0, 5.0)));
        assert!(!WALL.separates(place(0.0, 5.0), place(4.9, 5.0)));
        // Past its end.
        assert!(!WALL.separates(place(0.0, 10.5), place(10.0, 10.5)));
        assert!(!WALL.separates(place(0.0, 15.0), place(20.0, 5.0)));
    }

    #[test]
    fn clearance_is_the_distance_of_the_nearest_points() {
        let place = Position::new;
        let close = |one, other, expected: f64| {
            let clearance = WALL.clearance(one, other);
            assert!(
                (clearance - expected).abs() < 1e-9,
                "{one:?} {other:?}: {clearance}"
            );
        };
        close(place(0.0, 5.0), place(10.0, 5.0), 0.0);
        close(place(6.0, 1.0), place(8.0, 9.0), 1.0);
        close(place(0.0, 12.0), place(10.0, 12.0), 2.0);
        close(place(2.0, 5.0), place(2.0, 5.0), 3.0);
    }
}
