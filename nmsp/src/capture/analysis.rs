//! Follows the connections of a capture.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;

use super::connection::{Connection, Context, Place};
use super::error::{CaptureError, Finding, Problem};
use super::file::Packet;
use super::link::{Segment, segment};
use super::{Direction, Item, Options};

/// Packets in, [`Item`]s out. [`Capture`](super::Capture) feeds it from a file; packets may come from elsewhere as well.
#[derive(Debug)]
pub struct Analysis {
    options: Options,
    connections: HashMap<Key, Connection>,
    items: VecDeque<Item>,
    /// The number of the connection that was seen last.
    last_number: u32,
    held_bytes: usize,
    unknown_links: BTreeSet<u32>,
    last_place: Place,
}

/// Location server, controller.
type Key = (SocketAddr, SocketAddr);

impl Analysis {
    /// An analysis that has seen nothing.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            connections: HashMap::new(),
            items: VecDeque::new(),
            last_number: 0,
            held_bytes: 0,
            unknown_links: BTreeSet::new(),
            last_place: Place {
                packet: 0,
                time: core::time::Duration::ZERO,
            },
        }
    }

    /// The next thing that was found.
    pub fn next_item(&mut self) -> Option<Item> {
        self.items.pop_front()
    }

    /// Adds a key log that came with the packets.
    pub fn secrets(&mut self, key_log: &str) {
        for problem in self.options.key_log.add(key_log) {
            self.report(problem);
        }
    }

    /// The file is broken at some place.
    pub(super) fn broken(&mut self, error: CaptureError) {
        self.report(error.into());
    }

    fn report(&mut self, problem: Problem) {
        self.items.push_back(Item::Problem(Finding {
            packet: self.last_place.packet,
            connection: None,
            direction: None,
            problem,
        }));
    }

    /// Takes a packet. Whatever is not TCP to or from one of the ports is passed over in silence.
    pub fn packet(&mut self, packet: &Packet<'_>) {
        self.last_place = Place {
            packet: packet.number,
            time: packet.time,
        };
        let segment = match segment(packet.link_type, &packet.data) {
            Ok(Some(segment)) => segment,
            Ok(None) => return,
            // Once is enough: all packets of an interface have the same.
            Err(Problem::LinkType(link)) if !self.unknown_links.insert(link) => return,
            Err(problem) => {
                self.report(problem);
                return;
            }
        };
        let (direction, key) = if self.options.ports.contains(&segment.destination.port()) {
            (Direction::ToController, (segment.source, segment.destination))
        } else if self.options.ports.contains(&segment.source.port()) {
            (Direction::ToLocationServer, (segment.destination, segment.source))
        } else {
            return;
        };
        if packet.missing > 0 {
            let missing = packet.missing;
            self.report(Problem::CutShort { missing });
        }
        self.segment(key, direction, &segment);
    }

    fn segment(&mut self, key: Key, direction: Direction, segment: &Segment<'_>) {
        let known = self.connections.get(&key);
        if known.is_some_and(|connection| connection.is_another(direction, segment)) {
            self.finish_connection(key);
        }
        if !self.connections.contains_key(&key) {
            // What comes after the end of a connection opens none.
            if segment.rst || (segment.fin && segment.payload.is_empty()) {
                return;
            }
            self.open(key);
        }
        let Some(connection) = self.connections.get_mut(&key) else {
            return;
        };
        let held = connection.held_bytes();
        let others = self.held_bytes.saturating_sub(held);
        let allowed = self.options.max_held_bytes.saturating_sub(others);
        let mut context = Context {
            options: &self.options,
            place: self.last_place,
            items: &mut self.items,
        };
        connection.segment(&mut context, direction, segment, allowed);
        self.held_bytes = others + connection.held_bytes();
        if segment.rst {
            self.finish_connection(key);
        }
    }

    fn open(&mut self, key: Key) {
        let limit = self.options.max_connections.max(1);
        if self.connections.len() >= limit {
            let oldest = self.connections.iter().min_by_key(|(_, found)| found.last_packet);
            if let Some(oldest) = oldest.map(|(key, _)| *key) {
                self.report(Problem::TooManyConnections { limit });
                self.finish_connection(oldest);
            }
        }
        self.last_number = self.last_number.saturating_add(1);
        self.connections.insert(key, Connection::new(self.last_number));
        let (location_server, controller) = key;
        self.items.push_back(Item::Connection {
            connection: self.last_number,
            packet: self.last_place.packet,
            time: self.last_place.time,
            location_server,
            controller,
        });
    }

    fn finish_connection(&mut self, key: Key) {
        let Some(mut connection) = self.connections.remove(&key) else {
            return;
        };
        self.held_bytes = self.held_bytes.saturating_sub(connection.held_bytes());
        let place = self.last_place;
        connection.finish(&mut Context {
            options: &self.options,
            place,
            items: &mut self.items,
        });
    }

    /// No more packets will come: says what is incomplete.
    pub fn finish(&mut self) {
        let mut keys: Vec<(u64, Key)> = self
            .connections
            .iter()
            .map(|(key, connection)| (connection.last_packet, *key))
            .collect();
        keys.sort_unstable();
        for (_, key) in keys {
            self.finish_connection(key);
        }
    }
}
