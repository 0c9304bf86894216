//! The Java program: compiled once into the target folder, then run for each operation.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::case::Missing;
use crate::support::folder::{finish, said};
use crate::support::lab::Lab;

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/bouncycastle");

/// Where Debian's packages put the libraries.
const JARS: &str = "/usr/share/java";

/// Of the libraries: X.509, CMS and EST; algorithms; ASN.1; TLS.
const LIBRARIES: [&str; 4] = ["bcpkix", "bcprov", "bcutil", "bctls"];

/// `1.72`, from the name of the file behind `bcpkix.jar`.
pub(super) fn version() -> Result<String, Missing> {
    Missing::programs("bouncycastle")?;
    let absent: Vec<_> = LIBRARIES
        .iter()
        .map(|name| jar(name))
        .filter(|path| !path.is_file())
        .collect();
    if !absent.is_empty() {
        return Err(Missing(format!("{absent:?}")));
    }
    let versioned = std::fs::canonicalize(jar("bcpkix")).unwrap();
    let stem = versioned.file_stem().unwrap().to_string_lossy().into_owned();
    let version = stem.strip_prefix("bcpkix-").unwrap_or("of unknown version");
    Ok(version.to_owned())
}

fn jar(library: &str) -> PathBuf {
    Path::new(JARS).join(library).with_extension("jar")
}

fn class_path(folder: Option<&Path>) -> String {
    let jars = LIBRARIES.iter().map(|library| jar(library));
    let paths: Vec<_> = folder.map(Path::to_owned).into_iter().chain(jars).collect();
    std::env::join_paths(paths).unwrap().into_string().unwrap()
}

/// The folder of the compiled program.
fn compiled() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bouncycastle");
        // What a removed class left behind would run on.
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder).unwrap();
        let sources = std::fs::read_dir(SOURCES).unwrap();
        let sources = sources.map(|entry| entry.unwrap().path());
        let output = Command::new("javac")
            // Debian's libraries name others that are not installed: `path`.
            .args(["-Xlint:all", "-Xlint:-path", "-Werror", "-cp", &class_path(None)])
            .arg("-d")
            .arg(&folder)
            .args(sources)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        folder
    })
}

/// How a run of the program ended.
#[derive(Debug)]
pub(super) struct Answer {
    /// 0 done, 3 refused by the server with an HTTP status, 1 anything else.
    code: Option<i32>,
    lines: Vec<(String, String)>,
    errors: String,
}

impl Answer {
    /// The values of this name.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.lines.iter().filter(|(found, _)| found == name);
        lines.map(|(_, value)| value.as_str()).collect()
    }

    /// The one value of this name.
    pub(super) fn one(&self, name: &str) -> &str {
        match self.all(name)[..] {
            [value] => value,
            _ => panic!("{name}: {self:?}"),
        }
    }

    pub(super) fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// A certificate of this subject for the program's key, which it has found valid.
    pub(super) fn has_issued(&self, subject: &str) {
        assert!(self.succeeded(), "{self:?}");
        assert_eq!(self.one("issued"), subject);
        assert_eq!((self.one("key-fits"), self.one("valid")), ("true", "true"));
    }

    /// By the server, with an HTTP status that the program understood.
    pub(super) fn was_refused(&self) -> bool {
        self.code == Some(3)
    }

    /// The HTTP status with which the server refused.
    pub(super) fn refusal(&self) -> &str {
        assert!(self.was_refused(), "{self:?}");
        self.one("status")
    }

    /// What went wrong, by its causes.
    pub(super) fn error(&self) -> String {
        assert!(!self.succeeded(), "{self:?}");
        let said = self.all("error").join("; ");
        // The Java machine itself writes there.
        if self.errors.is_empty() {
            said
        } else {
            format!("{said}; {}", self.errors)
        }
    }
}

/// Runs an operation against the server of the lab.
pub(super) async fn run(lab: &Lab, operation: &str, arguments: &[&str]) -> Answer {
    let classes = tokio::task::spawn_blocking(compiled).await.unwrap();
    let mut command = lab.folder.command("java");
    command
        .args(["-cp", &class_path(Some(classes)), "EstPeer", operation])
        .args([
            "--host",
            "127.0.0.1",
            "--port",
            &lab.port(),
            "--anchor",
            "anchor.pem",
        ])
        .args(arguments);
    let output = finish(command).await;
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| {
        let (name, value) = line.split_once('=').unwrap_or_else(|| panic!("{text}"));
        (name.to_owned(), value.to_owned())
    });
    Answer {
        code: output.status.code(),
        lines: lines.collect(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
