//! What is done with a device: a run of cases, or one case again.

use std::fmt::Write as _;
use std::future::poll_fn;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use interop::device_fuzz::examine::Examiner;
use interop::device_fuzz::grammar::Grammar;
use interop::device_fuzz::liveness::Liveness;
use interop::device_fuzz::report;
use interop::device_fuzz::resume::{Identity, Replay, STATE_FILE, State};
use interop::device_fuzz::run;
use interop::device_fuzz::target::Target;
use interop::device_fuzz::verdict::Harm;
use pki_common::{Diagnose as _, Failure};

use super::local;
use super::options::Options;
use super::progress::Bar;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Task {
    /// A run; with the command line for its files.
    Run(Vec<String>),
    /// One case again.
    Replay(Box<Replay>),
}

/// The device, as reports call it, and what the user wants.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) name: String,
    pub(super) options: &'a Options,
}

impl Task {
    /// Whether something was found.
    pub(super) async fn perform<G: Grammar, T: Target, L: Liveness<T>>(
        self,
        mut examiner: Examiner<G, T, L>,
        subject: Subject<'_>,
    ) -> Result<bool, Failure> {
        match self {
            Self::Run(arguments) => run_all(&mut examiner, &subject, arguments).await,
            Self::Replay(replay) => repeat(&mut examiner, &replay, subject.options.settings().pace).await,
        }
    }
}

async fn run_all<G: Grammar, T: Target, L: Liveness<T>>(
    examiner: &mut Examiner<G, T, L>,
    subject: &Subject<'_>,
    arguments: Vec<String>,
) -> Result<bool, Failure> {
    let options = subject.options;
    let folder = options.output.as_path();
    let seed = seed(options, folder)?;
    let identity = Identity::of(
        &examiner.grammar,
        subject.name.clone(),
        seed,
        options.case_budget(),
    );
    let state = State::open(folder, identity, arguments, options.resume).map_err(|error| error.diagnose())?;
    let stop = stop_on_interrupt().await;
    crate::cli::report(&format_args!(
        "seed {}, from case {} on; Ctrl-C ends the run, --resume continues it",
        state.identity.seed, state.next
    ));
    let mut bar = Bar::new(options.cases, state.next, options.quiet);
    let outcome = run::run(examiner, &options.settings(), state, &mut bar, &stop).await;
    drop(bar);
    let state = outcome.map_err(|error| error.diagnose())?;
    say(&summary(&state, folder))?;
    Ok(!state.findings.is_empty())
}

/// The seed of the run that is continued, or that was given, or chance.
fn seed(options: &Options, folder: &Path) -> Result<u64, Failure> {
    if let Some(seed) = options.seed {
        return Ok(seed);
    }
    if options.resume && folder.join(STATE_FILE).exists() {
        let state = State::load(folder).map_err(|error| error.diagnose())?;
        return Ok(state.identity.seed);
    }
    // Short enough to be typed.
    Ok(fastrand::u64(..1 << 32))
}

/// Becomes true at the first Ctrl-C from now on; the second one ends the program at once.
async fn stop_on_interrupt() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let mut interrupt = Box::pin(tokio::signal::ctrl_c());
    // Tokio takes the signal from the operating system when this is first polled; before, it would end the program.
    let early = poll_fn(|context| Poll::Ready(interrupt.as_mut().poll(context))).await;
    if early.is_ready() {
        // It cannot be taken here.
        return stop;
    }
    tokio::spawn(async move {
        let mut next = interrupt.await;
        while next.is_ok() {
            if told.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(super::CANNOT_RUN));
            }
            crate::cli::report(&"interrupted: the case that is under way comes to its end first");
            next = tokio::signal::ctrl_c().await;
        }
    });
    stop
}

fn summary(state: &State, folder: &Path) -> String {
    let mut text = String::new();
    let verdicts = state.verdicts();
    let counts = verdicts
        .iter()
        .map(|(verdict, count)| format!("{count} {verdict}"));
    let counts: Vec<String> = counts.collect();
    let reason = state.ended.as_deref().unwrap_or("it goes on");
    put(
        &mut text,
        format_args!("{} cases ({}); {reason}", state.next, counts.join(", ")),
    );
    for finding in &state.findings {
        put(
            &mut text,
            format_args!(
                "finding {}: {}, {}",
                finding.number, finding.case.layer, finding.case.name
            ),
        );
        put(&mut text, format_args!("  {}", finding.harm));
        put(&mut text, format_args!("  {}", finding.minimisation));
        put(
            &mut text,
            format_args!("  repeat it: {}", report::replay_command(finding, folder)),
        );
    }
    if state.findings.is_empty() {
        put(&mut text, format_args!("nothing was found"));
    }
    let shown = |file: &str| folder.join(file).display().to_string();
    put(
        &mut text,
        format_args!(
            "reports: {}, {}",
            shown(report::HTML_FILE),
            shown(report::JUNIT_FILE)
        ),
    );
    text
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Into a String: it cannot fail.
    let _: Result<(), std::fmt::Error> = writeln!(text, "{line}");
}

async fn repeat<G: Grammar, T: Target, L: Liveness<T>>(
    examiner: &mut Examiner<G, T, L>,
    replay: &Replay,
    pace: Duration,
) -> Result<bool, Failure> {
    examiner.works().await.map_err(|problem| {
        local(
            &format!("before the case, the device does not work: {problem}"),
            "Make the plain client work first; `interop doctor` says what is missing.",
        )
    })?;
    let mut text = format!(
        "{}, {}\nthen: {}\n",
        replay.case.layer, replay.case.name, replay.harm
    );
    text.push_str(&report::script(&replay.case));
    if matches!(replay.harm, Harm::Descriptors { .. }) {
        // What the look above has opened is closed by then.
        examiner.usage_when_idle().await;
        let leaks = examiner.leaks(&replay.case, pace).await;
        let now = if leaks {
            "it leaks file descriptors"
        } else {
            "it does not leak (--pid says which process is looked at)"
        };
        put(&mut text, format_args!("now: {now}"));
        say(&text)?;
        return Ok(leaks);
    }
    let examined = examiner.examine(&replay.case).await;
    for seen in &examined.seen {
        put(&mut text, format_args!("seen: {seen}"));
    }
    put(&mut text, format_args!("verdict: {}", examined.verdict));
    match &examined.harm {
        Some(harm) => put(&mut text, format_args!("now: {harm}")),
        None => put(&mut text, format_args!("now: the device goes on")),
    }
    say(&text)?;
    Ok(examined.harm.is_some())
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| {
            local(
                &format!("the standard output cannot be written: {error}"),
                "Give it somewhere to go.",
            )
        })
}
