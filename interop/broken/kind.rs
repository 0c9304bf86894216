//! The ten, by name.

use std::net::{SocketAddr, TcpListener};

use crate::controller::{double_goodbye, early_subscription, half_message, length_wrap, unbounded_length};
use crate::est_server::{padding_index, reset_leak, unchecked_signature};
use crate::lab::{Failed, Lab};
use crate::location_server::{deep_nesting, unknown_id};

/// One of the ten.
#[derive(Debug)]
pub(crate) struct Device {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What is wrong with it, in one sentence.
    pub(crate) defect: &'static str,
    /// How it runs.
    pub(crate) start: Start,
    is_est: bool,
}

/// How one of them runs. Neither returns unless it cannot begin.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Start {
    /// It waits for connections.
    Listening(fn(TcpListener, &Lab) -> Result<(), Failed>),
    /// It connects to a controller, again and again.
    Connecting(fn(SocketAddr, &Lab) -> Result<(), Failed>),
}

impl Device {
    /// What it is.
    pub(crate) const fn role(&self) -> &'static str {
        match (self.start, self.is_est) {
            (Start::Connecting(_), _) => "location server",
            (Start::Listening(_), true) => "EST server",
            (Start::Listening(_), false) => "controller",
        }
    }
}

const fn controller(
    name: &'static str,
    defect: &'static str,
    serve: fn(TcpListener, &Lab) -> Result<(), Failed>,
) -> Device {
    Device {
        name,
        defect,
        start: Start::Listening(serve),
        is_est: false,
    }
}

const fn est_server(
    name: &'static str,
    defect: &'static str,
    serve: fn(TcpListener, &Lab) -> Result<(), Failed>,
) -> Device {
    Device {
        name,
        defect,
        start: Start::Listening(serve),
        is_est: true,
    }
}

const fn location_server(
    name: &'static str,
    defect: &'static str,
    stay_connected: fn(SocketAddr, &Lab) -> Result<(), Failed>,
) -> Device {
    Device {
        name,
        defect,
        start: Start::Connecting(stay_connected),
        is_est: false,
    }
}

/// All of them.
pub(crate) static DEVICES: [Device; 10] = [
    controller(
        "length-wrap",
        "compares a message length with its buffer in 16 bits, and fills the buffer by all 32",
        length_wrap::serve,
    ),
    controller(
        "unbounded-length",
        "makes room for as many bytes as a header announces, and keeps it",
        unbounded_length::serve,
    ),
    controller(
        "early-subscription",
        "waits for the capability when it gets a subscription first, with everybody else locked out",
        early_subscription::serve,
    ),
    controller(
        "half-message",
        "serves all connections in one thread, which waits for the rest of a message without end",
        half_message::serve,
    ),
    controller(
        "double-goodbye",
        "ends a session at each goodbye, so that a second one takes its counter below zero",
        double_goodbye::serve,
    ),
    location_server(
        "unknown-id",
        "counts messages in a table with as many rows as identifiers are known",
        unknown_id::stay_connected,
    ),
    location_server(
        "deep-nesting",
        "reads elements inside elements by calling itself, however deep they go",
        deep_nesting::stay_connected,
    ),
    est_server(
        "padding-index",
        "looks up the length of a base64 body by its padding, however long that is",
        padding_index::serve,
    ),
    est_server(
        "unchecked-signature",
        "issues certificates without checking the signature of the request",
        unchecked_signature::serve,
    ),
    est_server(
        "reset-leak",
        "keeps the socket of a connection that the other side has reset",
        reset_leak::serve,
    ),
];
