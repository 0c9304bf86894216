//! How a controller is named: host and port.

use super::DEFAULT_PORT;

/// `host:port` of what people write: `host`, `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]`, each with a port or, without
/// one, with [`DEFAULT_PORT`].
#[must_use]
pub fn with_default_port(controller: &str) -> String {
    if controller.parse::<std::net::Ipv6Addr>().is_ok() {
        return format!("[{controller}]:{DEFAULT_PORT}");
    }
    let bracketed = controller.ends_with(']');
    if !bracketed && controller.contains(':') {
        controller.to_owned()
    } else {
        format!("{controller}:{DEFAULT_PORT}")
    }
}

/// The host alone, without brackets.
pub(super) fn host_of(controller: &str) -> &str {
    controller
        .rsplit_once(':')
        .map_or(controller, |(host, _)| host)
        .trim_matches(['[', ']'])
}

/// The name of a controller in a file of pins: the host, and the port only if it is not the usual one, as SSH has it.
#[must_use]
pub fn pin_name(controller: &str) -> String {
    let full = with_default_port(controller);
    let host = host_of(&full);
    match full.rsplit_once(':') {
        Some((_, port)) if port != DEFAULT_PORT.to_string() => format!("[{host}]:{port}"),
        _ => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_the_port_where_there_is_none() {
        assert_eq!(with_default_port("wlc.example"), "wlc.example:16113");
        assert_eq!(with_default_port("192.0.2.1:5"), "192.0.2.1:5");
        assert_eq!(with_default_port("2001:db8::1"), "[2001:db8::1]:16113");
        assert_eq!(with_default_port("[2001:db8::1]"), "[2001:db8::1]:16113");
        assert_eq!(with_default_port("[2001:db8::1]:5"), "[2001:db8::1]:5");
    }

    #[test]
    fn a_pin_names_the_port_only_where_it_is_unusual() {
        assert_eq!(pin_name("wlc.example"), "wlc.example");
        assert_eq!(pin_name("wlc.example:16113"), "wlc.example");
        assert_eq!(pin_name("wlc.example:5"), "[wlc.example]:5");
        assert_eq!(pin_name("2001:db8::1"), "2001:db8::1");
        assert_eq!(pin_name("[2001:db8::1]:5"), "[2001:db8::1]:5");
    }
}
