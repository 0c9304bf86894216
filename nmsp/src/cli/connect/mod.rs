//! `nmsp connect`: a location server that shows what it receives.
//!
//! - `options`: what it is told, on the command line or in a file.
//! - `credentials`: who we are, and whom we believe.
//! - `source`: the connections; one stream of news.
//! - `picture`: what has been received so far.
//! - `lines`, `table`, `tui`: the ways to show it.
//! - `summary`: what is said at the end.

mod credentials;
mod lines;
mod options;
mod picture;
mod source;
mod summary;
mod table;
#[cfg(feature = "tui")]
mod tui;

use core::time::Duration;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::failure::CliError;
use super::serve::Ending;
use crate::client::ClientConfig;
use options::Shape;
use picture::Picture;
use source::{News, Source};
use summary::Summary;

pub(super) use options::Options;
pub(super) use summary::{Counters, json_line, save};

/// How often a view is drawn again. Also how long a key may wait.
const REDRAW_EVERY: Duration = Duration::from_millis(125);

/// How what is received is shown.
enum View {
    Lines {
        json: bool,
    },
    Table(table::Table),
    #[cfg(feature = "tui")]
    Tui(Box<tui::Tui>),
}

/// Reads a configuration file and what it names, and says what would run. Writes nothing.
pub(super) fn check(file: &Path) -> Result<String, CliError> {
    let mut options = Options::load(file)?;
    options.check()?;
    options.dangerous_key_log = None;
    credentials::tls(&options)?;
    options.floor_plan()?;
    let controllers = options.controller.join(", ");
    Ok(format!("command   nmsp connect\nto        {controllers}\n"))
}

pub(super) async fn run(arguments: Options) -> Result<(), CliError> {
    let options = Arc::new(arguments.with_file()?);
    let ending = Ending::watch()?;
    let mut config = ClientConfig::new(credentials::tls(&options)?);
    options.legacy().apply(&mut config)?;
    let plan = options.floor_plan()?;
    let view = View::open(options.shape())?;
    let started = Instant::now();
    let mut session = Session {
        picture: Picture::new(options.controller.len(), plan, started),
        source: Source::start(&options, config)?,
        left: options.count.unwrap_or(u64::MAX),
        view,
        options,
        over: 0,
    };
    let limit = session.options.seconds.map_or(Duration::MAX, Duration::from_secs);
    let outcome = tokio::select! {
        outcome = session.show() => outcome,
        () = tokio::time::sleep(limit) => Ok(()),
        interrupted = ending.wait() => interrupted,
    };
    session.end(outcome, started).await
}

struct Session {
    options: Arc<Options>,
    source: Source,
    picture: Picture,
    view: View,
    /// Measured stations until the end.
    left: u64,
    /// Controllers that have ended their connection.
    over: usize,
}

impl Session {
    /// Shows what comes until there is nothing more to show.
    async fn show(&mut self) -> Result<(), CliError> {
        let mut redraw = tokio::time::interval(REDRAW_EVERY);
        redraw.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while self.left > 0 {
            tokio::select! {
                news = self.source.next() => match news {
                    Some((controller, news)) => {
                        if self.take(controller, news)? {
                            return Ok(());
                        }
                    }
                    None => return Ok(()),
                },
                _ = redraw.tick() => {
                    if self.draw()? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns whether that was all.
    fn take(&mut self, controller: usize, news: News) -> Result<bool, CliError> {
        match news {
            News::Connected => {
                if let Some(received) = self.picture.controllers.get_mut(controller) {
                    received.connected();
                }
            }
            News::Notification(frame) => {
                let facts = !matches!(self.view, View::Lines { .. });
                self.picture
                    .notification(controller, &frame, facts, Instant::now());
                if let View::Lines { json } = self.view {
                    let name = self.options.controller.get(controller).map_or("", String::as_str);
                    self.left -= lines::show(name, &frame, json, self.left)?;
                }
            }
            News::Ended => self.over += 1,
            News::Failed(failure) => return Err(CliError::Failed(Box::new(failure))),
        }
        Ok(self.over == self.options.controller.len())
    }

    /// Returns whether the user wants to end.
    fn draw(&mut self) -> Result<bool, CliError> {
        let now = Instant::now();
        match &mut self.view {
            View::Lines { .. } => Ok(false),
            View::Table(table) => {
                self.picture.settle(now, false);
                table.draw(&self.picture, &self.source.health(), now)?;
                Ok(false)
            }
            #[cfg(feature = "tui")]
            View::Tui(tui) => {
                self.picture.settle(now, true);
                tui.draw(&self.picture, &self.source.health(), now)
            }
        }
    }

    /// Says goodbye, gives the terminal back, and tells how it was.
    async fn end(self, outcome: Result<(), CliError>, started: Instant) -> Result<(), CliError> {
        let health = self.source.close().await;
        drop(self.view);
        // Who never got through has nothing to sum up.
        if health.iter().any(|health| health.address.is_some()) {
            let summary = Summary::new(&self.picture, &health, started.elapsed());
            if let Some(path) = &self.options.summary {
                save(&summary, path)?;
            }
            let text = if self.options.json {
                json_line(&summary)?
            } else {
                summary.text()
            };
            // If standard error is gone, the file and the exit status still tell.
            drop(std::io::stderr().write_all(text.as_bytes()));
        }
        outcome
    }
}

impl View {
    fn open(shape: Shape) -> Result<Self, CliError> {
        Ok(match shape {
            Shape::Json => Self::Lines { json: true },
            Shape::Plain => Self::Lines { json: false },
            Shape::Table => Self::Table(table::Table::new()),
            #[cfg(feature = "tui")]
            Shape::Tui => Self::Tui(Box::new(tui::Tui::open()?)),
            #[cfg(not(feature = "tui"))]
            Shape::Tui => {
                return Err(CliError::usage(
                    "this nmsp was built without the full-screen view".to_owned(),
                    "build it with `cargo build --release -p nmsp --features cli,tui`, or leave --tui out",
                ));
            }
        })
    }
}
