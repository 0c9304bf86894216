//! Runs the cases of all peers and compares them with what was expected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use interop::peers::{REQUIRE, demands, programs, report_skip};
use libtest_mimic::{Arguments, Completion, Conclusion, Failed, Trial};

use crate::arguments;
use crate::case::{Case, Missing, Peer};
use crate::matrix::expected::{Divergence, Expected};
use crate::matrix::page::{PeerLine, Row};
use crate::matrix::{Outcome, judge};

/// Names that `INTEROP_REQUIRE` may list for tests of other binaries.
const OTHER_NAMES: [&str; 2] = ["kill", "prometheus_client"];

type Outcomes = Arc<Mutex<BTreeMap<(&'static str, &'static str), Outcome>>>;

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) conclusion: Conclusion,
    pub(crate) peers: Vec<PeerLine>,
    /// Every case, in the order of the peers.
    pub(crate) rows: Vec<Row>,
    /// Why this run says nothing about the whole matrix; `None` when every case of every peer was run.
    pub(crate) incomplete: Option<String>,
}

/// Runs what the arguments ask for. `demanded` are the names that [`REQUIRE`] lists.
///
/// # Errors
/// What is wrong with the cases, with `interop/expected.toml` or with `INTEROP_REQUIRE`; or that nothing was run although
/// peers are demanded.
pub(crate) fn run(
    peers: Vec<Peer>,
    expected: &Arc<Expected>,
    options: &Arguments,
    filters: &[String],
    demanded: &[String],
) -> Result<Report, String> {
    check_names(&peers, demanded)?;
    expected.check_cases(|peer, case| {
        let mut of_peer = peers.iter().filter(|known| known.name == peer);
        of_peer.any(|known| known.cases.iter().any(|known| known.name == case))
    })?;
    let mut plan = Plan::default();
    for peer in peers {
        let is_demanded = demanded.iter().any(|listed| demands_peer(listed, &peer));
        plan.add(peer, is_demanded, expected, options);
    }
    let trials = arguments::select(std::mem::take(&mut plan.trials), filters, options.exact);
    let conclusion = libtest_mimic::run(options, trials);
    let rows = plan.rows(expected);
    let (all, were_run) = (rows.len(), rows.iter().filter(|row| row.was_run).count());
    let incomplete = if plan.absent.is_empty() {
        (were_run < all).then(|| format!("{were_run} of {all} cases were run"))
    } else {
        Some(format!("not installed: {}", plan.absent.join(", ")))
    };
    if plan.any_demanded && were_run == 0 && !options.list {
        let why = incomplete.unwrap_or_default();
        return Err(format!("{REQUIRE} demands peers, but no case was run; {why}"));
    }
    Ok(Report {
        conclusion,
        peers: plan.peers,
        rows,
        incomplete,
    })
}

/// What is to be run.
#[derive(Default)]
struct Plan {
    peers: Vec<PeerLine>,
    any_demanded: bool,
    /// The peers that are missing, and what of them.
    absent: Vec<String>,
    trials: Vec<Trial>,
    /// The cases: the place of the peer in `peers`, its name, the case's name.
    order: Vec<(usize, &'static str, &'static str)>,
    outcomes: Outcomes,
}

impl Plan {
    fn add(&mut self, peer: Peer, is_demanded: bool, expected: &Arc<Expected>, options: &Arguments) {
        let found = (peer.find)();
        if let Err(Missing(what)) = &found {
            self.absent.push(format!("{} ({what})", peer.name));
            if !options.list && !is_demanded {
                report_skip(peer.name);
            }
        }
        self.any_demanded |= is_demanded;
        let place = self.peers.len();
        self.peers.push(PeerLine {
            name: peer.name.to_owned(),
            version: found.clone().unwrap_or_else(|_| "not installed".to_owned()),
            about: peer.about.to_owned(),
        });
        for case in peer.cases {
            self.order.push((place, peer.name, case.name));
            let judge = Judge {
                peer: peer.name,
                is_demanded,
                missing: found.clone().err(),
                expected: Arc::clone(expected),
                outcomes: Arc::clone(&self.outcomes),
            };
            let name = format!("{}: {}", peer.name, case.name);
            self.trials
                .push(Trial::ignorable_test(name, move || judge.run(case)));
        }
    }

    /// Every case, with its outcome or what is expected of it.
    fn rows(&self, expected: &Expected) -> Vec<Row> {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |&(place, peer, case): &(usize, &'static str, &'static str)| {
            let divergence = expected.find(peer, case);
            let outcome = outcomes.get(&(peer, case)).cloned();
            Row {
                peer: peer.to_owned(),
                version: self.peers[place].version.clone(),
                case: case.to_owned(),
                was_run: outcome.is_some(),
                outcome: outcome.unwrap_or_else(|| divergence.map_or(Outcome::Passed, Divergence::outcome)),
                reason: divergence.map_or_else(String::new, |divergence| divergence.reason.clone()),
            }
        };
        self.order.iter().map(row).collect()
    }
}

/// Runs one case, keeps its outcome and says whether it is as expected.
struct Judge {
    peer: &'static str,
    is_demanded: bool,
    missing: Option<Missing>,
    expected: Arc<Expected>,
    outcomes: Outcomes,
}

impl Judge {
    /// A case that cannot be run is ignored; where its peer is demanded, it has failed.
    fn run(self, case: Case) -> Result<Completion, Failed> {
        let (peer, name) = (self.peer, case.name);
        let outcome = match self.missing {
            Some(Missing(what)) => Outcome::Skipped(format!("not installed: {what}")),
            None => case.run(),
        };
        if let Outcome::Skipped(missing) = outcome {
            return if self.is_demanded {
                Err(Failed::from(format!("{REQUIRE} demands {peer}, but: {missing}")))
            } else {
                Ok(Completion::ignored_with(missing))
            };
        }
        let judged = judge(&outcome, self.expected.find(peer, name));
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        outcomes.insert((peer, name), outcome);
        judged.map(|()| Completion::Completed).map_err(Failed::from)
    }
}

/// By its own name or by that of one of its programs.
fn demands_peer(listed: &str, peer: &Peer) -> bool {
    let mut programs = programs(peer.name).into_iter();
    demands(listed, peer.name) || programs.any(|program| demands(listed, program))
}

/// A name that is twice there, a peer without cases or a demand that nothing can meet would let a run pass that shows
/// less than it seems to.
fn check_names(peers: &[Peer], demanded: &[String]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for peer in peers {
        if peer.cases.is_empty() {
            return Err(format!("the peer {} has no cases", peer.name));
        }
        let mut cases = peer.cases.iter();
        if let Some(case) = cases.find(|case| !seen.insert((peer.name, case.name))) {
            return Err(format!("the peer {} has two cases {:?}", peer.name, case.name));
        }
    }
    let known = |name: &str| {
        let is_other = OTHER_NAMES.contains(&name);
        is_other || peers.iter().any(|peer| demands_peer(name, peer))
    };
    let Some(unknown) = demanded.iter().find(|name| !known(name)) else {
        return Ok(());
    };
    let names: Vec<_> = peers.iter().map(|peer| peer.name).collect();
    let names = names.join(", ");
    Err(format!(
        "{REQUIRE} lists {unknown}, which no test knows; the peers are {names}"
    ))
}
