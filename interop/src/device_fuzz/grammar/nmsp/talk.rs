//! A conversation that is being written: the script so far, and what the side that is played may say.

use fastrand::Rng;
use nmsp::proto::{Exchange, Role};
use nmsp::wire::message::{
    Capability, OwnedMessage, Sender, ServiceSubscribeRequest, ServiceSubscribeResponse,
};
use nmsp::wire::numbers::SubscribeStatus;
use nmsp::wire::{MessageType, Service, Services, Text, WireProfile};

use super::draft::{Draft, Values, draft, marker};
use crate::device_fuzz::case::{Hex, Step, Transport};
use crate::device_fuzz::grammar::CaseBudget;

/// How long an answer may take where the script needs it to go on, in milliseconds.
const ANSWER: u64 = 500;

/// A conversation.
pub(super) struct Talk<'a> {
    /// Layout and numbers.
    pub(super) profile: &'a WireProfile,
    /// The side that is played.
    pub(super) role: Role,
    /// What may be used up.
    pub(super) budget: CaseBudget,
    /// Chance.
    pub(super) random: Rng,
    /// The steps so far.
    pub(super) script: Vec<Step>,
}

impl Talk<'_> {
    /// Opens a connection with TLS, and says nothing.
    pub(super) fn open(&mut self) {
        self.script.push(Step::Open {
            transport: Transport::Tls,
        });
    }

    /// Opens a connection without TLS.
    pub(super) fn open_tcp(&mut self) {
        self.script.push(Step::Open {
            transport: Transport::Tcp,
        });
    }

    /// Opens a connection, and exchanges capabilities.
    pub(super) fn greet(&mut self) {
        self.open();
        let capability = self.capability();
        self.say(capability);
        self.wait(ANSWER);
    }

    /// Opens a connection on which everything may be said: the location server has subscribed.
    pub(super) fn begin(&mut self) {
        self.greet();
        match self.role {
            Role::LocationServer => {
                let request = self.subscription();
                self.say(request);
                self.wait(ANSWER);
            }
            Role::Controller => self.grant(),
        }
    }

    /// Answers the subscription of the location server under test.
    fn grant(&mut self) {
        let services = everything();
        let response = ServiceSubscribeResponse {
            status: SubscribeStatus::ACCEPTED,
            accepted: services,
            ..ServiceSubscribeResponse::default()
        };
        let answer = self.owned(&OwnedMessage::ServiceSubscribeResponse(response), 0);
        let request = self.profile.message_id(MessageType::ServiceSubscribeRequest);
        let layout = &self.profile.definition().header;
        let Some(request) = request else { return };
        // Version, identifier: enough to find it, as long as they stand in front.
        let mut begin = Draft::new(request.0, 0).bytes(self.profile);
        begin.truncate(usize::from(layout.message_length.offset));
        let place = usize::from(layout.transaction.offset);
        self.script.push(Step::Reply {
            request: Hex(begin),
            copy_from: place,
            copy_to: place,
            length: usize::from(layout.transaction.width),
            answer: Hex(answer),
            within_milliseconds: ANSWER * 4,
        });
    }

    /// Sends a message.
    pub(super) fn say(&mut self, message: impl Into<Vec<u8>>) {
        self.script.push(Step::send(message));
    }

    /// Sends a draft.
    pub(super) fn say_draft(&mut self, draft: &Draft) {
        let bytes = draft.bytes(self.profile);
        self.say(bytes);
    }

    /// Waits for an answer.
    pub(super) fn wait(&mut self, milliseconds: u64) {
        self.script.push(Step::Read {
            within_milliseconds: milliseconds,
        });
    }

    /// Waits in any case.
    pub(super) fn pause(&mut self, milliseconds: u64) {
        self.script.push(Step::Pause {
            milliseconds: milliseconds.min(self.budget.stall_milliseconds),
        });
    }

    /// A stall within the budget, in milliseconds.
    pub(super) fn stall(&mut self) -> u64 {
        let most = self.budget.stall_milliseconds.max(1);
        self.random.u64(most.div_ceil(2)..=most)
    }

    /// Something that is answered if the connection still works, where this side may ask that.
    pub(super) fn ask_for_life(&mut self) {
        if self.role == Role::LocationServer {
            let echo = self.echo();
            self.say(echo);
        }
    }

    /// An echo request.
    pub(super) fn echo(&mut self) -> Vec<u8> {
        let mut draft = match self.profile.message_id(MessageType::EchoRequest) {
            Some(id) => Draft::new(id.0, self.random.u32(1..0x7fff_ffff)),
            None => return Vec::new(),
        };
        // What may stand in an echo is not known, so that of every other one is empty.
        if self.random.bool() {
            draft.nodes.push(marker(&mut self.random));
        }
        draft.bytes(self.profile)
    }

    /// A valid capability notification.
    pub(super) fn capability(&mut self) -> Vec<u8> {
        let capability = Capability {
            version: nmsp::proto::PROTOCOL_VERSION,
            services: everything(),
            system_name: Some(Text::from("robustness tester")),
            ..Capability::default()
        };
        self.owned(&OwnedMessage::CapabilityNotification(capability), 0)
    }

    /// A valid subscription of some services.
    pub(super) fn subscription(&mut self) -> Vec<u8> {
        let services = Services(self.random.u64(..) & everything().0) | Services::RSSI_MS;
        let transaction = self.random.u32(1..0x7fff_ffff);
        let request = ServiceSubscribeRequest::from(services);
        self.owned(&OwnedMessage::ServiceSubscribeRequest(request), transaction)
    }

    fn owned(&self, message: &OwnedMessage, transaction: u32) -> Vec<u8> {
        let mut out = bytes::BytesMut::new();
        // The profile has numbers for these, or else nothing is sent.
        drop(message.encode(transaction, self.profile, &mut out));
        out.to_vec()
    }

    /// A message that this side may send, with a body.
    pub(super) fn own_message(&mut self, values: Values) -> (MessageType, Draft) {
        self.message(values, may_send)
    }

    /// A message that only the other side may send.
    pub(super) fn foreign_message(&mut self, values: Values) -> (MessageType, Draft) {
        self.message(values, |message, role| !may_send(message, role))
    }

    /// A message of this side that has elements.
    pub(super) fn message_with_elements(&mut self, values: Values) -> (MessageType, Draft) {
        for _ in 0..64 {
            let (message, draft) = self.own_message(values);
            if !draft.nodes.is_empty() {
                return (message, draft);
            }
        }
        self.own_message(values)
    }

    /// A response of this side, or of the other where this one has none.
    pub(super) fn response(&mut self) -> (MessageType, Draft) {
        self.message(Values::Ordinary, |message, _| {
            matches!(Exchange::of(message), Exchange::Response)
        })
    }

    /// A notification.
    pub(super) fn notification(&mut self) -> (MessageType, Draft) {
        self.message(Values::Ordinary, |message, role| {
            may_send(message, role)
                && matches!(Exchange::of(message), Exchange::Notification { .. })
                && message != MessageType::DisconnectNotification
        })
    }

    /// A message that fulfils a condition. Goodbyes have cases of their own: whatever follows one says little.
    fn message(
        &mut self,
        values: Values,
        wanted: impl Fn(MessageType, Role) -> bool,
    ) -> (MessageType, Draft) {
        let candidates: Vec<MessageType> = MessageType::ALL
            .iter()
            .copied()
            .filter(|message| *message != MessageType::DisconnectNotification)
            .filter(|message| wanted(*message, self.role) && self.profile.message_id(*message).is_some())
            .collect();
        let message = self.random.choice(candidates).unwrap_or(MessageType::EchoRequest);
        let draft = draft(self.profile, message, values, &mut self.random);
        (message, draft.unwrap_or(Draft::new(0, 0)))
    }
}

fn may_send(message: MessageType, role: Role) -> bool {
    match message.sender() {
        Sender::Both => true,
        Sender::Controller => role == Role::Controller,
        Sender::LocationServer => role == Role::LocationServer,
    }
}

fn everything() -> Services {
    Service::ALL.iter().copied().collect()
}
