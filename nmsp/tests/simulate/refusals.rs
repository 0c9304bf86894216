//! Wrong arguments and files: what is wrong, where, and what to do.

use super::run;

fn refused(arguments: &[&str], status: i32) -> String {
    let output = run(arguments);
    let report = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {report}");
    report
}

#[test]
fn a_floor_plan_that_makes_no_sense_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let (floor, lab) = (folder.path().join("floor.toml"), folder.path().join("lab"));
    let (floor, lab) = (floor.to_str().unwrap(), lab.to_str().unwrap());
    let simulate = ["simulate", "--lab", lab, "--floor", floor];
    let report = refused(&simulate, 1);
    assert!(
        report.contains("floor.toml") && report.contains("remedy: "),
        "{report}"
    );
    std::fs::write(floor, "width = 10\ndepht = 5\n").unwrap();
    let report = refused(&simulate, 1);
    assert!(
        report.contains("floor.toml: ") && report.contains("line 2"),
        "{report}"
    );
    std::fs::write(
        floor,
        "width = 10\ndepth = 5\n[[access-point]]\nposition = [1, 6]\n",
    )
    .unwrap();
    let report = refused(&simulate, 1);
    assert!(
        report.contains("access-point 1 (ap-001): position [1, 6]"),
        "{report}"
    );
    assert!(
        !std::path::Path::new(lab).exists(),
        "nothing is made before the plan is good"
    );
}

#[test]
fn wrong_usage_is_told_before_anything_starts() {
    for arguments in [
        &["simulate"][..],
        &["simulate", "--lab", "l", "--config", "c"],
        &["simulate", "--lab", "l", "--rate", "0"],
        &["simulate", "--lab", "l", "--rate", "1", "--interval", "5"],
        &["simulate", "--lab", "l", "--access-points", "0"],
        &["simulate", "--lab", "l", "--floor", "f", "--access-points", "3"],
        &["connect"],
        &[
            "connect",
            "--config",
            "c",
            "--dangerous-pin-on-first-use",
            "p",
            "--trust-anchors",
            "a",
        ],
        &["connect", "--config", "c", "--json", "--tui"],
        &["connect", "--config", "c", "--interval", "181"],
        &["connect", "--config", "c", "--service", "none-such"],
    ] {
        let report = refused(arguments, 2);
        assert!(
            report.contains("Usage") || report.contains("--help"),
            "{arguments:?}: {report}"
        );
    }
}

#[test]
fn a_connect_file_is_refused_by_line_or_by_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("connect.toml");
    let name = file.to_str().unwrap();
    for (text, part) in [
        ("controler = [\"a\"]\n", "line 1"),
        (
            "controller = [\"a\"]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n",
            "nothing to check",
        ),
        ("controller = [\"a\"]\nservice = [\"rssi\"]\n", "rssi-ms"),
    ] {
        std::fs::write(&file, text).unwrap();
        let report = refused(&["connect", "--config", name], 1);
        assert!(report.contains(part), "{part:?} is not in {report}");
    }
}

#[test]
fn the_full_screen_view_needs_a_terminal_or_says_how_to_build_it() {
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("lab");
    // The lab makes the identity of the location server.
    drop(super::simulate(&lab, &[]));
    let config = lab.join("connect.toml");
    let report = refused(&["connect", "--config", config.to_str().unwrap(), "--tui"], 1);
    let expected = if cfg!(feature = "tui") {
        "needs a terminal"
    } else {
        "--features cli,tui"
    };
    assert!(report.contains(expected), "{report}");
}
