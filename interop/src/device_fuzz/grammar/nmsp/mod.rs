//! Cases for NMSP: valid conversations of the side that is played, and what is done to them.
//!
//! Cases take their turns through one table, so that each gets the same share of a run; everything else is chance from
//! the seed. Most cases end with an echo request: whether it is answered tells a device that went on from one that did not.

mod draft;
mod element;
mod exhaustion;
mod framing;
mod identifier;
mod judge;
mod state;
mod talk;
mod transport;
mod value;

use std::sync::Arc;

use nmsp::proto::Role;
use nmsp::wire::WireProfile;

use super::{CaseBudget, Grammar, random};
use crate::device_fuzz::case::{Case, Layer};
use crate::device_fuzz::play::Observation;
use crate::device_fuzz::verdict::Judgement;
use talk::Talk;

/// Writes the script of a case; returns what is special to it, or nothing.
type Mutation = fn(&mut Talk<'_>) -> String;

/// Every kind of mutation.
const MUTATIONS: &[(Layer, &str, Mutation)] = &[
    (Layer::Valid, "a valid conversation", state::valid),
    (Layer::Tcp, "a segment for each byte", transport::byte_by_byte),
    (Layer::Framing, "a length that is not so", framing::length),
    (Layer::Identifier, "an unknown identifier", identifier::unknown),
    (Layer::Element, "an element of another length", element::length),
    (
        Layer::State,
        "before the capability exchange",
        state::before_capability,
    ),
    (Layer::Value, "values at their limits", value::limits),
    (
        Layer::Tls,
        "a record for each byte",
        transport::record_for_each_byte,
    ),
    (Layer::Framing, "bytes cut off", framing::cut_off),
    (
        Layer::Identifier,
        "a message of the other side",
        identifier::foreign,
    ),
    (Layer::Element, "elements in another order", element::order),
    (
        Layer::State,
        "a response without a request",
        state::response_first,
    ),
    (Layer::Value, "a bit flipped", value::bit),
    (Layer::Tcp, "a stall within a message", transport::stall),
    (Layer::Tls, "many messages in one record", transport::joined),
    (Layer::Framing, "another version", framing::version),
    (Layer::Element, "an element twice", element::twice),
    (Layer::State, "a second subscription", state::second_subscription),
    (Layer::Exhaustion, "echoes without a pause", exhaustion::echoes),
    (Layer::Tcp, "closed within a message", transport::closed),
    (Layer::Framing, "chance", framing::chance),
    (Layer::Identifier, "many identifiers", identifier::many),
    (Layer::Element, "an element within itself", element::nested),
    (Layer::State, "messages after a goodbye", state::after_goodbye),
    (Layer::Value, "a count that is not so", value::count),
    (Layer::Tls, "a broken record", transport::broken_record),
    (Layer::Tcp, "segments of any size", transport::segments),
    (Layer::Framing, "bytes behind the elements", framing::behind),
    (Layer::Element, "an element missing", element::missing),
    (Layer::State, "messages in any order", state::any_order),
    (
        Layer::Exhaustion,
        "requests without reading the answers",
        exhaustion::requests,
    ),
    (Layer::Tls, "a broken handshake", transport::broken_handshake),
    (
        Layer::Identifier,
        "a transaction at its limit",
        identifier::transaction,
    ),
    (Layer::Element, "an element of another message", element::other),
    (
        Layer::State,
        "a second capability notification",
        state::second_capability,
    ),
    (Layer::Value, "bytes replaced", value::bytes),
    (Layer::Tcp, "something else than TLS", transport::no_tls),
    (Layer::Framing, "as long as can be", framing::long),
    (Layer::Element, "an unknown element", element::unknown),
    (
        Layer::State,
        "the end of a subscription that was not made",
        state::unsubscribe,
    ),
    (
        Layer::Exhaustion,
        "subscriptions again and again",
        exhaustion::subscriptions,
    ),
    (Layer::Tls, "records cut at odd places", transport::odd_records),
    (Layer::Element, "elements deep in each other", element::deep),
    (
        Layer::State,
        "a notification before the capability exchange",
        state::notification_first,
    ),
    (Layer::Exhaustion, "many connections", exhaustion::connections),
    (Layer::Tcp, "half of the handshake", transport::half_handshake),
    (Layer::Exhaustion, "half-open connections", exhaustion::half_open),
    (Layer::Framing, "a message without an end", exhaustion::endless),
];

/// Cases for one side of NMSP.
#[derive(Clone, Debug)]
pub struct NmspGrammar {
    role: Role,
    profile: Arc<WireProfile>,
    budget: CaseBudget,
}

impl NmspGrammar {
    /// Plays a location server, for controllers under test.
    #[must_use]
    pub const fn location_server(profile: Arc<WireProfile>, budget: CaseBudget) -> Self {
        Self {
            role: Role::LocationServer,
            profile,
            budget,
        }
    }

    /// Plays a controller, for location servers under test.
    #[must_use]
    pub const fn controller(profile: Arc<WireProfile>, budget: CaseBudget) -> Self {
        Self {
            role: Role::Controller,
            profile,
            budget,
        }
    }

    /// How many kinds of mutation there are; a run of as many cases has one of each.
    #[must_use]
    pub const fn mutations() -> usize {
        MUTATIONS.len()
    }
}

impl Grammar for NmspGrammar {
    fn name(&self) -> &'static str {
        match self.role {
            Role::LocationServer => "nmsp",
            Role::Controller => "nmsp-client",
        }
    }

    fn case(&self, seed: u64, index: u64) -> Case {
        let mut talk = Talk {
            profile: &self.profile,
            role: self.role,
            budget: self.budget,
            random: random(seed, index),
            script: Vec::new(),
        };
        let count = u64::try_from(MUTATIONS.len()).unwrap_or(u64::MAX);
        let turn = usize::try_from(index % count).unwrap_or_default();
        let (layer, kind, mutate) =
            MUTATIONS
                .get(turn)
                .copied()
                .unwrap_or((Layer::Valid, "a valid conversation", state::valid));
        let detail = mutate(&mut talk);
        let name = if detail.is_empty() {
            kind.to_owned()
        } else {
            format!("{kind}: {detail}")
        };
        Case {
            index,
            seed,
            layer,
            name,
            script: talk.script,
        }
    }

    fn judge(&self, case: &Case, observation: &Observation) -> Judgement {
        judge::judge(&self.profile, case, observation)
    }
}
