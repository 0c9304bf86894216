//! Where the application answers what the store cannot know.

use core::fmt;
use std::net::SocketAddr;

use pki_common::MacAddr;

use crate::wire::OwnedMessage;
use crate::wire::message::bodies::StatusResponse;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requester {
    /// The address of the location server.
    pub peer: SocketAddr,
    /// The number of its connection.
    pub connection_id: u32,
    /// The MAC address in its certificate.
    pub mac: Option<MacAddr>,
}

/// Does what location servers ask the network to do: an IDS Set Request, a Path Loss Config Request, and what follows from
/// an AP Monitor Subscription.
///
/// It is called from the connection's task and must not block it; what takes long is handed to another task, and the answer
/// says that it was taken over.
pub trait RequestHandler: fmt::Debug + Send + Sync {
    /// What became of the request; `None` if this controller does not do it. A subscription of monitor reports that nobody
    /// takes note of is accepted: reports come from the store.
    ///
    /// After success of an IDS Set Request the store keeps its parameters, and IDS Get Requests are answered with them.
    fn answer(&self, from: &Requester, request: &OwnedMessage) -> Option<StatusResponse>;
}
