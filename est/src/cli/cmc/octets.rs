//! Serial numbers and tokens on the command line.

use std::path::Path;

use crate::cli::CliError;
use crate::cli::files::read_limited;

/// The largest file that holds a token, in hexadecimal: tokens of this server are requests, of 64 KiB at most.
const MAX_TOKEN_FILE: u64 = 256 * 1024;

/// Octets in hexadecimal.
#[derive(Debug, Clone)]
pub(super) struct Octets(pub(super) Vec<u8>);

/// Octets as `openssl` and `est` print serial numbers: with colons or without, with `0x` before them or not.
pub(super) fn octets(text: &str) -> Result<Octets, String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    let digits = digits.strip_prefix("0x").unwrap_or(&digits).to_owned();
    let digits = if digits.len().is_multiple_of(2) {
        digits
    } else {
        format!("0{digits}")
    };
    let mut found = Vec::new();
    let mut rest = digits.as_str();
    while let Some((pair, tail)) = rest.split_at_checked(2) {
        let octet = u8::from_str_radix(pair, 16)
            .ok()
            .filter(|_| !pair.starts_with('+'));
        found.push(octet.ok_or_else(|| format!("{pair:?} is not hexadecimal"))?);
        rest = tail;
    }
    if !rest.is_empty() || found.is_empty() {
        return Err("write it in hexadecimal digits".to_owned());
    }
    Ok(Octets(found))
}

/// A token as it was printed, or `@FILE` for the file that an earlier call kept it in.
pub(super) fn token(text: &str) -> Result<Octets, CliError> {
    let unusable = |cause: String| {
        CliError::local(
            format!("the token cannot be used: {cause}"),
            "Give it as an earlier call printed it, or the file that it was kept in as @FILE.",
        )
    };
    let Some(path) = text.strip_prefix('@') else {
        return octets(text).map_err(unusable);
    };
    let bytes = read_limited(Path::new(path), MAX_TOKEN_FILE)?;
    let kept = String::from_utf8_lossy(&bytes);
    octets(kept.trim()).map_err(|error| unusable(format!("{path}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_read_as_openssl_and_est_print_them() {
        for text in ["0a1b", "A1B", "0x0A1B", "0a:1b"] {
            assert_eq!(octets(text).unwrap().0, [0x0a, 0x1b], "{text}");
        }
        for text in ["", "0x", "xyz", "1+", "+1", "ä1"] {
            assert!(octets(text).is_err(), "{text}");
        }
    }
}
