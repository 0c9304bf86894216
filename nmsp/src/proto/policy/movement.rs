//! Whether a station's signal strength has moved enough to report it again.

use crate::wire::AccessPointReading;

/// Whether a station moved by at least `threshold_db` between two sets of readings: some antenna hears it that much
/// better or worse, hears it now and did not before, or no longer hears it. A threshold of 0 is always reached.
///
/// Readings are in the form of the wire ([`AccessPointReading::to_bytes`]), as a store keeps them.
#[must_use]
pub fn has_moved(
    reported: &[[u8; AccessPointReading::LENGTH]],
    now: &[[u8; AccessPointReading::LENGTH]],
    threshold_db: u8,
) -> bool {
    if threshold_db == 0 || reported.len() != now.len() {
        return true;
    }
    let same_place = |old: &AccessPointReading, new: &AccessPointReading| {
        old.access_point == new.access_point && old.band == new.band && old.antenna == new.antenna
    };
    // Access points mostly report in the same order.
    now.iter().zip(reported).any(|(new, old_here)| {
        let new = AccessPointReading::from_bytes(*new);
        let old_here = AccessPointReading::from_bytes(*old_here);
        let old = if same_place(&old_here, &new) {
            Some(old_here)
        } else {
            reported
                .iter()
                .map(|old| AccessPointReading::from_bytes(*old))
                .find(|old| same_place(old, &new))
        };
        old.is_none_or(|old| old.rssi_dbm.abs_diff(new.rssi_dbm) >= threshold_db)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Band;
    use pki_common::MacAddr;

    fn heard(readings: &[(u8, i8, Option<u8>)]) -> Vec<[u8; AccessPointReading::LENGTH]> {
        let reading = |(access_point, rssi_dbm, antenna): &(u8, i8, Option<u8>)| {
            AccessPointReading {
                access_point: MacAddr::from([0, 0, 0, 0, 0, *access_point]),
                rssi_dbm: *rssi_dbm,
                band: Band::GHZ_5,
                channel: 36,
                snr_db: None,
                antenna: *antenna,
            }
            .to_bytes()
        };
        readings.iter().map(reading).collect()
    }

    #[test]
    fn a_station_has_moved_when_one_antenna_hears_it_differently_enough() {
        let before = heard(&[(1, -60, None), (2, -70, None)]);
        let table = [
            ("nothing changed", vec![(1, -60, None), (2, -70, None)], false),
            ("a little weaker", vec![(1, -64, None), (2, -74, None)], false),
            (
                "weaker by the threshold",
                vec![(1, -65, None), (2, -70, None)],
                true,
            ),
            (
                "stronger by the threshold",
                vec![(1, -60, None), (2, -65, None)],
                true,
            ),
            ("another order", vec![(2, -71, None), (1, -61, None)], false),
            (
                "another order and weaker",
                vec![(2, -71, None), (1, -66, None)],
                true,
            ),
            ("another access point", vec![(1, -60, None), (3, -70, None)], true),
            ("another antenna", vec![(1, -60, None), (2, -70, Some(1))], true),
            ("one access point less", vec![(1, -60, None)], true),
            (
                "one more",
                vec![(1, -60, None), (2, -70, None), (3, -90, None)],
                true,
            ),
        ];
        for (what, now, moved) in table {
            assert_eq!(has_moved(&before, &heard(&now), 5), moved, "{what}");
            assert!(has_moved(&before, &heard(&now), 0), "{what}, without a threshold");
        }
        assert!(has_moved(
            &heard(&[(1, i8::MIN, None)]),
            &heard(&[(1, i8::MAX, None)]),
            127
        ));
    }
}
