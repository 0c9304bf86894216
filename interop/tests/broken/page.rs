//! `docs/broken-servers.md` and the files of findings beside it: what the searches found, written by a run with
//! `INTEROP_WRITE=1`, and compared by every other one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use interop::device_fuzz::case::Case;
use interop::device_fuzz::report;
use interop::device_fuzz::resume::Replay;

use crate::found::ALL;
use crate::ordinary::broken;
use crate::search::{BUDGET, CASES, EST_HOST, Expected, Found, OPERATIONS, Role, USER};

/// Set to 1, a run writes what else it compares.
const WRITE: &str = "INTEROP_WRITE";

/// Where a controller listens, and a location server connects to, when a case of the page is repeated.
pub(crate) const NMSP_ADDRESS: &str = "127.0.0.1:16113";

/// Hexadecimal digits in a line of the page.
const DIGITS: usize = 120;

/// One search at a time writes.
static WRITING: Mutex<()> = Mutex::new(());

const INTRODUCTION: &str = "\
# What `interop fuzz` finds in ten broken devices

Each of the ten small servers and clients of [`interop/broken`](../interop/broken/README.md) has one defect that was planted in it. Ordinary
peers do not meet it. The robustness tester searched each of them until it had a finding, and made the case small.

This page and the files in `broken-servers/` were written by `INTEROP_WRITE=1 cargo test -p interop --test broken`. Without the variable the
same test searches again: it fails if a defect is found by another case, with another verdict, or not at all, and if the smallest case does not
do the same to a device that was just started. Do not edit it.

The seeds are chosen so that the test is short: with another seed it takes more cases or fewer. No search may take more than ";

const COLUMNS: &str = "
| device | what it is | planted defect | seed | found by case | layer, mutation | verdict | smallest case |
|---|---|---|---|---|---|---|---|
";

const REPEATED: &str = "
To repeat one, build both programs with `cargo build -p interop`, start the device in one shell, and play the file to it in another. With
`length-wrap`:

```sh
target/debug/broken length-wrap --listen 127.0.0.1:16113 --folder lab
target/debug/interop fuzz replay docs/broken-servers/length-wrap.json
```

EST servers listen on port 8085 then, and the tester takes their password from the environment. Where memory or descriptors are looked at, it
needs the number of the process, which the device prints. Location servers connect to port 16113 of the tester. The commands stand with each.
The search itself is the command line that the file holds under `arguments`.

The same searches on our own servers find nothing: `cargo test -p interop --test device_fuzz`, and for longer `.ci/device-fuzz`.
";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/broken-servers")
}

/// The file of a device's finding.
pub(crate) fn file(name: &str) -> PathBuf {
    folder().join(format!("{name}.json"))
}

fn page() -> PathBuf {
    folder().with_extension("md")
}

pub(crate) fn writes() -> bool {
    std::env::var(WRITE).is_ok_and(|value| value == "1")
}

/// The command line behind `interop fuzz` that makes the same search.
pub(crate) fn arguments(expected: &Expected) -> Vec<String> {
    let mut line = match expected.role {
        Role::Controller => format!("nmsp {NMSP_ADDRESS} --identity lab/tester"),
        Role::LocationServer => format!("nmsp-client {NMSP_ADDRESS} --identity lab/tester --echo-every 0"),
        Role::EstServer => {
            let operations = OPERATIONS.map(|operation| format!(" --operation {operation}"));
            format!("est https://{EST_HOST} --user {USER}{}", operations.concat())
        }
    };
    let (kib, look) = (BUDGET.bytes / 1024, expected.look.as_secs());
    line.push_str(&format!(
        " --trust-anchors lab/ca.pem --seed {} --cases {CASES} --findings 1 --minimise {} \
         --case-connections {} --case-requests {} --case-traffic {kib} --case-stall {} --alive-within {look} --tries 1 \
         --recovery 1",
        expected.seed, expected.trials, BUDGET.connections, BUDGET.requests, BUDGET.stall_milliseconds
    ));
    line.split_whitespace().map(str::to_owned).collect()
}

/// What the file of a finding holds.
pub(crate) fn replay_of(found: &Found) -> Replay {
    Replay::of(&found.finding, &found.state)
}

/// The finding is the one of the page; or the page is written.
pub(crate) fn compare_or_write(found: &Found) {
    let (replay, file) = (replay_of(found), file(found.expected.name));
    if writes() {
        let writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        std::fs::create_dir_all(folder()).unwrap();
        replay.save(&file).unwrap();
        if ALL.iter().all(|expected| self::file(expected.name).exists()) {
            std::fs::write(page(), render()).unwrap();
        }
        drop(writing);
        return;
    }
    let shown = Replay::load(&file).unwrap();
    assert_eq!(stable(&replay), stable(&shown), "{}", file.display());
}

/// What is the same in each run. How far a case can be made smaller may depend on what else the machine does.
fn stable(replay: &Replay) -> impl PartialEq + core::fmt::Debug {
    let case = &replay.case;
    (
        (case.seed, case.index, case.layer, case.mutation().to_owned()),
        (replay.grammar.clone(), replay.arguments.clone()),
        (replay.harm.kind(), replay.harm.complaint().map(str::to_owned)),
    )
}

fn render() -> String {
    let list = broken(&["list"]).1;
    let mut text = INTRODUCTION.to_owned();
    text.push_str(&format!("{CASES} cases.\n{COLUMNS}"));
    let mut cases = String::new();
    for expected in ALL {
        let replay = Replay::load(&file(expected.name)).unwrap();
        let line = list.lines().find(|line| line.starts_with(expected.name)).unwrap();
        let what = line[expected.name.len()..].trim_start();
        let (role, defect) = what.split_once("  ").unwrap();
        row(&mut text, &expected, role, defect.trim(), &replay);
        section(&mut cases, &expected, &replay);
    }
    text + REPEATED + &cases
}

fn row(text: &mut String, expected: &Expected, role: &str, defect: &str, replay: &Replay) {
    let case = &replay.case;
    let (layer, mutation) = (case.layer, case.mutation());
    let verdict = replay.harm.kind();
    writeln!(
        text,
        "| [`{name}`](#{name}) | {role} | {defect} | {} | {} | {layer}, {mutation} | {verdict} | {} |",
        case.seed,
        case.index + 1,
        size(case),
        name = expected.name,
    )
    .unwrap();
}

fn size(case: &Case) -> String {
    let (steps, bytes) = (case.script.len(), case.bytes());
    let ending = |one: bool| if one { "" } else { "s" };
    format!(
        "{steps} step{}, {bytes} byte{}",
        ending(steps == 1),
        ending(bytes == 1)
    )
}

fn section(text: &mut String, expected: &Expected, replay: &Replay) {
    let name = expected.name;
    writeln!(text, "\n## {name}\n\nThe case was: {}.", replay.case.name).unwrap();
    if let Some(complaint) = replay.harm.complaint() {
        writeln!(text, "The answer is wrong: {complaint}.").unwrap();
    }
    writeln!(
        text,
        "\n```text\n{}```\n\n```sh",
        wrapped(&report::script(&replay.case))
    )
    .unwrap();
    let place = match expected.role {
        Role::Controller => format!("--listen {NMSP_ADDRESS}"),
        Role::LocationServer => format!("--controller {NMSP_ADDRESS}"),
        Role::EstServer => format!("--listen {EST_HOST}"),
    };
    let password = match expected.role {
        Role::EstServer => format!("EST_PASSWORD={USER} "),
        _ => String::new(),
    };
    let process = match expected.harm {
        "memory" | "descriptors" => " --pid PROCESS",
        _ => "",
    };
    writeln!(
        text,
        "target/debug/broken {name} {place} --folder lab\n\
         {password}target/debug/interop fuzz replay docs/broken-servers/{name}.json{process}\n```"
    )
    .unwrap();
}

/// Long lines of digits in several.
fn wrapped(script: &str) -> String {
    let mut text = String::new();
    for line in script.lines() {
        let mut rest = line;
        while let Some((start, more)) = rest.split_at_checked(DIGITS).filter(|(_, more)| !more.is_empty()) {
            writeln!(text, "{start}").unwrap();
            text.push_str("     ");
            rest = more;
        }
        writeln!(text, "{rest}").unwrap();
    }
    text
}

#[test]
fn the_page_is_what_its_files_say() {
    if !writes() {
        assert_eq!(std::fs::read_to_string(page()).unwrap(), render());
    }
}
