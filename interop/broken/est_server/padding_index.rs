//! `padding-index`: a decoder of base64 that trusts the padding.
//!
//! The device works out first how long the decoded body will be, so that it can make room. How much the last group adds it
//! looks up by the number of `=` at the end, of which there are two at most, it thinks. Here a third one is a panic, and the
//! process dies.

use std::net::TcpListener;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::{Own, serve as serve_with};
use crate::lab::{Failed, Lab};

/// How many bytes the last group of four adds, by how many `=` it has.
const LAST_GROUP: [usize; 3] = [3, 2, 1];

struct PaddingIndex;

/// Runs the device.
pub(crate) fn serve(listener: TcpListener, lab: &Lab) -> Result<(), Failed> {
    serve_with(listener, lab, PaddingIndex)
}

impl Own for PaddingIndex {
    fn decode(&self, body: &[u8]) -> Result<Vec<u8>, String> {
        let text: Vec<u8> = body
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
        let mut decoded = Vec::with_capacity(length(text.len(), padding));
        if !text.len().is_multiple_of(4) {
            return Err("base64 comes in groups of four".to_owned());
        }
        let digits = text.get(..text.len() - padding).unwrap_or_default();
        STANDARD_NO_PAD
            .decode_vec(digits, &mut decoded)
            .map_err(|error| error.to_string())?;
        Ok(decoded)
    }
}

#[expect(
    clippy::indexing_slicing,
    reason = "the planted defect: nothing says that there are at most two `=`"
)]
fn length(text: usize, padding: usize) -> usize {
    (text / 4).saturating_sub(1) * 3 + LAST_GROUP[padding]
}
