//! DTLS 1.2 (RFC 6347) over UDP: the connectionless form.
//!
//! One message is one record and one datagram. A message that is longer than a record (16,384 bytes) is refused before
//! it is sent, with an error that says so; IP fragments a datagram that is longer than the path allows. A record that is not whole messages is
//! dropped. Lost messages stay lost: a request then times out, and echo requests or the idle time notice a peer that is
//! gone. That is ours; the vendor has published nothing about the connectionless form.
//!
//! A controller remembers nothing of a peer that has not shown that it receives at its address: the first ClientHello is
//! answered with a cookie and forgotten. From the ClientHello with the cookie on, limits and time-outs are those of the
//! other transports.

mod cookie;
mod hello;
mod listener;
mod socket;
mod stream;

pub(crate) use listener::{DtlsIncoming, DtlsListener};
pub(crate) use socket::DatagramSocket;
pub(crate) use stream::{DtlsStream, LONGEST_DTLS_MESSAGE};
