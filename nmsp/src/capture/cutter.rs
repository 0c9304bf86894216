//! Cuts the plain text of a direction into messages.

use bytes::{Buf as _, BytesMut};

use super::error::Problem;
use crate::wire::profile::LengthCounts;
use crate::wire::{DecodeErrorKind, Frame, WireProfile};

/// After so many headers in a row that are not the profile's, the stream is not NMSP, and every byte of it would be a
/// finding.
const MAX_MALFORMED_IN_A_ROW: u32 = 8;

/// The plain text of one direction.
#[derive(Debug, Default)]
pub(crate) struct Cutter {
    buffer: BytesMut,
    /// How many bytes stand before the buffer.
    position: u64,
    malformed_in_a_row: u32,
    lost: bool,
}

impl Cutter {
    /// Takes bytes and hands over what is complete: where it starts, and the message or what is wrong.
    pub(crate) fn push(
        &mut self,
        profile: &WireProfile,
        limit: usize,
        bytes: &[u8],
        mut each: impl FnMut(u64, Result<&[u8], Problem>),
    ) {
        if self.lost {
            return;
        }
        self.buffer.extend_from_slice(bytes);
        while !self.buffer.is_empty() && !self.lost {
            let (start, available) = (self.position, self.buffer.len());
            let length = match Frame::cut(profile, limit, &self.buffer) {
                Ok(None) => return,
                Ok(Some((_, length))) => {
                    self.malformed_in_a_row = 0;
                    each(start, Ok(self.buffer.get(..length).unwrap_or_default()));
                    length
                }
                Err(error) => {
                    self.malformed_in_a_row += 1;
                    let behind = match error.kind {
                        // The length may be right all the same.
                        DecodeErrorKind::UnsupportedVersion { .. } => self.announced_length(profile, limit),
                        _ => None,
                    };
                    let behind = behind.filter(|_| self.malformed_in_a_row < MAX_MALFORMED_IN_A_ROW);
                    if behind.is_some_and(|length| length > available) {
                        // The verdict is given once, when the whole of it is there.
                        self.malformed_in_a_row -= 1;
                        return;
                    }
                    self.lost = behind.is_none();
                    let lost = self.lost;
                    each(
                        start,
                        Err(Problem::Message {
                            offset: start,
                            error,
                            lost,
                        }),
                    );
                    behind.unwrap_or(available)
                }
            };
            self.buffer.advance(length);
            self.position += u64::try_from(length).unwrap_or(u64::MAX);
        }
    }

    /// How many bytes of an incomplete message there are; 0 if the stream cannot be cut any more.
    pub(crate) fn incomplete(&self) -> usize {
        if self.lost { 0 } else { self.buffer.len() }
    }

    /// The length of the message at the start of the buffer, whatever its version, if it is a possible one.
    fn announced_length(&self, profile: &WireProfile, limit: usize) -> Option<usize> {
        let layout = profile.header();
        let field = self.buffer.get(layout.message_length.range())?;
        let announced = usize::try_from(profile.byte_order().uint(field)).ok()?;
        let header = usize::from(layout.length);
        let length = match layout.length_counts {
            LengthCounts::Everything => announced,
            LengthCounts::Payload => announced.checked_add(header)?,
        };
        (header..=limit).contains(&length).then_some(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: [u8; 12] = [1, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 7];

    /// Where it starts, and the message or the problem.
    type Found = (u64, Result<Vec<u8>, String>);

    fn cut(stream: &[u8], step: usize) -> (Vec<Found>, usize) {
        let (mut cutter, mut out) = (Cutter::default(), Vec::new());
        for bytes in stream.chunks(step) {
            cutter.push(WireProfile::built_in(), 1000, bytes, |at, found| {
                out.push((
                    at,
                    found.map(<[u8]>::to_vec).map_err(|problem| problem.to_string()),
                ));
            });
        }
        (out, cutter.incomplete())
    }

    #[test]
    fn cuts_the_same_however_the_bytes_come() {
        let stream = [&ECHO[..], &ECHO, &ECHO[..5]].concat();
        for step in 1..stream.len() {
            let (messages, incomplete) = cut(&stream, step);
            assert_eq!(messages, [(0, Ok(ECHO.to_vec())), (12, Ok(ECHO.to_vec()))]);
            assert_eq!(incomplete, 5);
        }
    }

    #[test]
    fn goes_on_behind_a_message_of_another_version() {
        let mut other = ECHO;
        other[0] = 9;
        let stream = [&ECHO[..], &other, &ECHO].concat();
        for step in 1..stream.len() {
            let (messages, _) = cut(&stream, step);
            assert_eq!(messages.len(), 3, "{messages:?}");
            let problem = messages[1].1.as_ref().unwrap_err();
            assert!(
                problem.contains("version 9") && problem.ends_with("reading goes on behind it"),
                "{problem}"
            );
            assert_eq!(messages[2], (24, Ok(ECHO.to_vec())));
        }
    }

    #[test]
    fn gives_up_where_no_length_can_be_trusted() {
        let mut short = ECHO;
        short[7] = 3;
        let (messages, _) = cut(&[&short[..], &ECHO].concat(), 100);
        let problem = messages[0].1.as_ref().unwrap_err();
        assert!(problem.ends_with("nothing more of it can be read"), "{problem}");
        assert_eq!(messages.len(), 1);
        let mut other = ECHO;
        other[0] = 9;
        let (messages, _) = cut(&other.repeat(100), 7);
        assert_eq!(messages.len(), usize::try_from(MAX_MALFORMED_IN_A_ROW).unwrap());
    }
}
