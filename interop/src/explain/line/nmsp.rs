//! The NMSP trace of a controller (Cisco document 200206, F001-11 to F001-30), and the same words in the log of this
//! project.

use super::{Line, Says, Source, kept, leading_number, own_line};
use crate::explain::time::{Stamp, Zone};

/// A line of the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NmspLine {
    /// The process that wrote it.
    pub(crate) process: Option<u32>,
    pub(crate) step: Step,
}

/// What the line tells of a connection. `ssl` is the pointer that the trace names a connection by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Allocated {
        connection: u32,
    },
    SslNew {
        ssl: String,
    },
    Handshake {
        ssl: String,
    },
    WantRead {
        ssl: String,
    },
    Initialised,
    NotCompleted {
        connection: u32,
    },
    /// The info callback of OpenSSL. This project's trace leaves the state out where it does not know it.
    Info {
        state: Option<u32>,
        place: u32,
        ret: u32,
    },
    ReturnType,
    ReturnDescription {
        text: String,
    },
    StateString,
    CertificateValid {
        ssl: String,
        asks_authlist: bool,
    },
    CertificateRefused {
        ssl: String,
        reason: String,
    },
    Authlist {
        ssl: String,
        admitted: bool,
    },
    Verdict {
        admitted: bool,
    },
    HandshakeDone {
        ssl: String,
    },
    Up {
        connection: u32,
    },
    HandshakeFailed {
        ssl: String,
        error: String,
    },
    /// This project's explanation of a failed handshake.
    Meaning {
        ssl: String,
        text: String,
    },
    Closed {
        connection: u32,
        reason: String,
    },
    Freed {
        ssl: String,
        connection: u32,
    },
    Sends {
        message: String,
        server: u32,
    },
}

/// `[MM/DD/YY HH:MM:SS.mmm UTC a27 10241] text`
pub(super) fn read(line: &str) -> Option<Line> {
    let (head, text) = line.strip_prefix('[')?.split_once(']')?;
    let mut words = head.split_ascii_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let (sequence, process) = (words.next()?, words.next()?);
    words.next().is_none().then_some(())?;
    let stamp = Stamp {
        wall: Stamp::american_date(date)? + Stamp::time(time)?,
        zone: matches!(zone, "UTC" | "GMT").then_some(Zone::UTC),
        dated: true,
    };
    let says = known(text.trim(), process.parse().ok());
    let mut line = Line::new(Source::NmspTrace, Some(stamp), says);
    line.sequence = Some(u64::from_str_radix(sequence, 16).ok()?);
    Some(line)
}

/// A line in the log of this project.
pub(super) fn read_own(line: &str) -> Option<Line> {
    let own = own_line(line)?;
    own.rest.contains("nmsp::").then_some(())?;
    let (_, text) = own
        .rest
        .split_once("nmsp::")
        .and_then(|(_, rest)| rest.split_once(": "))?;
    Some(Line::new(
        Source::NmspTrace,
        Some(own.stamp),
        known(text.trim(), None),
    ))
}

/// A line without a time, as the lab prints it.
pub(super) fn read_bare(line: &str) -> Option<Line> {
    let step = step(line.trim())?;
    let says = Says::Nmsp(NmspLine { process: None, step });
    Some(Line::new(Source::NmspTrace, None, says))
}

fn known(text: &str, process: Option<u32>) -> Says {
    step(text).map_or(Says::Unknown, |step| Says::Nmsp(NmspLine { process, step }))
}

fn step(text: &str) -> Option<Step> {
    connection_step(text)
        .or_else(|| callback_step(text))
        .or_else(|| verdict_step(text))
}

/// Lines that begin, carry and end a connection.
fn connection_step(text: &str) -> Option<Step> {
    if let Some(rest) = text.strip_prefix("Allocated new NMSP connection ") {
        return Some(Step::Allocated {
            connection: leading_number(rest)?,
        });
    }
    if let Some((_, rest)) = text.split_once("SSL_new() conn ssl ") {
        return Some(Step::SslNew { ssl: pointer(rest)? });
    }
    if let Some((_, rest)) = text.split_once("SSL_do_handshake() success for conn ssl ") {
        return Some(Step::HandshakeDone { ssl: pointer(rest)? });
    }
    if let Some((_, rest)) = text.split_once("SSL_do_handshake for conn ssl ") {
        return Some(Step::Handshake { ssl: pointer(rest)? });
    }
    if let Some((_, rest)) = text.split_once("WANT_READ for conn ssl ") {
        return Some(Step::WantRead { ssl: pointer(rest)? });
    }
    if text.contains("sslConnectionInit() success") {
        return Some(Step::Initialised);
    }
    if let Some((_, rest)) = text.split_once("Handshake has not completed for conn ") {
        return Some(Step::NotCompleted {
            connection: leading_number(rest)?,
        });
    }
    if let Some((_, rest)) = text.split_once("NMSP connection success! conn ") {
        return Some(Step::Up {
            connection: leading_number(rest)?,
        });
    }
    if let Some(rest) = text.strip_prefix("Freeing Nmsp conn ssl ") {
        let (_, id) = rest.split_once("conn id ")?;
        return Some(Step::Freed {
            ssl: pointer(rest)?,
            connection: leading_number(id)?,
        });
    }
    if let Some((_, rest)) = text.split_once("sending NMSP_") {
        let (message, server) = rest.split_once(" to LocServer ")?;
        return Some(Step::Sends {
            message: kept(message),
            server: leading_number(server)?,
        });
    }
    let closed = text.strip_prefix("NMSP connection closed: conn ");
    let rest = closed.or_else(|| text.strip_prefix("NMSP connection broken: conn "))?;
    let (connection, reason) = rest.split_once(": ")?;
    Some(Step::Closed {
        connection: leading_number(connection)?,
        reason: kept(reason),
    })
}

/// Lines of OpenSSL's info callback. A line that was cut off in it is not understood: a part of a number is another number.
fn callback_step(text: &str) -> Option<Step> {
    if let Some((head, rest)) = text.split_once("where = ") {
        let state = match head.trim() {
            "" => None,
            head => Some(hexadecimal(
                head.strip_prefix("SSL state = ")?.trim_end_matches(';'),
            )?),
        };
        let (place, ret) = rest.split_once("; ret = ")?;
        return Some(Step::Info {
            state,
            place: hexadecimal(place)?,
            ret: hexadecimal(ret)?,
        });
    }
    if text.starts_with("ret_type_string=") {
        return Some(Step::ReturnType);
    }
    if let Some(rest) = text.strip_prefix("ret_desc_string=") {
        return Some(Step::ReturnDescription { text: kept(rest) });
    }
    text.starts_with("SSL_state_string=").then_some(Step::StateString)
}

/// Lines about the peer's certificate, and how the handshake ended.
fn verdict_step(text: &str) -> Option<Step> {
    if let Some(rest) = text.strip_prefix("Peer certificate Validation Done for conn ssl ") {
        let asks_authlist = rest.contains("calling authlist");
        return Some(Step::CertificateValid {
            ssl: pointer(rest)?,
            asks_authlist,
        });
    }
    if let Some(rest) = text.strip_prefix("Peer certificate Validation failed for conn ssl ") {
        let (_, reason) = rest.split_once(": ")?;
        return Some(Step::CertificateRefused {
            ssl: pointer(rest)?,
            reason: kept(reason),
        });
    }
    if let Some(rest) = text.strip_prefix("Authlist authentication ") {
        let (verdict, ssl) = rest.split_once(" for conn ssl ")?;
        let admitted = match verdict {
            "successful" => true,
            "failed" => false,
            _ => return None,
        };
        return Some(Step::Authlist {
            ssl: pointer(ssl)?,
            admitted,
        });
    }
    match text {
        "Peer validated against the AuthList" => return Some(Step::Verdict { admitted: true }),
        "Peer is not validated against the AuthList" => return Some(Step::Verdict { admitted: false }),
        _ => {}
    }
    if let Some(rest) = text.strip_prefix("handshake failed for conn ssl ") {
        let error = rest
            .split_once("error = ")
            .or_else(|| rest.split_once(": "))
            .map(|(_, error)| error);
        return Some(Step::HandshakeFailed {
            ssl: pointer(rest)?,
            error: kept(error.unwrap_or_default()),
        });
    }
    let rest = text.strip_prefix("meaning of conn ssl ")?;
    let (_, meaning) = rest.split_once(": ")?;
    Some(Step::Meaning {
        ssl: pointer(rest)?,
        text: kept(meaning),
    })
}

/// The longest pointer of a 64-bit machine, with its `0x`.
const MAX_POINTER: usize = 18;

fn pointer(text: &str) -> Option<String> {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(text.len());
    let pointer = text.get(..end)?;
    let digits = pointer.strip_prefix("0x").unwrap_or(pointer);
    let plain =
        (1..=MAX_POINTER).contains(&pointer.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| pointer.to_ascii_lowercase())
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step_of(line: &str) -> Option<Step> {
        match read(line)?.says {
            Says::Nmsp(line) => Some(line.step),
            _ => None,
        }
    }

    #[test]
    fn reads_time_sequence_and_process() {
        let line =
            read("[06/03/15 20:32:12.070 UTC a5a 10241] SSL state = 0x2182; where = 0x4008; ret = 0x22e")
                .unwrap();
        assert_eq!(line.sequence, Some(0xa5a));
        assert_eq!(line.stamp.unwrap().zone, Some(Zone::UTC));
        let Says::Nmsp(says) = line.says else { panic!() };
        assert_eq!(says.process, Some(10241));
        assert_eq!(
            says.step,
            Step::Info {
                state: Some(0x2182),
                place: 0x4008,
                ret: 0x22e
            }
        );
    }

    #[test]
    fn a_line_that_is_cut_off_is_not_taken_for_another_one() {
        let whole = "[06/03/15 20:32:12.070 UTC a5a 10241] Freeing Nmsp conn ssl b3f8a8d0, conn id 0";
        assert!(step_of(whole).is_some());
        for end in 0..whole.len() - 1 {
            assert_eq!(step_of(&whole[..end]), None, "{}", &whole[..end]);
        }
        assert_eq!(
            step_of("[06/03/15 20:32:12.070 UTC a5a 10241] SSL state = 0x2182; where = 0x40"),
            None
        );
    }

    #[test]
    fn reads_the_log_of_this_project() {
        let line = read_own(
            "2026-11-22T11:42:28.123456Z  WARN connection{peer=127.0.0.1:1}: nmsp::server::trace: where = 0x4008; ret = 0x22e",
        )
        .unwrap();
        let Says::Nmsp(says) = line.says else { panic!() };
        assert_eq!(
            says.step,
            Step::Info {
                state: None,
                place: 0x4008,
                ret: 0x22e
            }
        );
        assert_eq!(
            read_own("2026-11-22T11:42:28.123456Z  INFO est::access: text"),
            None
        );
    }
}
