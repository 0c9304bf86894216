//! The lab that a newcomer runs first: an EST server with its certificate authority, a controller and a location
//! server that enrol there, an NMSP tunnel between them, and the vendor's failure replayed.
//!
//! Everything is real: TLS sockets on loopback, free ports, keys and a database in a folder. Nothing is mocked but the
//! radio, which [`nmsp::simulation`] simulates.
//!
//! | module | step |
//! |---|---|
//! | [`enrolment`] | 1. both devices enrol by EST |
//! | [`introduction`] | 2. the controller learns the location server's key hash |
//! | [`tunnel`] | 3. the tunnel, a subscription, measurements |
//! | [`refusals`] | 4. the damaged hash and the wrong hash |
//! | [`next_steps`] | 5. what to try next, on the files that `--keep` leaves |
//!
//! [`adcs`] is another lab: a registration authority in front of AD CS.

pub mod adcs;
pub mod enrolment;
pub mod failure;
pub mod folder;
pub mod introduction;
pub mod next_steps;
pub mod refusals;
pub mod tunnel;

use std::io::{self, Write};
use std::path::PathBuf;

pub use failure::StepFailed;
use folder::LabFolder;

use crate::trace::TraceCapture;

/// What the caller of the quickstart may choose.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where to leave keys, certificates, configuration and the database. `None`: a temporary folder that is removed.
    pub keep: Option<PathBuf>,
}

/// Runs the lab and narrates it to `out`. `trace` is where the log of the controller is found.
///
/// # Errors
/// The step that failed and where on the failure ladder it did.
pub async fn run(options: &Options, trace: &TraceCapture, out: &mut dyn Write) -> Result<(), StepFailed> {
    let folder =
        LabFolder::open(options.keep.as_deref()).map_err(|error| StepFailed::new("preparation", &error))?;

    let step = "1. enrolment by EST";
    heading(out, step);
    let devices = enrolment::run(&folder, out)
        .await
        .map_err(|failure| StepFailed { step, failure })?;

    let step = "2. introduction: the authlist";
    heading(out, step);
    let authlist =
        introduction::run(&folder, &devices, out).map_err(|failure| StepFailed { step, failure })?;

    let step = "3. the NMSP tunnel";
    heading(out, step);
    let lab = tunnel::Lab::start(&devices, authlist)
        .await
        .map_err(|failure| StepFailed { step, failure })?;
    tunnel::run(&folder, &lab, out)
        .await
        .map_err(|failure| StepFailed { step, failure })?;

    let step = "4. the failure of the vendor's document";
    heading(out, step);
    refusals::run(&lab, trace, out)
        .await
        .map_err(|failure| StepFailed { step, failure })?;

    let step = "5. what to try next";
    heading(out, step);
    let controller = lab.stop().await;
    next_steps::run(&folder, &devices, controller, out).map_err(|failure| StepFailed { step, failure })
}

/// Prints a line. A reader that went away (`| head`) is no reason to stop a lab that still has files to write.
pub(crate) fn say(out: &mut dyn Write, text: impl AsRef<str>) {
    let printed: io::Result<()> = writeln!(out, "{}", text.as_ref());
    drop(printed);
}

/// Prints a text indented, as quoted output.
pub(crate) fn quote(out: &mut dyn Write, text: &str) {
    for line in text.trim_end().lines() {
        say(out, format!("    {line}").trim_end());
    }
}

fn heading(out: &mut dyn Write, title: &str) {
    say(
        out,
        format!(
            "\n── {title} {}",
            "─".repeat(70_usize.saturating_sub(title.chars().count()))
        ),
    );
}
