//! The full-screen view.
//!
//! - `view`: frame, tabs, connections, messages, stations, help.
//! - `map`: the floor with what was heard where.

mod map;
#[cfg(test)]
mod tests;
mod view;

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::picture::Picture;
use super::source::Health;
use crate::cli::failure::CliError;

/// How long the reader of the keyboard waits before it looks whether the program ends.
const KEY_WAIT: Duration = Duration::from_millis(100);

/// Which page is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Page {
    #[default]
    Map,
    Connections,
    Messages,
    Stations,
}

impl Page {
    const ALL: [Self; 4] = [Self::Map, Self::Connections, Self::Messages, Self::Stations];

    const fn title(self) -> &'static str {
        match self {
            Self::Map => "1 Map",
            Self::Connections => "2 Connections",
            Self::Messages => "3 Messages",
            Self::Stations => "4 Stations",
        }
    }

    fn number(self) -> usize {
        Self::ALL
            .into_iter()
            .position(|page| page == self)
            .unwrap_or_default()
    }

    fn step(self, steps: usize) -> Self {
        let mut pages = Self::ALL.into_iter().cycle().skip(self.number() + steps);
        pages.next().unwrap_or_default()
    }
}

/// What the user has chosen.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    page: Page,
    help: bool,
    paused: bool,
    /// The first line that is shown of a list.
    scroll: usize,
    /// Without colours, by NO_COLOR or the terminal.
    plain: bool,
}

impl Choice {
    /// Takes a key; returns whether the user wants to end.
    fn key(&mut self, key: KeyEvent) -> bool {
        if key.kind == KeyEventKind::Release {
            return false;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'd') if control => return true,
            KeyCode::Esc if self.help => self.help = false,
            KeyCode::Char('q') | KeyCode::Esc => return true,
            KeyCode::Char('h' | '?') => self.help = !self.help,
            KeyCode::Char('p' | ' ') => self.paused = !self.paused,
            KeyCode::Tab | KeyCode::Right => self.turn_to(self.page.step(1)),
            KeyCode::BackTab | KeyCode::Left => self.turn_to(self.page.step(3)),
            KeyCode::Char(digit @ '1'..='4') => {
                let number = digit.to_digit(10).and_then(|number| usize::try_from(number).ok());
                self.turn_to(Page::Map.step(number.unwrap_or(1) - 1));
            }
            KeyCode::Up => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::Down => self.scroll = self.scroll.saturating_add(1),
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(10),
            KeyCode::PageDown => self.scroll = self.scroll.saturating_add(10),
            KeyCode::Home => self.scroll = 0,
            _ => {}
        }
        false
    }

    fn turn_to(&mut self, page: Page) {
        self.page = page;
        self.scroll = 0;
    }
}

/// The terminal while the view has it. Dropping gives it back; a panic does, too.
pub(super) struct Tui {
    terminal: DefaultTerminal,
    events: Receiver<Event>,
    ended: Arc<AtomicBool>,
    choice: Choice,
}

impl Tui {
    pub(super) fn open() -> Result<Self, CliError> {
        if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
            return Err(CliError::usage(
                "--tui needs a terminal on standard input and output".to_owned(),
                "run it in a terminal, or use --plain or --json",
            ));
        }
        // Also installs a hook that gives the terminal back before a panic is printed.
        let terminal = ratatui::try_init().map_err(CliError::Output)?;
        crate::cli::SCREEN_TAKEN.store(true, Ordering::Relaxed);
        let (sender, events) = channel();
        let ended = Arc::new(AtomicBool::new(false));
        let watched = Arc::clone(&ended);
        // Reading the keyboard blocks, so it has a thread.
        std::thread::spawn(move || read_events(&sender, &watched));
        Ok(Self {
            terminal,
            events,
            ended,
            choice: Choice {
                plain: !console::colors_enabled(),
                ..Choice::default()
            },
        })
    }

    /// Draws the view, and returns whether the user wants to end.
    pub(super) fn draw(
        &mut self,
        picture: &Picture,
        health: &[Health],
        now: Instant,
    ) -> Result<bool, CliError> {
        let mut touched = false;
        while let Ok(event) = self.events.try_recv() {
            touched = true;
            if let Event::Key(key) = event
                && self.choice.key(key)
            {
                return Ok(true);
            }
        }
        if self.choice.paused && !touched {
            return Ok(false);
        }
        let choice = &self.choice;
        let drawn = self
            .terminal
            .draw(|frame| view::draw(frame, choice, picture, health, now));
        drawn.map(|_| false).map_err(CliError::Output)
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        ratatui::restore();
        crate::cli::SCREEN_TAKEN.store(false, Ordering::Relaxed);
    }
}

fn read_events(sender: &Sender<Event>, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        let event = match event::poll(KEY_WAIT) {
            Ok(false) => continue,
            Ok(true) => event::read(),
            Err(error) => Err(error),
        };
        let Ok(event) = event else { return };
        if sender.send(event).is_err() {
            return;
        }
    }
}
