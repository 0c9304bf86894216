//! What must hold for any bytes whatever. Fuzz targets and tests call these functions; a violation panics.

use bytes::BytesMut;

use super::error::DecodeError;
use super::frame::{DEFAULT_MAX_MESSAGE_LENGTH, Frame, FrameBuffer};
use super::message::Message;
use super::profile::WireProfile;

/// Runs [`decode_encode_under`] with the built-in profile.
///
/// # Panics
/// If one of the promises is broken.
pub fn decode_encode(bytes: &[u8]) {
    decode_encode_under(WireProfile::built_in(), bytes);
}

/// Takes the bytes as a stream. Every accepted message, encoded again from its decoded values, must give the same bytes;
/// and the stream must give the same messages and the same error in one piece and byte by byte.
///
/// # Panics
/// If one of these promises is broken.
pub fn decode_encode_under(profile: &WireProfile, bytes: &[u8]) {
    let (whole, whole_error) = in_one_piece(profile, bytes);
    let (single, single_error) = byte_by_byte(profile, bytes);
    assert_eq!(
        whole, single,
        "the same stream must give the same messages however it arrives"
    );
    assert_eq!(
        whole_error, single_error,
        "the same stream must give the same error however it arrives"
    );
}

/// The messages of a stream, each encoded again, up to the first error.
fn in_one_piece(profile: &WireProfile, mut bytes: &[u8]) -> (Vec<Vec<u8>>, Option<DecodeError>) {
    let mut messages = Vec::new();
    loop {
        match Frame::cut(profile, DEFAULT_MAX_MESSAGE_LENGTH, bytes) {
            Ok(Some((frame, length))) => {
                let (message, rest) = bytes.split_at(length);
                match encode_again(profile, &frame) {
                    Ok(encoded) => {
                        assert_eq!(encoded, message, "an accepted message must survive byte for byte");
                        messages.push(encoded);
                    }
                    Err(error) => return (messages, Some(error)),
                }
                bytes = rest;
            }
            Ok(None) => return (messages, None),
            Err(error) => return (messages, Some(error)),
        }
    }
}

fn byte_by_byte(profile: &WireProfile, bytes: &[u8]) -> (Vec<Vec<u8>>, Option<DecodeError>) {
    let (mut messages, mut buffer) = (Vec::new(), FrameBuffer::default());
    for byte in bytes {
        buffer.extend(&[*byte]);
        match buffer.next_frame(profile, DEFAULT_MAX_MESSAGE_LENGTH) {
            Ok(None) => {}
            Ok(Some(frame)) => match encode_again(profile, &frame.borrow()) {
                Ok(encoded) => messages.push(encoded),
                Err(error) => return (messages, Some(error)),
            },
            Err(error) => return (messages, Some(error)),
        }
    }
    (messages, None)
}

fn encode_again(profile: &WireProfile, frame: &Frame<'_>) -> Result<Vec<u8>, DecodeError> {
    let message = Message::decode(frame, profile)?;
    let mut out = BytesMut::new();
    message
        .encode(frame.header, profile, &mut out)
        .expect("a decoded message fits the fields it was decoded from");
    Ok(out.to_vec())
}
