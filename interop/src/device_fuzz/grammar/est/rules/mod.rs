//! What is done to a server, one file for each layer.
//!
//! A rule is a function that makes a script. Where it has a table, its entries take turns, so that each of them has been
//! sent after as many turns; what remains is left to the random numbers.

mod authorization;
mod base64;
mod certification_request;
mod cms;
mod der;
mod digest_login;
mod exhaustion;
mod header;
mod line;
mod linked;
mod media_type;
mod message_length;
mod state;
mod target;
mod tcp;
mod tls;
mod tls_hello;
mod valid;

use super::bench::{Bench, Made};
use crate::device_fuzz::case::Layer;

/// What the settings must have for a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    /// An operation that takes a request for a certificate.
    Enrolment,
    /// `fullcmc`.
    Cmc,
    /// A server that looks whether requests are linked to their connection.
    Linking,
    /// An account by Digest.
    Digest,
}

/// One kind of case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) layer: Layer,
    pub(super) needs: Needs,
    /// What it is about. Findings of one rule are likely to have one cause.
    pub(super) name: &'static str,
    pub(super) make: fn(&mut Bench<'_>) -> Made,
}

const fn rule(layer: Layer, needs: Needs, name: &'static str, make: fn(&mut Bench<'_>) -> Made) -> Rule {
    Rule {
        layer,
        needs,
        name,
        make,
    }
}

/// All of them.
pub(super) fn all() -> impl Iterator<Item = &'static Rule> {
    [
        valid::RULES,
        tcp::RULES,
        tls::RULES,
        tls_hello::RULES,
        line::RULES,
        target::RULES,
        message_length::RULES,
        header::RULES,
        authorization::RULES,
        media_type::RULES,
        base64::RULES,
        der::RULES,
        certification_request::RULES,
        cms::RULES,
        state::RULES,
        exhaustion::RULES,
        linked::RULES,
        digest_login::RULES,
    ]
    .into_iter()
    .flatten()
}
