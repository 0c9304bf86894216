//! Whether a certification request is tied to the TLS connection it comes in (RFC 7030, section 3.5).

/// What a label asks of requests.
///
/// # Defaults
/// [`ProofOfPossession::Accepted`]: RFC 7030, section 3.5, has a server that knows the linking check what a client
/// sends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ProofOfPossession {
    /// A challenge password means nothing here.
    Off,
    /// A request may be tied to its connection.
    #[default]
    Accepted,
    /// A request must be tied to its connection.
    Required,
}
