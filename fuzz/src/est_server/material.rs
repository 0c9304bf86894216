//! What clients send: requests for a few keys, bound to connections or not, and bodies that end as they should or not.

use core::pin::Pin;
use core::task::{Context, Poll};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use est::operation::CHANGE_SUBJECT_NAME;
use est::request::{BindingAttribute, RequestKey, RequestTemplate};
use est::wire::cmc::identity_proof;
use est::wire::cmc::oid::POP_LINK_WITNESS_V2;
use est::wire::csr::Attribute;
use hyper::body::{Body, Frame, SizeHint};
use pki_common::channel_binding::{ChannelBindingType, ChannelBindings};
use pki_common::identity::{NewKey, generate_key};

/// Connections that requests can be bound to.
pub(super) const CONNECTIONS: u8 = 3;

/// The channel bindings of a connection; the last one has none.
pub(super) fn bindings(connection: u8) -> ChannelBindings {
    match connection {
        0 => ChannelBindings::new(Some([0; 12]), None),
        1 => ChannelBindings::new(None, Some([1; 32])),
        _ => ChannelBindings::default(),
    }
}

/// CN=x and DNS:h (RFC 6402, section 2.8).
const NEW_NAMES: &[u8] = b"\x30\x13\x30\x0c\x31\x0a\x30\x08\x06\x03\x55\x04\x03\x0c\x01x\x30\x03\x82\x01h";

const OTHER_NAMES: [&str; 5] = [
    "DNS:other.example.com",
    "IP:192.0.2.1",
    "IP:2001:db8::1",
    "email:Phone@EXAMPLE.com",
    "URI:https://other.example.com/",
];

static KEYS: LazyLock<[RequestKey; 4]> = LazyLock::new(|| {
    core::array::from_fn(|_| {
        let key = generate_key(NewKey::EcP256).expect("the provider makes P-256 keys");
        RequestKey::from_pkcs8(key).expect("such a key signs")
    })
});

/// What ties a request to a shared secret (RFC 5272, section 6.3.1).
pub(super) struct Link(Option<&'static str>);

impl Link {
    /// By a witness made from this secret.
    pub(super) const fn new(secret: &'static str) -> Self {
        Self(Some(secret))
    }

    /// There is no witness.
    pub(super) const fn absent() -> Self {
        Self(None)
    }

    /// What the witness is made over.
    pub(super) const fn random(&self) -> &'static [u8] {
        b"sixteen octets!!"
    }

    /// The attribute of each request.
    pub(super) fn witness(&self) -> Option<Attribute> {
        let witness = identity_proof::link(self.random(), self.0?.as_bytes());
        Some(Attribute {
            oid: POP_LINK_WITNESS_V2,
            values: vec![witness.encode()],
        })
    }
}

/// A certification request by a number: its lowest two bits say for which key and subject, the next two to which
/// connection it is bound (3: to none), the next one by which attribute; the next three whether it asks for a change of its
/// names, and for which other names it asks outright.
pub(super) struct Request(u8);

impl Request {
    pub(super) const fn new(number: u8) -> Self {
        Self(number)
    }

    /// The public key.
    pub(super) fn spki(&self) -> &'static [u8] {
        self.key().spki_der()
    }

    /// The key that it is for.
    pub(super) fn key(&self) -> &'static RequestKey {
        KEYS.get(usize::from(self.0 & 3)).expect("there are four")
    }

    /// The key with this public half.
    pub(super) fn key_of(spki: &[u8]) -> Option<&'static RequestKey> {
        KEYS.iter().find(|key| key.spki_der() == spki)
    }

    /// The request in base64, signed once per process.
    pub(super) fn body(&self) -> Bytes {
        static BODIES: LazyLock<Mutex<HashMap<u8, Bytes>>> = LazyLock::new(Mutex::default);
        let mut bodies = BODIES.lock().unwrap_or_else(PoisonError::into_inner);
        bodies.entry(self.0).or_insert_with(|| self.signed()).clone()
    }

    fn signed(&self) -> Bytes {
        est::wire::base64::encode(&self.der(&[]), est::wire::base64::Base64Layout::SingleLine).into()
    }

    /// Names and attributes, with more of these, without the binding.
    pub(super) fn template(&self, more: &[Attribute]) -> RequestTemplate {
        let (subject, names) = match self.0 >> 6 {
            0 => ("CN=device", &["DNS:device.example.com"][..]),
            1 => ("O=Example,CN=Device", &["IP:192.0.2.1"][..]),
            2 => ("CN=device", &["DNS:DEVICE.example.com"][..]),
            _ => ("CN=device", &OTHER_NAMES[..]),
        };
        let subject = format!("{subject}-{}", self.0 & 3).parse().expect("a subject");
        let names: Vec<_> = names.iter().map(|name| name.parse().expect("a name")).collect();
        let mut template = RequestTemplate::new(subject, &names).expect("the names can be written");
        if self.0 & 0x20 != 0 {
            template.attributes.push(Attribute {
                oid: CHANGE_SUBJECT_NAME,
                values: vec![NEW_NAMES.to_vec()],
            });
        }
        template.attributes.extend(more.iter().cloned());
        template
    }

    /// In DER, signed anew.
    pub(super) fn der(&self, more: &[Attribute]) -> Vec<u8> {
        let attribute = match self.0 >> 4 & 1 {
            0 => BindingAttribute::ChallengePassword,
            _ => BindingAttribute::EstIdentityLinking,
        };
        let of_connection = bindings(self.0 >> 2 & 3);
        let [unique, exporter] = [ChannelBindingType::TlsUnique, ChannelBindingType::TlsExporter];
        let text = of_connection
            .to_base64(unique)
            .or_else(|| of_connection.to_base64(exporter));
        let binding = match self.0 >> 2 & 3 {
            // An ordinary password, as old requests have it for revocation.
            2 => Some("please revoke me"),
            _ => text.as_deref(),
        };
        self.template(more)
            .sign(self.key(), binding.map(|binding| (attribute, binding)))
            .expect("a P-256 key signs")
    }

    /// Which connection it is bound to.
    pub(super) const fn connection(&self) -> Option<u8> {
        match self.0 >> 2 & 3 {
            connection @ 0..=1 => Some(connection),
            _ => None,
        }
    }
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Whole,
    /// The connection breaks.
    Broken,
    /// No more comes, and no end.
    Never,
}

/// A body in pieces.
#[derive(Debug)]
pub(super) struct Pieces {
    pieces: VecDeque<Bytes>,
    end: End,
    /// What the header announced, if it did.
    announced: Option<u64>,
}

impl Pieces {
    /// Cut in the middle; announced, or chunked.
    pub(super) fn new(mut body: Bytes, end: End, announced: bool) -> Self {
        let length = u64::try_from(body.len()).expect("a body in memory");
        let rest = body.split_off(body.len() / 2);
        Self {
            pieces: [body, rest].into(),
            end,
            announced: announced.then_some(length),
        }
    }
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match (self.pieces.pop_front(), self.end) {
            (Some(piece), _) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            (None, End::Whole) => Poll::Ready(None),
            (None, End::Broken) => Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::ConnectionReset)))),
            // The time-out of the server wakes whoever waits here.
            (None, End::Never) => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.announced
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
