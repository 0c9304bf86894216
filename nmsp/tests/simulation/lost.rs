//! A connection that is lost at every byte of each message, in both directions; and clocks that jump.

use std::time::{Duration, Instant};

use bytes::BytesMut;
use nmsp::proto::{CloseReason, Connection, Event, Exchange, ProtocolError, Role};
use nmsp::wire::{MessageType, OwnedMessage};

use super::random::{answer, may_send};
use super::{close_reason, everything, examples, offering};

/// Between the sides of a session: nothing is delayed, and everything is lost when so many bytes have gone one way.
struct Line {
    now: Instant,
    ends: [End; 2],
    cut: Option<Cut>,
    lost: bool,
    responses: Vec<OwnedMessage>,
}

struct End {
    connection: Connection,
    events: Vec<Event>,
    /// How many bytes have reached it.
    received: usize,
}

#[derive(Clone, Copy, Debug)]
struct Cut {
    /// The side that does not get its bytes.
    receiver: Role,
    after: usize,
    manner: Manner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Both sides see the end of the stream.
    Closed,
    /// Nobody is told.
    Silent,
}

const ROLES: [Role; 2] = [Role::Controller, Role::LocationServer];

fn index(role: Role) -> usize {
    usize::from(role == Role::LocationServer)
}

impl Line {
    fn new(start: Instant, cut: Option<Cut>, examples: &[OwnedMessage]) -> Self {
        let of =
            |message: &&OwnedMessage| Exchange::of(message.message_type().unwrap()) == Exchange::Response;
        Self {
            now: start,
            ends: ROLES.map(|role| End {
                connection: Connection::new(offering(everything()), role, start),
                events: Vec::new(),
                received: 0,
            }),
            cut,
            lost: false,
            responses: examples.iter().filter(of).cloned().collect(),
        }
    }

    fn end(&mut self, role: Role) -> &mut End {
        &mut self.ends[index(role)]
    }

    fn received(&self) -> [usize; 2] {
        [self.ends[0].received, self.ends[1].received]
    }

    /// Moves bytes until nobody has any to send. Applications answer at once.
    fn exchange(&mut self) {
        let mut moved = true;
        while moved {
            moved = false;
            for role in ROLES {
                moved |= self.deliver_to(role);
            }
        }
    }

    fn deliver_to(&mut self, receiver: Role) -> bool {
        let (now, own) = (self.now, index(receiver));
        let mut out = BytesMut::new();
        self.ends[1 - own].connection.poll_transmit(&mut out);
        if !self.lost && !out.is_empty() {
            let room = match self.cut {
                Some(cut) if cut.receiver == receiver => cut.after - self.ends[own].received,
                _ => usize::MAX,
            };
            let end = &mut self.ends[own];
            let arriving = &out[..out.len().min(room)];
            end.received += arriving.len();
            end.connection.handle_input(now, arriving);
            if out.len() >= room {
                self.lose();
            }
        }
        self.look();
        !out.is_empty()
    }

    fn look(&mut self) {
        let now = self.now;
        for end in &mut self.ends {
            while let Some(event) = end.connection.poll_event() {
                if let Event::Request { transaction, frame } = &event {
                    let request = frame.message_type().unwrap();
                    answer(
                        &mut end.connection,
                        now,
                        *transaction,
                        request,
                        2,
                        &self.responses,
                    );
                }
                end.events.push(event);
            }
        }
    }

    fn lose(&mut self) {
        self.lost = true;
        if self.cut.is_some_and(|cut| cut.manner == Manner::Closed) {
            for end in &mut self.ends {
                end.connection.handle_end_of_stream();
            }
        }
    }

    /// Lets time pass until nobody waits for anything, or for so long.
    fn wait(&mut self, most: Duration) {
        let end = self.now + most;
        loop {
            let due = self
                .ends
                .iter()
                .filter_map(|end| end.connection.poll_timeout())
                .min();
            let Some(due) = due.filter(|due| *due <= end) else {
                break;
            };
            self.now = self.now.max(due);
            self.tick();
        }
    }

    fn tick(&mut self) {
        for end in &mut self.ends {
            end.connection.handle_timeout(self.now);
        }
        self.exchange();
    }

    fn reason(&self, role: Role) -> Option<&CloseReason> {
        close_reason(&self.ends[index(role)].events)
    }
}

/// What one side does after both have said what they can do, and one has subscribed.
#[derive(Clone, Debug)]
enum Act {
    Nothing,
    Send(Role, OwnedMessage),
    Goodbye(Role),
}

impl Act {
    /// Every message that a side sends of its own accord. Answers come with their requests.
    fn all(examples: &[OwnedMessage]) -> Vec<Self> {
        let own = [
            MessageType::CapabilityNotification,
            MessageType::DisconnectNotification,
        ];
        let mut acts = vec![Self::Nothing, Self::Goodbye(ROLES[0]), Self::Goodbye(ROLES[1])];
        for message in examples {
            let kind = message.message_type().unwrap();
            let is_begun = matches!(
                Exchange::of(kind),
                Exchange::Request { .. } | Exchange::Notification { .. }
            );
            if is_begun && !own.contains(&kind) && kind != MessageType::ServiceSubscribeRequest {
                let senders = ROLES.into_iter().filter(|role| may_send(*role, message));
                acts.extend(senders.map(|role| Self::Send(role, message.clone())));
            }
        }
        acts
    }
}

/// A session with one act; the transaction of the request, if it was one. What is lost on the way is not sent.
fn session(line: &mut Line, act: &Act) -> (usize, Option<u32>) {
    line.exchange();
    let now = line.now;
    let server = &mut line.end(Role::LocationServer).connection;
    drop(server.subscribe(now, &everything().into()));
    line.exchange();
    let mut transaction = None;
    match act {
        Act::Nothing => {}
        Act::Goodbye(role) => line.end(*role).connection.close(),
        Act::Send(role, message) => {
            let connection = &mut line.end(*role).connection;
            match Exchange::of(message.message_type().unwrap()) {
                Exchange::Request { .. } => transaction = connection.request(now, message).ok(),
                _ => drop(connection.notify(1, message)),
            }
        }
    }
    line.exchange();
    (line.received()[0], transaction)
}

/// After the loss: both sides have ended, for a reason that fits, and what they had asked for has one end at most.
fn both_have_ended(line: &mut Line, cut: Cut, transaction: Option<u32>) {
    line.wait(Duration::from_secs(300));
    for role in ROLES {
        let reason = line
            .reason(role)
            .unwrap_or_else(|| panic!("{cut:?}: the {role} waits for ever"));
        let fits = match (cut.manner, reason) {
            (_, CloseReason::Disconnected { .. } | CloseReason::ClosedLocally) => true,
            (Manner::Closed, CloseReason::ClosedByPeer) => true,
            (Manner::Closed, CloseReason::Protocol(ProtocolError::StreamCut { pending })) => {
                // Only the side that waits for the rest of a message can say so.
                role == cut.receiver && *pending > 0
            }
            (Manner::Silent, reason) => matches!(
                reason,
                CloseReason::EchoUnanswered(_) | CloseReason::Idle(_) | CloseReason::CapabilityTimedOut(_)
            ),
            _ => false,
        };
        assert!(fits, "{cut:?}: the {role} says {reason}");
        let end = &line.ends[index(role)];
        assert!(matches!(end.events.last(), Some(Event::Closed(_))), "{cut:?}");
        let ends = end.events.iter().filter(|event| {
            matches!(event, Event::RequestTimedOut { transaction: t }
                | Event::Response { transaction: t, last: true, .. } if Some(*t) == transaction)
        });
        assert!(ends.count() <= 1, "{cut:?}");
        assert_eq!(end.connection.poll_timeout(), None, "{cut:?}");
    }
}

/// How many notifications and requests a side was handed.
fn handed(end: &End) -> usize {
    let events = end.events.iter();
    let whole = events.filter(|event| matches!(event, Event::Notification(_) | Event::Request { .. }));
    whole.count()
}

#[test]
fn a_connection_lost_at_any_byte_of_any_message_ends_on_both_sides_and_hands_over_whole_messages_only() {
    let (examples, start) = (examples(), Instant::now());
    let mut losses = 0;
    let mut begin = [0, 0];
    for act in Act::all(&examples) {
        let mut whole = Line::new(start, None, &examples);
        session(&mut whole, &act);
        let total = whole.received();
        for receiver in ROLES {
            for after in begin[index(receiver)]..total[index(receiver)] {
                for manner in [Manner::Closed, Manner::Silent] {
                    let cut = Cut {
                        receiver,
                        after,
                        manner,
                    };
                    let mut line = Line::new(start, Some(cut), &examples);
                    let (_, transaction) = session(&mut line, &act);
                    // The last byte of the cut direction never came.
                    assert!(line.lost, "{act:?} {cut:?}");
                    both_have_ended(&mut line, cut, transaction);
                    for role in ROLES {
                        let most = handed(&whole.ends[index(role)]);
                        assert!(handed(&line.ends[index(role)]) <= most, "{act:?} {cut:?}");
                    }
                    losses += 1;
                }
            }
        }
        // The beginning is the same in all: capabilities and subscription.
        if matches!(act, Act::Nothing) {
            begin = total;
        }
    }
    assert!(losses > 5_000, "{losses}");
}

/// Far enough from the start of the machine that the clock can go back by as much.
fn later() -> Instant {
    Instant::now() + Duration::from_secs(30 * 365 * 86_400)
}

const JUMPS: [u64; 8] = [1, 14, 16, 59, 61, 3600, 86_400, 20 * 365 * 86_400];

fn established(examples: &[OwnedMessage]) -> Line {
    let mut line = Line::new(later(), None, examples);
    session(&mut line, &Act::Nothing);
    line
}

#[test]
fn a_clock_that_jumps_ahead_ends_a_session_by_its_idle_time_at_most() {
    let examples = examples();
    let idle = offering(everything()).idle_timeout;
    for jump in JUMPS.map(Duration::from_secs) {
        let mut line = established(&examples);
        line.now += jump;
        line.tick();
        line.wait(Duration::from_secs(120));
        if jump >= idle {
            assert_eq!(
                line.reason(Role::Controller),
                Some(&CloseReason::Idle(idle)),
                "{jump:?}"
            );
            let told = line.reason(Role::LocationServer);
            assert!(
                matches!(told, Some(CloseReason::Disconnected { .. })),
                "{jump:?}: {told:?}"
            );
        } else {
            assert_eq!(
                (line.reason(ROLES[0]), line.reason(ROLES[1])),
                (None, None),
                "{jump:?}"
            );
        }
    }
}

#[test]
fn a_clock_that_goes_back_keeps_the_session_and_its_messages() {
    let examples = examples();
    let told = examples
        .iter()
        .find(|message| message.message_type() == Some(MessageType::MeasurementNotification));
    let told = told.unwrap();
    for jump in JUMPS.map(Duration::from_secs) {
        let mut line = established(&examples);
        line.now -= jump;
        line.tick();
        let before = handed(&line.ends[1]);
        line.end(Role::Controller).connection.notify(1, told).unwrap();
        line.exchange();
        assert_eq!(handed(&line.ends[1]), before + 1, "{jump:?}");
        // Deadlines of before are far ahead; then the clock is right again.
        line.wait(Duration::from_secs(10));
        line.now += jump;
        line.wait(Duration::from_secs(300));
        assert_eq!(
            (line.reason(ROLES[0]), line.reason(ROLES[1])),
            (None, None),
            "{jump:?}"
        );
    }
}
