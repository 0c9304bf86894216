//! Whether a `Host` is one (RFC 9110 section 7.2, RFC 3986 section 3.2.2).
//!
//! The server of `est` asks the same in `src/server/host.rs`, and this is not that: a judge that called the server's own check
//! could find nothing wrong with it.

/// Whether the value cannot be a host and a port. Where readers differ it is let pass.
pub(super) fn is_invalid(value: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(value) else {
        return true;
    };
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            None => return true,
            Some((_, "")) => return false,
            Some((_, port)) => ("", port.strip_prefix(':')),
        },
        None => match text.split_once(':') {
            None => (text, Some("")),
            Some((host, port)) => (host, Some(port)),
        },
    };
    let Some(port) = port else { return true };
    !port.bytes().all(|byte| byte.is_ascii_digit()) || !is_registered_name(host)
}

fn is_registered_name(host: &str) -> bool {
    let mut bytes = host.bytes();
    while let Some(byte) = bytes.next() {
        let good = match byte {
            b'%' => {
                let mut is_digit = || bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit());
                is_digit() && is_digit()
            }
            byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte),
        };
        if !good {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_cannot_be_a_host() {
        for good in [
            "",
            "a",
            "a:1",
            "a:",
            "127.0.0.1:8085",
            "[::1]",
            "[::1]:443",
            "a%20b",
            "a,b",
        ] {
            assert!(!is_invalid(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b", "a/b", "a?b", "a#b", "u@a", "a\\b", "a:x", "a:1:2", "[::1", "[::1]x", "a%zz", "a%2",
            "\u{f6}",
        ] {
            assert!(is_invalid(bad.as_bytes()), "{bad}");
        }
    }
}
