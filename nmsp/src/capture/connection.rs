//! One TCP connection: two directions, and what runs over them.

use core::time::Duration;
use std::collections::VecDeque;

use super::cutter::Cutter;
use super::error::{Finding, Problem};
use super::link::Segment;
use super::reassembly::{Gap, Reassembly};
use super::tls::{self, Output};
use super::{CapturedMessage, Direction, Item, Options};

/// Where in the capture we are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) packet: u64,
    pub(super) time: Duration,
}

/// A connection and what is known of it.
#[derive(Debug)]
pub(super) struct Connection {
    number: u32,
    /// The packet that was the last of it so far.
    pub(super) last_packet: u64,
    to_controller: Half,
    to_location_server: Half,
    content: Content,
}

#[derive(Debug, Default)]
struct Half {
    reassembly: Reassembly,
    /// The sequence number of its SYN.
    initial: Option<u32>,
    cutter: Cutter,
    /// Nothing more is read, and the reason was told.
    lost: bool,
}

#[derive(Debug)]
enum Content {
    /// The first bytes of each direction, too few to tell.
    Undecided(Vec<u8>, Vec<u8>),
    Plain,
    Tls(Box<tls::Session>),
}

/// Whatever a connection needs of the analysis it belongs to.
pub(super) struct Context<'a> {
    pub(super) options: &'a Options,
    pub(super) place: Place,
    pub(super) items: &'a mut VecDeque<Item>,
}

impl Connection {
    pub(super) fn new(number: u32) -> Self {
        Self {
            number,
            last_packet: 0,
            to_controller: Half::default(),
            to_location_server: Half::default(),
            content: Content::Undecided(Vec::new(), Vec::new()),
        }
    }

    /// Whether a SYN of a direction opens another connection between the same ports.
    pub(super) fn is_another(&self, direction: Direction, segment: &Segment<'_>) -> bool {
        let half = match direction {
            Direction::ToController => &self.to_controller,
            Direction::ToLocationServer => &self.to_location_server,
        };
        segment.syn && !segment.ack && half.reassembly.has_started() && half.initial != Some(segment.sequence)
    }

    /// Bytes that wait for missing segments.
    pub(super) fn held_bytes(&self) -> usize {
        self.to_controller.reassembly.held_bytes() + self.to_location_server.reassembly.held_bytes()
    }

    fn half(&mut self, direction: Direction) -> &mut Half {
        match direction {
            Direction::ToController => &mut self.to_controller,
            Direction::ToLocationServer => &mut self.to_location_server,
        }
    }

    /// Takes a segment. `allowed` is how many bytes of this direction may wait.
    pub(super) fn segment(
        &mut self,
        context: &mut Context<'_>,
        direction: Direction,
        segment: &Segment<'_>,
        allowed: usize,
    ) {
        self.last_packet = context.place.packet;
        let half = self.half(direction);
        let mut sequence = segment.sequence;
        if segment.syn {
            sequence = sequence.wrapping_add(1);
            if !half.reassembly.has_started() {
                half.initial = Some(segment.sequence);
                half.reassembly.start(sequence);
            }
        }
        if half.lost {
            return;
        }
        let mut fresh = Vec::new();
        let outcome = half.reassembly.push(sequence, segment.payload, allowed, |bytes| {
            fresh.extend_from_slice(bytes);
        });
        if !fresh.is_empty() {
            self.bytes(context, direction, &fresh);
        }
        if let Err(Gap { missing, held }) = outcome {
            self.lose(context, direction, Problem::TooMuchHeld { held, missing });
        }
    }

    /// Says why nothing more of a direction is read, and forgets what waited.
    fn lose(&mut self, context: &mut Context<'_>, direction: Direction, problem: Problem) {
        let half = self.half(direction);
        half.lost = true;
        half.reassembly = Reassembly::default();
        half.reassembly.start(0);
        self.report(context, direction, problem);
    }

    /// Nothing more will come.
    pub(super) fn finish(&mut self, context: &mut Context<'_>) {
        for direction in [Direction::ToController, Direction::ToLocationServer] {
            let half = self.half(direction);
            if half.lost {
                continue;
            }
            if let Some(gap) = half.reassembly.gap() {
                let missing = gap.missing;
                self.lose(context, direction, Problem::Gap { missing });
                continue;
            }
            let held = half.cutter.incomplete() + self.waiting(direction);
            if held > 0 {
                self.report(context, direction, Problem::Incomplete { held });
            }
        }
    }

    /// Bytes of a direction that wait for more of the same.
    fn waiting(&self, direction: Direction) -> usize {
        match (&self.content, direction) {
            (Content::Plain, _) => 0,
            (Content::Tls(session), direction) => session.waiting(direction),
            (Content::Undecided(bytes, _), Direction::ToController)
            | (Content::Undecided(_, bytes), Direction::ToLocationServer) => bytes.len(),
        }
    }

    /// Bytes in order.
    fn bytes(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) {
        if let Content::Undecided(to_controller, to_location_server) = &mut self.content {
            let start = match direction {
                Direction::ToController => &mut *to_controller,
                Direction::ToLocationServer => &mut *to_location_server,
            };
            start.extend_from_slice(bytes);
            let Some(is_tls) = tls::is_tls(start) else {
                return;
            };
            let waiting = [
                (Direction::ToController, core::mem::take(to_controller)),
                (Direction::ToLocationServer, core::mem::take(to_location_server)),
            ];
            self.content = if is_tls {
                Content::Tls(Box::default())
            } else {
                Content::Plain
            };
            for (direction, bytes) in waiting {
                if !bytes.is_empty() {
                    self.decided(context, direction, &bytes);
                }
            }
            return;
        }
        self.decided(context, direction, bytes);
    }

    fn decided(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) {
        let Content::Tls(session) = &mut self.content else {
            self.plain(context, direction, bytes);
            return;
        };
        let mut outputs = Vec::new();
        session.push(direction, bytes, &context.options.key_log, &mut outputs);
        let Place { packet, time } = context.place;
        let connection = self.number;
        for output in outputs {
            match output {
                Output::Agreed { version, suite } => context.items.push_back(Item::Tls {
                    connection,
                    packet,
                    version,
                    suite,
                }),
                Output::Data(direction, data) => self.plain(context, direction, &data),
                Output::Alert(direction, level, description) => context.items.push_back(Item::Alert {
                    connection,
                    direction,
                    packet,
                    time,
                    fatal: level == 2,
                    description,
                }),
                Output::Problem(direction, problem) => {
                    self.half(direction).lost = true;
                    self.report(context, direction, problem.into());
                }
            }
        }
    }

    fn plain(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) {
        let connection = self.number;
        let Context {
            options,
            place,
            items,
        } = context;
        let half = self.half(direction);
        // A direction whose messages are lost is still followed: TLS alerts may come.
        half.cutter.push(
            &options.profile,
            options.max_message_length,
            bytes,
            |offset, found| {
                items.push_back(match found {
                    Ok(message) => Item::Message(CapturedMessage {
                        connection,
                        direction,
                        packet: place.packet,
                        time: place.time,
                        offset,
                        bytes: message.to_vec(),
                    }),
                    Err(problem) => Item::Problem(Finding {
                        packet: place.packet,
                        connection: Some(connection),
                        direction: Some(direction),
                        problem,
                    }),
                });
            },
        );
    }

    fn report(&self, context: &mut Context<'_>, direction: Direction, problem: Problem) {
        context.items.push_back(Item::Problem(Finding {
            packet: context.place.packet,
            connection: Some(self.number),
            direction: Some(direction),
            problem,
        }));
    }
}
