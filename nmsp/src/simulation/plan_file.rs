//! A floor plan as a TOML file.

use pki_common::MacAddr;
use serde::Deserialize;

use super::error::SimulationError;
use super::geometry::{Position, Wall};
use super::plan::{AccessPoint, AddressBlock, ChokepointPlace, Corner, FloorPlan, Radio, address};
use super::propagation::Propagation;
use crate::wire::Band;

/// The loss of a wall that does not say: plasterboard, in dB.
const DEFAULT_WALL_LOSS_DB: f64 = 3.0;
/// The range of a chokepoint that does not say, in metres.
const DEFAULT_CHOKEPOINT_METRES: f64 = 4.0;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PlanFile {
    name: Option<String>,
    width: f64,
    depth: f64,
    corner: Option<CornerTable>,
    #[serde(default)]
    propagation: PropagationTable,
    #[serde(default)]
    wall: Vec<WallTable>,
    #[serde(default)]
    access_point: Vec<AccessPointTable>,
    #[serde(default)]
    chokepoint: Vec<ChokepointTable>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct CornerTable {
    latitude: f64,
    longitude: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct PropagationTable {
    rssi_at_one_metre_dbm: Option<f64>,
    exponent: Option<f64>,
    noise_db: Option<f64>,
    sensitivity_dbm: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WallTable {
    from: [f64; 2],
    to: [f64; 2],
    loss_db: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct AccessPointTable {
    position: [f64; 2],
    name: Option<String>,
    group: Option<String>,
    mac: Option<MacAddr>,
    antennas: Option<u8>,
    #[serde(default)]
    radio: Vec<RadioTable>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct RadioTable {
    band: Band,
    channel: u8,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct ChokepointTable {
    position: [f64; 2],
    mac: Option<MacAddr>,
    range: Option<f64>,
}

fn place([x, y]: [f64; 2]) -> Position {
    Position { x, y }
}

impl FloorPlan {
    /// Reads a plan. All lengths are metres, places are `[x, y]` from the upper left corner.
    ///
    /// ```
    /// let plan = nmsp::simulation::FloorPlan::from_toml(
    ///     r#"
    /// width = 40
    /// depth = 16
    /// [[wall]]
    /// from = [20, 0]
    /// to = [20, 12]
    /// loss-db = 6
    /// [[access-point]]
    /// name = "lobby"
    /// group = "ground"
    /// position = [5, 8]
    /// "#,
    /// )?;
    /// assert_eq!(plan.access_points[0].group, "ground");
    /// # Ok::<(), nmsp::simulation::SimulationError>(())
    /// ```
    ///
    /// # Errors
    /// If the text is not TOML of this form (with line and column), or a value makes no sense (with its place).
    pub fn from_toml(text: &str) -> Result<Self, SimulationError> {
        let file: PlanFile = toml::from_str(text)
            .map_err(|error| SimulationError::Toml(error.to_string().trim_end().to_owned()))?;
        let default = Propagation::default();
        let given = &file.propagation;
        let plan = Self {
            name: file.name.unwrap_or_else(|| "floor".to_owned()),
            walls: file.wall.iter().map(WallTable::wall).collect(),
            access_points: file.access_point.into_iter().zip(1..).map(access_point).collect(),
            chokepoints: file.chokepoint.iter().zip(1..).map(chokepoint).collect(),
            corner: file.corner.map(|corner| Corner {
                latitude: corner.latitude,
                longitude: corner.longitude,
            }),
            propagation: Propagation {
                rssi_at_one_metre_dbm: given
                    .rssi_at_one_metre_dbm
                    .unwrap_or(default.rssi_at_one_metre_dbm),
                exponent: given.exponent.unwrap_or(default.exponent),
                noise_db: given.noise_db.unwrap_or(default.noise_db),
                sensitivity_dbm: given.sensitivity_dbm.unwrap_or(default.sensitivity_dbm),
            },
            ..Self::hall(file.width, file.depth)
        };
        plan.check()?;
        Ok(plan)
    }
}

impl WallTable {
    fn wall(&self) -> Wall {
        Wall {
            from: place(self.from),
            to: place(self.to),
            loss_db: self.loss_db.unwrap_or(DEFAULT_WALL_LOSS_DB),
        }
    }
}

fn access_point((table, number): (AccessPointTable, u32)) -> AccessPoint {
    let mut access_point = AccessPoint::numbered(number, place(table.position));
    if let Some(name) = table.name {
        access_point.name = name;
    }
    if let Some(group) = table.group {
        access_point.group = group;
    }
    if let Some(mac) = table.mac {
        access_point.mac = mac;
    }
    if !table.radio.is_empty() {
        let radio = |radio: &RadioTable| Radio {
            band: radio.band,
            channel: radio.channel,
            antennas: 1,
        };
        access_point.radios = table.radio.iter().map(radio).collect();
    }
    for radio in &mut access_point.radios {
        radio.antennas = table.antennas.unwrap_or(1);
    }
    access_point
}

fn chokepoint((table, number): (&ChokepointTable, u32)) -> ChokepointPlace {
    ChokepointPlace {
        mac: table
            .mac
            .unwrap_or_else(|| address(AddressBlock::Chokepoint, number)),
        position: place(table.position),
        range: table.range.unwrap_or(DEFAULT_CHOKEPOINT_METRES),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        FloorPlan::from_toml(text).unwrap_err().to_string()
    }

    #[test]
    fn says_line_or_place_of_what_is_wrong() {
        let line = refused("width = 40\ndepth = 16\nwals = []\n");
        assert!(line.contains("line 3") && line.contains("wals"), "{line}");
        let none = refused("width = 40\ndepth = 16\n");
        assert!(none.contains("access-point: there are 0, not 1 to"), "{none}");
        let outside = refused("width = 40\ndepth = 16\n[[access-point]]\nname = \"a\"\nposition = [41, 2]\n");
        assert!(
            outside.contains("access-point 1 (a): position [41, 2] is not on the floor of 40 m × 16 m"),
            "{outside}"
        );
        let huge = refused("width = 1e9\ndepth = 16\n");
        assert!(
            huge.contains("width: 1000000000 m is not 1 m to 10000 m"),
            "{huge}"
        );
        let point = "[[access-point]]\nposition = [1, 2]\n";
        let exponent = refused(&format!(
            "width = 40\ndepth = 16\n[propagation]\nexponent = 0\n{point}"
        ));
        assert!(
            exponent.contains("propagation.exponent: 0 is not 1 to 8"),
            "{exponent}"
        );
        let antennas = refused(&format!("width = 40\ndepth = 16\n{point}antennas = 0\n"));
        assert!(antennas.contains("0 antennas, not 1 to 8"), "{antennas}");
    }

    #[test]
    fn takes_every_key() {
        let plan = FloorPlan::from_toml(
            "name = \"hall\"\nwidth = 40\ndepth = 16.5\ncorner = { latitude = 48.1, longitude = 11.5 }\n\
             [propagation]\nrssi-at-one-metre-dbm = -40\nexponent = 3\nnoise-db = 0\nsensitivity-dbm = -90\n\
             [[wall]]\nfrom = [1, 2]\nto = [3, 4]\nloss-db = 9\n\
             [[access-point]]\nname = \"a\"\ngroup = \"g\"\nmac = \"02:00:00:00:00:10\"\nposition = [1, 2]\nantennas = 2\n\
             [[access-point.radio]]\nband = \"6 GHz\"\nchannel = 5\n\
             [[chokepoint]]\nposition = [3, 3]\nmac = \"02:00:00:00:00:20\"\nrange = 2\n",
        )
        .unwrap();
        assert_eq!(
            (plan.name.as_str(), plan.depth, plan.walls[0].loss_db),
            ("hall", 16.5, 9.0)
        );
        assert_eq!(plan.propagation.exponent, 3.0);
        let point = &plan.access_points[0];
        assert_eq!((point.group.as_str(), point.radios.len()), ("g", 1));
        let radio = point.radios[0];
        assert_eq!((radio.band, radio.channel, radio.antennas), (Band::GHZ_6, 5, 2));
        assert_eq!(point.mac.to_string(), "02:00:00:00:00:10");
        assert_eq!(plan.chokepoints[0].range, 2.0);
    }
}
