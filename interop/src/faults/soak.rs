//! Hours of ordinary use of both servers, with what each uses sampled: memory, descriptors, threads and
//! tasks must not grow.
//!
//! Clients enrol and re-enrol, tunnels come, stay, subscribe and go, lists are fetched; now and then a certificate is revoked
//! and both servers are told to read their configuration again.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use est::auth::BasicCredentials;
use est::client::{Client, ClientConfig, EnrollOptions, EnrollOutcome, ReenrollOptions};
use pki_common::trust_store::TrustStore;
use pki_common::{Certificate, Failure};
use rustix::process::Signal;
use tokio::task::JoinHandle;
use tokio::time::{Instant as TokioInstant, sleep, sleep_until};

use super::lab::{Lab, Load, Manners, Sample, Settings, Size, Tally, USER_AND_PASSWORD};
use super::{Binaries, count, trouble};

/// How long it takes, and what it runs.
#[derive(Clone, Debug)]
pub struct SoakOptions {
    /// The two commands.
    pub binaries: Binaries,
    /// For how long.
    pub time: Duration,
    /// How often the servers are looked at.
    pub every: Duration,
}

/// The fewest samples that can be judged: ten in each third.
pub const FEWEST_SAMPLES: usize = 30;

/// Rests of the clients: some fifty enrolments and twenty tunnels a second on one core, which leaves it time.
const SIZE: Size = Size {
    enrolling: 2,
    visiting: 1,
    lasting: 4,
    rest: Duration::from_millis(50),
};

/// What a measure may have grown by between two thirds of the run and still be flat.
#[derive(Clone, Copy, Debug)]
struct Slack {
    name: &'static str,
    unit: &'static str,
    /// In parts of a hundred of the middle third.
    percent: u64,
    /// And at least so much: what comes and goes with the clients of the moment.
    least: u64,
    of: fn(&Sample) -> u64,
}

/// What is judged, and how.
///
/// Memory has 5 % and 4 MiB: the database's cache and the allocator's arenas still fill in the middle third of a short run.
/// Descriptors and tasks have 8, the connections of the moment. Threads have 4: the runtime ends idle ones after 10 s.
const MEASURES: [Slack; 4] = [
    Slack {
        name: "memory",
        unit: "KiB",
        percent: 5,
        least: 4096,
        of: |sample| sample.usage.memory,
    },
    Slack {
        name: "descriptors",
        unit: "",
        percent: 0,
        least: 8,
        of: |sample| sample.usage.descriptors,
    },
    Slack {
        name: "threads",
        unit: "",
        percent: 0,
        least: 4,
        of: |sample| sample.usage.threads,
    },
    Slack {
        name: "tasks",
        unit: "",
        percent: 0,
        least: 8,
        of: |sample| sample.tasks,
    },
];

/// One measure of one server over the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Whose and what.
    pub name: String,
    /// KiB for memory, else nothing.
    pub unit: &'static str,
    /// In the order of time.
    pub samples: Vec<u64>,
    /// The median of the middle third.
    pub middle: u64,
    /// The median of the last third.
    pub last: u64,
    /// What the last may be, at most.
    pub bound: u64,
}

impl Series {
    fn new(server: &str, slack: Slack, samples: Vec<u64>) -> Self {
        let third = samples.len() / 3;
        let median_of = |skipped: usize| median(samples.iter().copied().skip(skipped).take(third));
        let (middle, last) = (median_of(third), median_of(samples.len() - third));
        Self {
            name: format!("{server} {}", slack.name),
            unit: slack.unit,
            middle,
            last,
            bound: middle + slack.least + middle * slack.percent / 100,
            samples,
        }
    }

    /// Whether it has not grown: the median of the last third is no more than that of the middle third and what is allowed.
    #[must_use]
    pub const fn is_flat(&self) -> bool {
        self.last <= self.bound
    }

    /// The samples as one line of bars.
    #[must_use]
    pub fn plot(&self) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        const WIDTH: usize = 60;
        let least = self.samples.iter().min().copied().unwrap_or_default();
        let range = self.samples.iter().max().map_or(0, |most| most - least).max(1);
        let group = self.samples.len().div_ceil(WIDTH).max(1);
        let bar = |group: &[u64]| {
            let height = (median(group.iter().copied()) - least) * 7 / range;
            usize::try_from(height).ok().and_then(|height| BARS.get(height))
        };
        self.samples.chunks(group).filter_map(bar).collect()
    }
}

fn median(samples: impl Iterator<Item = u64>) -> u64 {
    let mut samples: Vec<u64> = samples.collect();
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct SoakReport {
    /// Each measure of each server.
    pub series: Vec<Series>,
    /// Certificates that were issued.
    pub certificates: u64,
    /// Those of them that are not on record.
    pub certificates_lost: u64,
    /// Tunnels that came up.
    pub tunnels: u64,
    /// Certificates that were renewed, and revoked.
    pub renewed: u64,
    /// See `renewed`.
    pub revoked: u64,
    /// Times that the servers read their configuration again.
    pub reloads: u64,
    /// Wrong answers, and the first of them.
    pub wrong_answers: u64,
    /// See `wrong_answers`.
    pub problems: Vec<String>,
}

impl SoakReport {
    /// Whether everything was served and nothing has grown.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.certificates_lost == 0
            && self.wrong_answers == 0
            && self.certificates > 0
            && self.tunnels > 0
            && self.series.iter().all(Series::is_flat)
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!(
            "{} certificates ({} renewed, {} revoked, {} lost), {} tunnels, {} reloads, {} wrong answers\n\n",
            self.certificates,
            self.renewed,
            self.revoked,
            self.certificates_lost,
            self.tunnels,
            self.reloads,
            self.wrong_answers
        );
        for series in &self.series {
            let verdict = if series.is_flat() { "flat" } else { "NOT FLAT" };
            // Writing to a String cannot fail.
            write!(
                text,
                "{:18} middle third {:>7} {:3} last third {:>7} {:3} at most {:>7}  {verdict}\n{:18} {}\n",
                series.name,
                series.middle,
                series.unit,
                series.last,
                series.unit,
                series.bound,
                "",
                series.plot()
            )
            .unwrap_or_default();
        }
        for problem in &self.problems {
            text.push_str(&format!("- {problem}\n"));
        }
        text
    }
}

/// Runs it.
///
/// # Errors
/// When the lab cannot be set up or goes on no longer.
pub async fn run(options: &SoakOptions) -> Result<SoakReport, Failure> {
    let lab_options = super::Options {
        binaries: options.binaries.clone(),
        scale: super::Scale::Full,
    };
    let lab = Lab::start(&lab_options, Settings::default())?;
    let load = Load::start(&lab, Manners::Served, SIZE)?;
    let renewing = Renewing::start(&lab, load.tally())?;
    let mut samples: Vec<[Sample; 2]> = Vec::new();
    let mut churn = Churn::default();
    let (begun, mut next) = (Instant::now(), TokioInstant::now());
    while begun.elapsed() < options.time {
        next += options.every;
        sleep_until(next).await;
        samples.push(lab.samples().await?);
        churn.disturb(&lab, load.tally())?;
    }
    let renewed = renewing.stop().await;
    let outcome = lab.finish("soak", churn.reloads, load).await?;
    let mut series = Vec::new();
    for slack in MEASURES {
        let est = samples.iter().map(|[est, _]| (slack.of)(est));
        let nmsp = samples.iter().map(|[_, nmsp]| (slack.of)(nmsp));
        series.push(Series::new("est", slack, est.collect()));
        series.push(Series::new("nmsp", slack, nmsp.collect()));
    }
    Ok(SoakReport {
        series,
        certificates: outcome.certificates,
        certificates_lost: outcome.certificates_lost,
        tunnels: outcome.tunnels,
        renewed,
        revoked: count(churn.revoked.len()),
        reloads: churn.reloads,
        wrong_answers: outcome.wrong_answers,
        problems: outcome.problems,
    })
}

/// What an operator does now and then.
#[derive(Default)]
struct Churn {
    turns: u64,
    reloads: u64,
    revoked: HashSet<Vec<u8>>,
}

impl Churn {
    /// Once for each sample: a revocation every third time, a reload every fifth.
    fn disturb(&mut self, lab: &Lab, tally: &Tally) -> Result<(), Failure> {
        self.turns += 1;
        if self.turns.is_multiple_of(3)
            && let Some(der) = tally.some_certificate(|der| !self.revoked.contains(der))
        {
            let serial = Certificate::from_der(&der)
                .map_err(trouble)?
                .serial_number()
                .to_vec();
            let directory = lab.authority().display().to_string();
            lab.run_est(&["ca", "revoke", "--dir", &directory, &hex::encode(serial)])?;
            self.revoked.insert(der);
        }
        if self.turns.is_multiple_of(5) {
            self.reloads += 1;
            lab.est.process().signal(Signal::HUP)?;
            lab.controller.process().signal(Signal::HUP)?;
        }
        Ok(())
    }
}

/// A client that renews one certificate again and again, with the certificate as its proof.
struct Renewing {
    task: JoinHandle<u64>,
    stop: Arc<core::sync::atomic::AtomicBool>,
}

impl Renewing {
    /// The rest between two renewals.
    const REST: Duration = Duration::from_millis(500);

    fn start(lab: &Lab, tally: &Arc<Tally>) -> Result<Self, Failure> {
        let anchors =
            TrustStore::from_paths("lab anchors", [lab.authority().join("ca.pem")]).map_err(trouble)?;
        let url = format!("https://{}", lab.doors()?.est);
        let mut config = ClientConfig::new(url.parse().map_err(trouble)?, Arc::new(anchors));
        config.timeouts = est::client::ClientTimeouts::per_step(super::lab::PATIENCE);
        let (tally, stop) = (
            Arc::clone(tally),
            Arc::<core::sync::atomic::AtomicBool>::default(),
        );
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut renewed = 0;
            while !stopped.load(core::sync::atomic::Ordering::Relaxed) {
                match renew_once(&config, &tally).await {
                    Ok(()) => renewed += 1,
                    Err(problem) => tally.wrong(format!("re-enrolment: {problem}")),
                }
                sleep(Self::REST).await;
            }
            renewed
        });
        Ok(Self { task, stop })
    }

    async fn stop(self) -> u64 {
        self.stop.store(true, core::sync::atomic::Ordering::Relaxed);
        self.task.await.unwrap_or_default()
    }
}

/// Enrols, and renews what came.
async fn renew_once(config: &ClientConfig, tally: &Tally) -> Result<(), String> {
    let text = |error: &dyn core::fmt::Display| error.to_string();
    let mut first = config.clone();
    let (user, password) = USER_AND_PASSWORD;
    first.basic = Some(BasicCredentials::new(user, password).map_err(|error| text(&error))?);
    let subject = "CN=renewing".parse().map_err(|error| text(&error))?;
    let client = Client::new(first).map_err(|error| text(&error))?;
    let enrolled = client.enroll(EnrollOptions::new(subject)).await;
    let EnrollOutcome::Enrolled(enrolled) = enrolled.map_err(|error| text(&error))? else {
        return Err("nothing waits for approval here".to_owned());
    };
    let identity = enrolled.identity().map_err(|error| text(&error))?;
    let mut second = config.clone();
    second.identity = Some(Arc::new(identity));
    let client = Client::new(second).map_err(|error| text(&error))?;
    let renewed = client
        .reenroll(ReenrollOptions::new(enrolled.certificate.clone()))
        .await;
    let EnrollOutcome::Enrolled(renewed) = renewed.map_err(|error| text(&error))? else {
        return Err("nothing waits for approval here".to_owned());
    };
    // Not offered for revocation, so that a renewal never meets one.
    for certificate in [&enrolled.certificate, &renewed.certificate] {
        tally.kept_certificate(certificate.der().to_vec());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(samples: impl Iterator<Item = u64>) -> Series {
        let [memory, ..] = MEASURES;
        Series::new("est", memory, samples.collect())
    }

    #[test]
    fn what_grows_through_the_last_third_is_not_flat_and_what_filled_up_before_is() {
        assert!(judged((0..90).map(|_| 50_000)).is_flat());
        // The caches of the first third, and a peak.
        assert!(
            judged((0..90).map(|n| if n < 30 {
                20_000 + n * 1000
            } else {
                50_000 + (n % 7) * 100
            }))
            .is_flat()
        );
        assert!(judged((0..90).map(|n| if n == 80 { 900_000 } else { 50_000 })).is_flat());
        assert!(!judged((0..90).map(|n| 50_000 + n * 1000)).is_flat());
        let [_, descriptors, ..] = MEASURES;
        assert!(!Series::new("est", descriptors, (0..90).map(|n| 20 + n / 3).collect()).is_flat());
    }

    #[test]
    fn the_plot_has_a_bar_for_each_sample_or_group_of_them() {
        assert_eq!(judged([0, 1, 7].into_iter()).plot(), "▁▂█");
        assert_eq!(judged((0..600).map(|_| 5)).plot().chars().count(), 60);
    }
}
