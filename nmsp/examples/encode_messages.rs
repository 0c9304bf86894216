//! Messages from JSON to the wire: reads one message a line from standard input, as `testdata/messages.jsonl` has them, and
//! writes each into a file of its own in the folder that is given. A second argument names a wire profile file.
//!
//! ```console
//! cargo run -p nmsp --example encode_messages -- FOLDER < nmsp/testdata/messages.jsonl
//! ```

use std::path::Path;

use bytes::BytesMut;
use nmsp::wire::{EncodeError, OwnedMessage, WireProfile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("give the folder for the messages")?;
    let profile = match arguments.next() {
        Some(file) => WireProfile::from_toml(&std::fs::read_to_string(file)?)?,
        None => WireProfile::from_toml("")?,
    };
    for (number, line) in (1_u32..).zip(std::io::stdin().lines()) {
        let message: OwnedMessage = serde_json::from_str(&line?)?;
        let mut out = BytesMut::new();
        match message.encode(number, &profile, &mut out) {
            // What the profile has no number for cannot be sent.
            Err(EncodeError::NotInProfile(_)) => continue,
            outcome => outcome?,
        }
        let name = message.message_type().map_or("unknown", |kind| kind.name());
        let file = format!("{}.bin", name.to_lowercase().replace(' ', "-"));
        std::fs::write(Path::new(&folder).join(file), &out)?;
    }
    Ok(())
}
