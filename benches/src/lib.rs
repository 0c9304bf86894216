//! Benchmarks side by side with a baseline, reported as ratios.
//!
//! ```sh
//! cargo bench -p benches                       # all
//! cargo bench -p benches --bench nmsp_framing  # one
//! ```
//!
//! Each benchmark measures our code and its baseline with criterion in one run and then prints how the two compare
//! ([`Comparison::report`]). Only the ratio is worth quoting: the absolute times belong to one machine on one day.
//!
//! ```no_run
//! use benches::Comparison;
//!
//! let mut criterion = benches::criterion();
//! let mut group = criterion.benchmark_group("sum");
//! group.bench_function("ours", |b| b.iter(|| (0..100_u32).sum::<u32>()));
//! group.bench_function("baseline", |b| b.iter(|| 99 * 100 / 2));
//! group.finish();
//! Comparison { group: "sum", ours: "ours", baseline: "baseline", what: "adding up" }.report();
//! ```

pub mod process;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::Criterion;

/// Criterion as all benchmarks here use it: its results go to `target/criterion`, where [`Comparison::report`] finds
/// them.
pub fn criterion() -> Criterion {
    Criterion::default()
        .output_directory(&output_directory())
        .sample_size(30)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args()
}

/// Two benchmarks of one group that did the same work.
#[derive(Debug, Clone, Copy)]
pub struct Comparison {
    /// The criterion group.
    pub group: &'static str,
    /// Our benchmark in it.
    pub ours: &'static str,
    /// What ours is compared with.
    pub baseline: &'static str,
    /// What both did, for the report.
    pub what: &'static str,
}

impl Comparison {
    /// Prints the ratio of the two rates from criterion's own estimates: 1.00 is as fast as the baseline, 0.50 half as
    /// fast.
    ///
    /// Says so when there is nothing to compare, for instance because a filter on the command line left one out.
    #[expect(clippy::print_stdout, reason = "the report is the product of a benchmark")]
    pub fn report(self) {
        match (self.median(self.ours), self.median(self.baseline)) {
            (Some(ours), Some(baseline)) => println!(
                "ratio  {:<32} {:.2} × the rate of {} ({ours:.0} ns against {baseline:.0} ns)",
                self.what,
                baseline / ours,
                self.baseline,
            ),
            _ => println!("ratio  {:<32} not measured in this run", self.what),
        }
    }

    /// Criterion's median estimate in nanoseconds per iteration.
    fn median(self, benchmark: &str) -> Option<f64> {
        let file = output_directory()
            .join(self.group)
            .join(benchmark)
            .join("new")
            .join("estimates.json");
        let estimates: serde_json::Value = serde_json::from_str(&fs::read_to_string(file).ok()?).ok()?;
        estimates.get("median")?.get("point_estimate")?.as_f64()
    }
}

fn output_directory() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    target.join("criterion")
}

fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}
