//! The `Accept` header (RFC 9110, section 12.5.1).

use hyper::HeaderMap;
use hyper::header::ACCEPT;

/// How much a client wants a media type, in thousandths: 0 not at all, 1000 most. The most specific range that covers the
/// type counts; without the header everything is wanted.
pub(super) fn quality(headers: &HeaderMap, media_type: &str) -> u16 {
    let mut best: Option<(u8, u16)> = None;
    let mut asked = false;
    for value in headers.get_all(ACCEPT) {
        asked = true;
        // What is not ASCII names no media type.
        let Ok(value) = value.to_str() else { continue };
        for element in value.split(',') {
            let Some((specific, weight)) = matching(element, media_type) else {
                continue;
            };
            if best.is_none_or(|(known, known_weight)| (known, known_weight) < (specific, weight)) {
                best = Some((specific, weight));
            }
        }
    }
    match best {
        Some((_, weight)) => weight,
        None if asked => 0,
        None => 1000,
    }
}

/// How specific a range is, and its weight, if it covers the type. Parameters other than the weight are the version that
/// the client would like; there is one of each here.
fn matching(element: &str, media_type: &str) -> Option<(u8, u16)> {
    let mut parts = element.split(';').map(str::trim);
    let range = parts.next()?;
    let (kind, _) = media_type.split_once('/')?;
    let specific = if range.eq_ignore_ascii_case(media_type) {
        2
    } else if range == "*/*" {
        0
    } else {
        let (range_kind, rest) = range.split_once('/')?;
        if rest != "*" || !range_kind.eq_ignore_ascii_case(kind) {
            return None;
        }
        1
    };
    let weight = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("q")
            .then(|| thousandths(value.trim()))
    });
    Some((specific, weight.unwrap_or(1000)))
}

/// `0.5` is 500; what is no weight counts as not wanted.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let fraction = format!("{fraction:0<3}").parse::<u16>().unwrap_or(0);
    match whole {
        "1" => 1000,
        "0" => fraction,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(accept: &[&str], media_type: &str) -> u16 {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, value.parse().unwrap());
        }
        quality(&headers, media_type)
    }

    #[test]
    fn the_most_specific_range_decides() {
        let json = "application/yang-data+json";
        for (accept, expected) in [
            (&[][..], 1000),
            (&["*/*"], 1000),
            (&["application/*;q=0.5"], 500),
            (&["application/yang-data+json"], 1000),
            (&["Application/Yang-Data+JSON;q=0.25"], 250),
            (&["*/*;q=1, application/yang-data+json;q=0"], 0),
            (&["application/yang-data+xml"], 0),
            (&["text/html", "application/yang-data+json; q=0.7"], 700),
            (&["application/yang-data+json;q=nonsense"], 0),
            (&["nonsense", ";;,,"], 0),
            (&["text/*"], 0),
        ] {
            assert_eq!(wanted(accept, json), expected, "{accept:?}");
        }
    }

    #[test]
    fn weights_have_three_digits() {
        for (text, expected) in [
            ("1", 1000),
            ("1.000", 1000),
            ("0", 0),
            ("0.", 0),
            ("0.001", 1),
            ("0.5", 500),
            ("0.1234", 0),
            ("-1", 0),
            ("2", 0),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }
}
