//! How strong a signal arrives: the log-distance path-loss model with walls,
//! `RSSI(d) = RSSI(1 m) − 10 · n · log10(d) − walls`, and noise.

use super::geometry::{Position, Wall};
use crate::wire::Band;

/// No closer than this, in metres: nobody stands inside an antenna.
const NEAREST_METRES: f64 = 0.5;

/// The numbers of the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Propagation {
    /// Received power at one metre on 5 GHz, in dBm. Default −35: a client of 15 dBm loses about 47 dB on the first metre,
    /// and the antennas give a little back.
    pub rssi_at_one_metre_dbm: f64,
    /// The path-loss exponent. Default 2.8: an office with light walls.
    pub exponent: f64,
    /// The standard deviation of a reading, in dB. Default 1.
    pub noise_db: f64,
    /// What receivers can still hear, in dBm. Default −92.
    pub sensitivity_dbm: f64,
}

impl Default for Propagation {
    fn default() -> Self {
        Self {
            rssi_at_one_metre_dbm: -35.0,
            exponent: 2.8,
            noise_db: 1.0,
            sensitivity_dbm: -92.0,
        }
    }
}

impl Propagation {
    /// What arrives without noise, in dBm, behind walls of this loss.
    #[must_use]
    pub fn expected_rssi(&self, band: Band, metres: f64, wall_loss_db: f64) -> f64 {
        self.rssi_at_one_metre_dbm + band_gain(band)
            - 10.0 * self.exponent * metres.max(NEAREST_METRES).log10()
            - wall_loss_db
    }

    /// How far away a transmitter can be heard if no wall is in the way, in metres.
    pub(super) fn range_metres(&self) -> f64 {
        let margin = self.rssi_at_one_metre_dbm + band_gain(Band::GHZ_2_4) - self.sensitivity_dbm;
        10_f64.powf((margin + 4.0 * self.noise_db) / (10.0 * self.exponent))
    }
}

/// How much more than on 5 GHz arrives, in dB: the loss of the first metre grows with the frequency, 20 · log10(f).
fn band_gain(band: Band) -> f64 {
    match band {
        Band::GHZ_2_4 => 6.7,
        Band::GHZ_6 => -1.0,
        _ => 0.0,
    }
}

/// What arrives as noise on a channel of the band, in dBm.
pub(super) const fn noise_floor_dbm(band: Band) -> i8 {
    match band {
        Band::GHZ_2_4 => -92,
        Band::GHZ_6 => -97,
        _ => -95,
    }
}

/// The loss of all walls between two places, in dB; no more walls are looked at when `enough` is lost.
pub(super) fn wall_loss(walls: &[Wall], one: Position, other: Position, enough: f64) -> f64 {
    let mut loss = 0.0;
    for wall in walls {
        if wall.separates(one, other) {
            loss += wall.loss_db;
            if loss > enough {
                break;
            }
        }
    }
    loss
}

/// A deviation with the mean 0 and the standard deviation 1, near enough to the normal distribution: the sum of four
/// numbers that are equally distributed over an interval. Never more than 3.5.
pub(super) fn deviation(random: &mut fastrand::Rng) -> f64 {
    let sum: f64 = (0..4).map(|_| random.f64()).sum();
    // The variance of the sum is 4/12.
    (sum - 2.0) * 3_f64.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_times_the_distance_costs_ten_times_the_exponent() {
        let model = Propagation::default();
        let at = |metres| model.expected_rssi(Band::GHZ_5, metres, 0.0);
        assert!((at(1.0) - -35.0).abs() < 1e-9);
        assert!((at(1.0) - at(10.0) - 28.0).abs() < 1e-9);
        assert!((at(10.0) - model.expected_rssi(Band::GHZ_5, 10.0, 4.0) - 4.0).abs() < 1e-9);
        assert!(model.expected_rssi(Band::GHZ_2_4, 10.0, 0.0) > at(10.0));
        assert!((at(0.0) - at(0.5)).abs() < 1e-9, "no infinity at the antenna");
    }

    #[test]
    fn deviations_have_the_mean_0_and_the_standard_deviation_1() {
        let mut random = fastrand::Rng::with_seed(1);
        let all: Vec<f64> = (0..10_000).map(|_| deviation(&mut random)).collect();
        let mean = all.iter().sum::<f64>() / 10_000.0;
        let variance = all.iter().map(|each| each * each).sum::<f64>() / 10_000.0;
        assert!(
            mean.abs() < 0.05 && (variance - 1.0).abs() < 0.1,
            "{mean} {variance}"
        );
        assert!(all.iter().all(|each| each.abs() < 3.5));
    }
}
