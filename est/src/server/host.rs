//! Whether a Host header is one.

/// Whether the value is `uri-host [ ":" port ]` (RFC 9110 section 7.2, RFC 3986 sections 3.2.2 and 3.2.3). What stands in
/// the brackets of an IP literal is not looked at.
pub(super) fn is_host(value: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(value) else {
        return false;
    };
    let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(None) => return false,
        Some(Some((_, "" | ":"))) => return true,
        Some(Some((_, port))) => match port.strip_prefix(':') {
            Some(port) => ("", port),
            None => return false,
        },
        None => text.split_once(':').unwrap_or((text, "")),
    };
    port.bytes().all(|byte| byte.is_ascii_digit()) && is_registered_name(host)
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
    fn tells_a_host_from_what_is_none() {
        for good in [
            "",
            "a",
            "a:1",
            "a:",
            "est.example:8085",
            "127.0.0.1",
            "[::1]",
            "[::1]:443",
            "a%20b",
            "a_b",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b", "a/b", "a?b", "a#b", "u@a", "a\\b", "a:x", "a:1:2", "[::1", "[::1]x", "a%zz", "a%2",
            "\u{f6}",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
        assert!(!is_host(&[0xff]));
    }
}
