//! The commands of the README and of the EST guide, typed by a newcomer: every block must run, and print what stands
//! below it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of a test: a panic is its verdict"
)]

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use interop::peers::{REQUIRE, find_or_skip};

const README: &str = include_str!("../../README.md");
const GUIDE: &str = include_str!("../../docs/est.md");
/// The ports that the pages print; the test takes free ones instead.
const PORTS: [&str; 2] = ["8085", "8086"];
/// A line of its own stands for any lines, within a line for any text.
const ANYTHING: &str = "…";
/// Printed between the blocks, to tell their outputs apart.
const MARK: &str = "====== end of a block ======";
/// Seconds after which a walk that hangs is ended. It takes about five.
const PATIENCE: &str = "300";

/// Commands, and what they print.
struct Block {
    commands: String,
    prints: String,
}

#[test]
fn every_block_of_the_readme_prints_what_stands_below_it() {
    let Some(commands) = ready(&["openssl", "curl", "timeout", "diff", "od"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut blocks = blocks(README, "## EST by `curl` and `openssl`");
    let build = blocks.remove(0);
    assert_eq!(build.commands, "cargo build --release -p est --features cli");
    for operation in [
        "cacerts",
        "csrattrs",
        "simpleenroll",
        "simplereenroll",
        "serverkeygen",
        "fullcmc",
    ] {
        let asked = format!("$EST/{operation}");
        assert!(
            blocks.iter().any(|block| block.commands.contains(&asked)),
            "no block asks for {operation}"
        );
    }

    let outputs = walk(folder.path(), &commands, &blocks);
    for (block, output) in blocks.iter().zip(&outputs) {
        assert_printed(&block.prints, output);
    }
}

#[test]
fn the_first_commands_of_the_guide_work() {
    let Some(commands) = ready(&["timeout"]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let blocks = blocks(GUIDE, "## In five minutes");

    let outputs = walk(folder.path(), &commands, &blocks);
    let output = &outputs[0];
    for part in [
        "CN=device-7 enrolled, certificate in device.pem",
        "CN=device-7 enrolled, certificate in renewed.pem",
        "subject: /DC=com/DC=example/CN=device-7",
    ] {
        assert!(output.contains(part), "{part:?} is not in\n{output}");
    }
}

#[test]
fn the_comparison_notices_a_missing_a_surplus_and_a_changed_line() {
    let matches = |expected: &str, output: &str| {
        let lines = |text: &str| text.lines().map(normal).collect::<Vec<_>>();
        lines_match(&lines(expected), &lines(output))
    };
    assert!(matches("a\n…\nb …\n", "a\nx\ny\nb c\n"));
    assert!(matches("a\n…\nb\n", "a\nb\n"));
    assert!(matches("CN = x, O = y", "CN=x, O=y"));
    assert!(!matches("a\nb\n", "a\n"));
    assert!(!matches("a\n", "a\nb\n"));
    assert!(!matches("a\n…\nb\n", "a\nx\nc\n"));
    assert!(!matches("revoked … of x", "revoked 1 of y"));
}

/// The blocks of a section.
fn blocks(page: &str, heading: &str) -> Vec<Block> {
    let (_, section) = page.split_once(heading).expect("the section is there");
    let section = section
        .split_once("\n## ")
        .map_or(section, |(section, _)| section);
    let mut blocks: Vec<Block> = Vec::new();
    // Fences and what is between them take turns.
    for fenced in section.split("\n```").skip(1).step_by(2) {
        let (kind, text) = fenced.split_once('\n').unwrap();
        match kind {
            "sh" => blocks.push(Block {
                commands: text.to_owned(),
                prints: String::new(),
            }),
            "text" => text.clone_into(&mut blocks.last_mut().unwrap().prints),
            other => panic!("a block of the kind {other:?}"),
        }
    }
    blocks
}

/// The folder with `est`, which `cargo test --workspace` builds beside the lab; `None` where it or a tool is missing.
fn ready(tools: &[&str]) -> Option<PathBuf> {
    if tools.iter().any(|tool| find_or_skip(tool).is_none()) {
        return None;
    }
    let folder = Path::new(env!("CARGO_BIN_EXE_interop")).parent().unwrap();
    let built = folder.join("est").is_file();
    if !built {
        assert!(
            std::env::var_os(REQUIRE).is_none(),
            "est must be built where peers are required"
        );
        let note = "skipped: not built: est (cargo test --workspace builds it)";
        drop(writeln!(std::io::stderr(), "{note}"));
    }
    built.then(|| folder.to_owned())
}

/// Runs the blocks in one shell, as they stand but for the ports and the folder of the commands. Returns what each
/// printed.
fn walk(folder: &Path, commands: &Path, blocks: &[Block]) -> Vec<String> {
    // The server goes with the shell, however that ends.
    let mut script = format!(
        "set -e\nPATH='{}':$PATH\nstop() {{ jobs -p > jobs; kill $(cat jobs) 2> kill.log || :; }}\ntrap stop EXIT\n",
        commands.display()
    );
    for block in blocks {
        script.push_str(&block.commands);
        script.push_str(&format!("\necho '{MARK}'\n"));
    }
    // Held until all are found, so that they differ.
    let free: Vec<TcpListener> = PORTS
        .iter()
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    for (port, free) in PORTS.iter().zip(&free) {
        script = script.replace(
            &format!("127.0.0.1:{port}"),
            &format!("127.0.0.1:{}", free.local_addr().unwrap().port()),
        );
    }
    drop(free);

    let errors = folder.join("errors");
    let output = Command::new("timeout")
        .args([PATIENCE, "sh", "-c", &script])
        .current_dir(folder)
        .env_remove("EST_CA_PASSPHRASE")
        .stdin(Stdio::null())
        .stderr(fs::File::create(&errors).unwrap())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut outputs: Vec<String> = printed.split(&format!("{MARK}\n")).map(str::to_owned).collect();
    let rest = outputs.pop().unwrap_or_default();
    let errors = fs::read_to_string(&errors).unwrap();
    let log = fs::read_to_string(folder.join("est-walk/serve.log")).unwrap_or_default();
    assert!(
        outputs.len() == blocks.len() && rest.is_empty() && output.status.success(),
        "block {} failed ({}):\n{}\nit printed:\n{rest}\nerrors of all blocks:\n{errors}\nlog of the server:\n{log}",
        outputs.len() + 1,
        output.status,
        blocks.get(outputs.len()).map_or("", |block| &block.commands),
    );
    outputs
}

fn assert_printed(expected: &str, output: &str) {
    let (wanted, found): (Vec<String>, Vec<String>) = (
        expected.lines().map(normal).collect(),
        output.lines().map(normal).collect(),
    );
    assert!(
        lines_match(&wanted, &found),
        "the page says:\n{expected}\nthe block printed:\n{output}"
    );
}

/// OpenSSL 3.2 writes `CN=x` where earlier ones write `CN = x`; some lines end in blanks.
fn normal(line: &str) -> String {
    line.trim_end().replace(" = ", "=")
}

fn lines_match(wanted: &[String], found: &[String]) -> bool {
    match wanted.split_first() {
        None => found.is_empty(),
        Some((first, rest)) if first == ANYTHING => {
            (0..=found.len()).any(|skipped| lines_match(rest, &found[skipped..]))
        }
        Some((first, rest)) => found
            .split_first()
            .is_some_and(|(line, others)| line_matches(first, line) && lines_match(rest, others)),
    }
}

fn line_matches(wanted: &str, found: &str) -> bool {
    let Some((start, mut wanted)) = wanted.split_once(ANYTHING) else {
        return wanted == found;
    };
    let Some(mut found) = found.strip_prefix(start) else {
        return false;
    };
    while let Some((part, rest)) = wanted.split_once(ANYTHING) {
        let Some((_, behind)) = found.split_once(part) else {
            return false;
        };
        (wanted, found) = (rest, behind);
    }
    found.ends_with(wanted)
}
