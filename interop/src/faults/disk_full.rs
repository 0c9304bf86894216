//! No space left where the authority keeps its database: enrolments are refused by a status, nothing that was given out is
//! missing, and when there is space again the server goes on without a restart.
//!
//! With the rights to mount it is a small file system in memory that is filled; else the server may write no more than the
//! first bytes of a file, which is the same error at the same places.

use core::time::Duration;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use pki_common::Failure;
use tokio::time::sleep;

use super::lab::{Lab, Load, Manners, PATIENCE, Settings, Size};
use super::{Options, Outcome, trouble};

/// The size of the file system: the database of a lab needs some hundred KiB, and up to 4 MiB before they are merged.
const SIZE: &str = "size=16m";

/// How many enrolments have to be refused before the disk has been full for long enough.
const REFUSED: u64 = 10;

pub(super) async fn run(options: &Options) -> Result<Outcome, Failure> {
    let folder = tempfile::tempdir().map_err(trouble)?;
    let mounted = Mounted::new(folder.path());
    let settings = Settings {
        authority: mounted.as_ref().map(|mounted| mounted.path.join("ca")),
        file_size_is_an_error: mounted.is_none(),
        ..Settings::default()
    };
    let lab = Lab::start(options, settings)?;
    let load = Load::start(&lab, Manners::Refused, Size::MODERATE)?;
    load.served(3).await;
    let mut injected = 0;
    for _ in 0..options.scale.pick(2, 10) {
        match &mounted {
            Some(mounted) => mounted.fill()?,
            None => lab.est.process().limit_file_size(Some(4096))?,
        }
        if refuses(&load).await {
            injected += 1;
        } else {
            load.tally().wrong(format!(
                "no space left, and no {REFUSED} enrolments were refused within {PATIENCE:?}"
            ));
        }
        match &mounted {
            Some(mounted) => mounted.empty()?,
            None => lab.est.process().limit_file_size(None)?,
        }
        load.served(5).await;
    }
    let mut outcome = lab.finish("disk-full", injected, load).await?;
    outcome.notes.push(match mounted {
        Some(_) => "a file system in memory, filled".to_owned(),
        None => "needs the rights to mount a file system; done by a bound on the length of files".to_owned(),
    });
    Ok(outcome)
}

async fn refuses(load: &Load) -> bool {
    let before = load.tally().snapshot().refused;
    let begun = Instant::now();
    while load.tally().snapshot().refused < before + REFUSED {
        if begun.elapsed() > PATIENCE {
            return false;
        }
        sleep(Duration::from_millis(20)).await;
    }
    true
}

/// A file system of its own; unmounted when dropped.
struct Mounted {
    path: PathBuf,
}

impl Mounted {
    /// `None` without the rights to it.
    fn new(path: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", SIZE, "tmpfs"]).arg(path);
        let status = mount
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        let path = path.to_owned();
        status
            .is_ok_and(|status| status.success())
            .then_some(Self { path })
    }

    fn filler(&self) -> PathBuf {
        self.path.join("filler")
    }

    /// Leaves not one page.
    fn fill(&self) -> Result<(), Failure> {
        let mut file = fs::File::create(self.filler()).map_err(trouble)?;
        loop {
            match file.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(trouble(error)),
            }
        }
    }

    fn empty(&self) -> Result<(), Failure> {
        fs::remove_file(self.filler()).map_err(trouble)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Lazily: a server that still runs must not keep the mount point.
        drop(Command::new("umount").arg("-l").arg(&self.path).status());
    }
}
