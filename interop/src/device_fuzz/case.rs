//! One case: what is sent to the device, step by step.
//!
//! A case holds bytes, not recipes, but for what depends on the connection ([`live`](super::live)). Whoever has the file of a
//! case can repeat it without the grammar that made it.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::live::{Login, Part};

/// Bytes; in files as hexadecimal digits.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl<T: Into<Vec<u8>>> From<T> for Hex {
    fn from(bytes: T) -> Self {
        Self(bytes.into())
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let digits = String::deserialize(deserializer)?;
        hex::decode(&digits).map(Self).map_err(de::Error::custom)
    }
}

/// For fields that are left out where they are zero.
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What a connection stands on when its first step begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Transport {
    /// TCP alone; no handshake has begun.
    Tcp,
    /// TLS, its handshake done with our credentials.
    Tls,
}

/// One step of a script.
///
/// Steps act on the connection that was opened or chosen last. A step on a connection that has ended does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Step {
    /// Opens a connection. Those that are open already stay open to the end of the case.
    Open {
        /// What it is to stand on.
        transport: Transport,
    },
    /// Goes back to a connection that was opened before.
    Use {
        /// Which one, the first is 0.
        connection: usize,
    },
    /// Sends through TLS (or TCP, if the connection has no TLS).
    Send {
        /// Each becomes one TLS record; one of more than 16,384 bytes becomes several.
        records: Vec<Hex>,
        /// Sizes of the TCP segments that the records together are cut into; what remains is one more. None: one segment.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        segments: Vec<usize>,
        /// How long to wait between two segments.
        #[serde(default, skip_serializing_if = "is_zero")]
        stall_milliseconds: u64,
    },
    /// Waits until certain bytes come, copies some of those that follow into an answer, and sends that. So a script can
    /// answer a request whose transaction it cannot know. If they do not come, the answer goes out as it stands.
    Reply {
        /// How the request begins.
        request: Hex,
        /// Where in the request the first byte to copy is, from its beginning.
        copy_from: usize,
        /// Where in the answer it goes.
        copy_to: usize,
        /// How many bytes are copied.
        length: usize,
        /// The answer.
        answer: Hex,
        /// How long to wait.
        within_milliseconds: u64,
    },
    /// The same bytes again and again through TLS, in records as long as they can be.
    SendRepeated {
        /// The bytes.
        bytes: Hex,
        /// How often.
        times: u32,
    },
    /// Sends a request for a certificate that is made for this connection (RFC 7030 section 3.5), in base64, in one record.
    SendLinked {
        /// Request line and header fields; `Content-Length` and the empty line are added.
        head: Hex,
        /// The CertificationRequestInfo.
        info: Part,
        /// The key on P-256 that signs it: 32 octets, made for this case alone.
        key: Hex,
    },
    /// Answers the last Digest challenge that came on a connection (RFC 7616). If none came, the request goes without
    /// credentials.
    SendDigest {
        /// Request line and header fields; `Authorization` and the empty line are added.
        head: Hex,
        /// What stands behind them.
        body: Hex,
        /// The answer.
        login: Login,
    },
    /// Sends below TLS, past its encryption.
    SendRaw {
        /// One TCP segment.
        bytes: Hex,
    },
    /// Waits, and takes what comes.
    Pause {
        /// How long.
        milliseconds: u64,
    },
    /// Waits until something came that was not there before, or the connection ended.
    Read {
        /// How long at most.
        within_milliseconds: u64,
    },
    /// Says that no more will be sent (`close_notify` where there is TLS, and FIN), and keeps reading.
    HalfClose,
    /// Ends the connection by RST.
    Reset,
    /// Ends the connection in good order.
    Close,
}

impl Step {
    /// One record in one segment.
    #[must_use]
    pub fn send(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Send {
            records: vec![Hex(bytes.into())],
            segments: Vec::new(),
            stall_milliseconds: 0,
        }
    }

    /// Past TLS.
    #[must_use]
    pub fn send_raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::SendRaw {
            bytes: Hex(bytes.into()),
        }
    }

    /// The step with other numbers of connections; `None` when one that it needs has no number any more.
    #[must_use]
    pub fn with_numbers(&self, new: &impl Fn(usize) -> Option<usize>) -> Option<Self> {
        let mut step = self.clone();
        match &mut step {
            Self::Use { connection } => *connection = new(*connection)?,
            Self::SendLinked { info, .. } => info.renumber(new)?,
            Self::SendDigest { login, .. } => {
                if let Some(challenged) = &mut login.challenged {
                    *challenged = new(*challenged)?;
                }
            }
            _ => {}
        }
        Some(step)
    }

    /// How many bytes of its own it sends, before encryption.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let length = |bytes: &Hex| u64::try_from(bytes.0.len()).unwrap_or(u64::MAX);
        match self {
            Self::Send { records, .. } => records.iter().map(length).sum(),
            Self::SendRepeated { bytes, times } => length(bytes).saturating_mul(u64::from(*times)),
            Self::SendRaw { bytes } | Self::Reply { answer: bytes, .. } => length(bytes),
            // Without what the connection adds: a binding, a nonce, base64.
            Self::SendLinked { head, info, .. } => length(head).saturating_add(info.known()),
            Self::SendDigest { head, body, .. } => length(head).saturating_add(length(body)),
            _ => 0,
        }
    }
}

/// The layer that a case does something to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Layer {
    /// Nothing: a valid conversation.
    Valid,
    /// TCP: segmentation, stalls, half-closed and reset connections.
    Tcp,
    /// TLS: record boundaries, broken records, a broken handshake.
    Tls,
    /// The lengths that cut a stream into messages.
    Framing,
    /// Identifiers of messages: unknown, reserved, of the other side.
    Identifier,
    /// Elements of a message: order, duplication, nesting, truncation.
    Element,
    /// What may be said when.
    State,
    /// Values at the limits of their types.
    Value,
    /// As much as the budget allows: connections, requests, bytes.
    Exhaustion,
    /// HTTP: request line, framing of the body, pipelining.
    Http,
    /// HTTP header fields.
    Header,
    /// Base64.
    Base64,
    /// DER.
    Der,
    /// CMS.
    Cms,
    /// The content of a certificate request.
    CertificateRequest,
}

impl Layer {
    /// As in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Framing => "framing",
            Self::Identifier => "identifier",
            Self::Element => "element",
            Self::State => "state",
            Self::Value => "value",
            Self::Exhaustion => "exhaustion",
            Self::Http => "http",
            Self::Header => "header",
            Self::Base64 => "base64",
            Self::Der => "der",
            Self::Cms => "cms",
            Self::CertificateRequest => "certificate-request",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its place in the run, from 0 on.
    pub index: u64,
    /// The seed of the run.
    pub seed: u64,
    /// The layer that is attacked.
    pub layer: Layer,
    /// What was done, in a short phrase: the kind of mutation, and after a colon what is special to this case.
    pub name: String,
    /// The steps.
    pub script: Vec<Step>,
}

impl Case {
    /// How many bytes it sends, before encryption.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.script.iter().map(Step::bytes).fold(0, u64::saturating_add)
    }

    /// The kind of mutation: what stands before the colon in its name.
    #[must_use]
    pub fn mutation(&self) -> &str {
        self.name.split(':').next().unwrap_or_default()
    }

    /// How many connections it opens.
    #[must_use]
    pub fn connections(&self) -> usize {
        let opens = |step: &&Step| matches!(step, Step::Open { .. });
        self.script.iter().filter(opens).count()
    }

    /// What it sends through TLS on each of its connections, in order, as one stream; without what is
    /// [made](super::live) while it is played.
    #[must_use]
    pub fn sent(&self) -> Vec<Vec<u8>> {
        self.sent_with(&[])
    }

    /// As [`Case::sent`], with what was made for each of its connections while it was played.
    #[must_use]
    pub fn sent_with(&self, made: &[&[Vec<u8>]]) -> Vec<Vec<u8>> {
        let mut streams: Vec<Vec<u8>> = Vec::new();
        let mut made: Vec<_> = made.iter().map(|made| made.iter()).collect();
        let mut current = 0;
        for step in &self.script {
            match step {
                Step::Open { .. } => {
                    current = streams.len();
                    streams.push(Vec::new());
                }
                Step::Use { connection } => current = *connection,
                Step::SendLinked { .. } | Step::SendDigest { .. } => {
                    let bytes = made.get_mut(current).and_then(Iterator::next);
                    if let (Some(stream), Some(bytes)) = (streams.get_mut(current), bytes) {
                        stream.extend_from_slice(bytes);
                    }
                }
                Step::Send { records, .. } => {
                    if let Some(stream) = streams.get_mut(current) {
                        records
                            .iter()
                            .for_each(|record| stream.extend_from_slice(&record.0));
                    }
                }
                Step::Reply { answer, .. } => {
                    if let Some(stream) = streams.get_mut(current) {
                        stream.extend_from_slice(&answer.0);
                    }
                }
                Step::SendRepeated { bytes, times } => {
                    if let Some(stream) = streams.get_mut(current) {
                        (0..*times).for_each(|_| stream.extend_from_slice(&bytes.0));
                    }
                }
                _ => {}
            }
        }
        streams
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case() -> Case {
        Case {
            index: 7,
            seed: 1,
            layer: Layer::Tcp,
            name: "a stall".to_owned(),
            script: vec![
                Step::Open {
                    transport: Transport::Tls,
                },
                Step::send([1, 2]),
                Step::Open {
                    transport: Transport::Tcp,
                },
                Step::SendRepeated {
                    bytes: Hex(vec![0xff]),
                    times: 3,
                },
                Step::Use { connection: 0 },
                Step::Send {
                    records: vec![Hex(vec![3]), Hex(Vec::new())],
                    segments: vec![1],
                    stall_milliseconds: 3,
                },
                Step::Reply {
                    request: Hex(vec![1]),
                    copy_from: 1,
                    copy_to: 0,
                    length: 1,
                    answer: Hex(vec![4]),
                    within_milliseconds: 2,
                },
                Step::send_raw([9]),
                Step::Pause { milliseconds: 5 },
                Step::Read {
                    within_milliseconds: 6,
                },
                Step::HalfClose,
                Step::Reset,
                Step::Close,
            ],
        }
    }

    #[test]
    fn a_case_is_the_same_after_it_was_a_file() {
        let text = serde_json::to_string(&case()).unwrap();
        assert!(text.contains(r#""records":["0102"]"#), "{text}");
        assert_eq!(serde_json::from_str::<Case>(&text).unwrap(), case());
    }

    #[test]
    fn counts_what_it_sends_and_knows_it_for_each_connection() {
        assert_eq!((case().bytes(), case().connections()), (8, 2));
        assert_eq!(case().sent(), [vec![1, 2, 3, 4], vec![0xff; 3]]);
    }
}
