use std::time::{Duration, Instant};

use bytes::BytesMut;
use nmsp::proto::{Connection, ConnectionConfig, Event, Role};
use nmsp::wire::Services;

/// A small generator with a seed (xorshift), so that a failure can be repeated.
pub(crate) struct Seeded(u64);

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// One end with the bytes that travel towards it and the events it reported.
pub(crate) struct End {
    pub(crate) connection: Connection,
    arriving: Vec<(Instant, Vec<u8>)>,
    pub(crate) events: Vec<Event>,
}

/// Two ends. What one sends arrives at the other in order, in fragments, after a delay of its own; so the two directions
/// are not in step.
pub(crate) struct Network {
    pub(crate) now: Instant,
    random: Seeded,
    pub(crate) controller: End,
    pub(crate) location_server: End,
    /// The longest time on the way, in milliseconds.
    pub(crate) delay: u64,
    /// Nothing arrives any more, neither what is sent nor what is on its way.
    cut: bool,
}

impl Network {
    pub(crate) fn new(seed: u64, config: &ConnectionConfig) -> Self {
        Self::between(seed, config, config)
    }

    pub(crate) fn between(
        seed: u64,
        controller: &ConnectionConfig,
        location_server: &ConnectionConfig,
    ) -> Self {
        let now = Instant::now();
        let end = |config: &ConnectionConfig, role| End {
            connection: Connection::new(config.clone(), role, now),
            arriving: Vec::new(),
            events: Vec::new(),
        };
        Self {
            now,
            random: Seeded::new(seed),
            controller: end(controller, Role::Controller),
            location_server: end(location_server, Role::LocationServer),
            delay: 50,
            cut: false,
        }
    }

    pub(crate) fn end(&mut self, role: Role) -> &mut End {
        match role {
            Role::Controller => &mut self.controller,
            Role::LocationServer => &mut self.location_server,
        }
    }

    pub(crate) fn run(&mut self, for_how_long: Duration) {
        self.run_with(for_how_long, &mut |_, _, _| {});
    }

    /// Runs the network; `application` sees each event of each end when it happens, and may act.
    pub(crate) fn run_with(
        &mut self,
        for_how_long: Duration,
        application: &mut dyn FnMut(&mut Connection, Instant, &Event),
    ) {
        let end = self.now + for_how_long;
        loop {
            self.exchange(application);
            let next = [&self.controller, &self.location_server]
                .into_iter()
                .flat_map(|end| {
                    end.connection
                        .poll_timeout()
                        .into_iter()
                        .chain(end.arriving.first().map(|(at, _)| *at))
                })
                .min();
            match next {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
            self.deliver();
        }
        self.now = end;
    }

    /// Nothing arrives from now on.
    pub(crate) fn cut(&mut self) {
        self.cut = true;
        self.controller.arriving.clear();
        self.location_server.arriving.clear();
    }

    /// Whether nothing is on its way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.controller.arriving.is_empty() && self.location_server.arriving.is_empty()
    }

    /// Moves what the ends want to send onto the wire, in fragments that arrive in order, and collects events.
    fn exchange(&mut self, application: &mut dyn FnMut(&mut Connection, Instant, &Event)) {
        for _ in 0..2 {
            self.send(application);
            std::mem::swap(&mut self.controller, &mut self.location_server);
        }
    }

    fn send(&mut self, application: &mut dyn FnMut(&mut Connection, Instant, &Event)) {
        let (from, to, now) = (&mut self.controller, &mut self.location_server, self.now);
        while let Some(event) = from.connection.poll_event() {
            application(&mut from.connection, now, &event);
            from.events.push(event);
        }
        let mut out = BytesMut::new();
        from.connection.poll_transmit(&mut out);
        let mut bytes = &out[..];
        while !bytes.is_empty() && !self.cut {
            let length = usize::try_from(1 + self.random.below(40)).unwrap();
            let length = if self.random.below(3) == 0 { 1 } else { length };
            let (fragment, rest) = bytes.split_at(length.min(bytes.len()));
            let earliest = to.arriving.last().map_or(now, |(at, _)| *at);
            let delay = Duration::from_millis(self.random.below(self.delay.max(1)));
            to.arriving.push((earliest.max(now + delay), fragment.to_vec()));
            bytes = rest;
        }
    }

    fn deliver(&mut self) {
        for end in [&mut self.controller, &mut self.location_server] {
            let due = end.arriving.partition_point(|(at, _)| *at <= self.now);
            for (_, bytes) in end.arriving.drain(..due) {
                end.connection.handle_input(self.now, &bytes);
            }
            end.connection.handle_timeout(self.now);
        }
    }

    pub(crate) fn subscribe(&mut self, services: Services) -> u32 {
        self.location_server
            .connection
            .subscribe(self.now, &services.into())
            .unwrap()
    }
}
