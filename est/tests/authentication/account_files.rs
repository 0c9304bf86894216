//! `est user` and the files it keeps.

use std::path::Path;

use est::auth::digest::{DigestAlgorithm, DigestSecret, DigestSecrets};
use est::auth::{BearerToken, BearerTokens, TokenVerdict, Users};

use super::process::{est, succeeds};

const FILES: [&str; 6] = ["--users", "basic", "--digest", "digest", "--bearer", "tokens"];

fn user(folder: &Path, arguments: &[&str], input: &str) -> String {
    succeeds(folder, &[&["user"], arguments].concat(), input)
}

#[test]
fn adds_lists_and_removes_a_user_in_all_files() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let options = ["--password-stdin", "--dangerous-md5", "--days", "30", "phone"];
    let printed = user(
        folder,
        &[&["add"], &FILES[..], &options].concat(),
        "correct horse\n",
    );

    assert!(Users::load(folder.join("basic")).unwrap().contains("phone"));
    let secrets = DigestSecrets::load(folder.join("digest")).unwrap();
    for algorithm in [DigestAlgorithm::Md5, DigestAlgorithm::Sha256] {
        let expected = DigestSecret::new(algorithm, "phone", "EST", "correct horse");
        assert_eq!(secrets.secret("phone", "EST", algorithm), Some(&expected));
    }
    let token = BearerToken::new(printed.lines().last().unwrap()).unwrap();
    let tokens = BearerTokens::load(folder.join("tokens")).unwrap();
    let (now, day) = (
        std::time::SystemTime::now(),
        std::time::Duration::from_secs(86_400),
    );
    let phone = TokenVerdict::Valid { user: "phone".into() };
    assert_eq!(tokens.verify(&token, now + 29 * day), phone);
    assert_eq!(tokens.verify(&token, now + 31 * day), TokenVerdict::Invalid);

    let listed = user(folder, &[&["list"], &FILES[..]].concat(), "");
    let expected = [
        "phone\tbasic",
        "phone\tdigest\tSHA-256\trealm EST",
        "phone\tdigest\tMD5",
        "phone\tbearer",
    ];
    for line in expected {
        assert!(listed.contains(line), "{listed}");
    }
    user(folder, &[&["remove"], &FILES[..], &["phone"]].concat(), "");
    assert_eq!(user(folder, &[&["list"], &FILES[..]].concat(), ""), "");
    let again = est(
        folder,
        &[&["user", "remove"], &FILES[..], &["phone"]].concat(),
        "",
    );
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("no user \"phone\""));
}

#[cfg(unix)]
#[test]
fn its_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    user(
        folder,
        &[&["add"], &FILES[..], &["--password-stdin", "phone"]].concat(),
        "secret\n",
    );
    for name in ["basic", "digest", "tokens"] {
        let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_wrong_call_changes_no_file_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (arguments, says) in [
        (&["user", "add", "phone"][..], "--users"),
        (&["user", "add", "--users", "basic", "phone"], "--password-stdin"),
        (
            &["user", "add", "--bearer", "tokens", "--password-stdin", "phone"],
            "--password-stdin",
        ),
        (
            &[
                "user",
                "add",
                "--users",
                "basic",
                "--days",
                "3",
                "--password-stdin",
                "phone",
            ],
            "--bearer",
        ),
        (
            &["user", "add", "--digest", "digest", "--password-stdin", "pho:ne"],
            "colon",
        ),
    ] {
        let output = est(folder, arguments, "secret\n");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && errors.contains(says),
            "{arguments:?}: {errors}"
        );
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}
