//! Refuses addresses that are public: this tester is for devices that its user owns.
//!
//! A name is looked up once; the address that was judged is the one that is connected to, so that a name cannot point
//! elsewhere a moment later.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use pki_common::{Failure, KnownCause, Rung};

/// What every run says before it begins.
pub const NOTICE: &str =
    "This sends malformed input and may make the device fail. It is for devices that you own or may test.";

/// Whether an address is one that a lab has: loopback, private (RFC 1918), link-local (RFC 3927, RFC 4291) or unique
/// local (RFC 4193).
///
/// An IPv4 address inside an IPv6 one (RFC 4291 section 2.5.5.2) is judged as what it is. Shared address space (RFC 6598)
/// belongs to a carrier and is public here.
#[must_use]
pub fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_near_v4(address),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unicast_link_local() || address.is_unique_local()
        }
    }
}

const fn is_near_v4(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_private() || address.is_link_local()
}

/// The address of a device that may be tested.
///
/// # Errors
/// The name has no address, or one of its addresses is public and `i_own_this` was not said.
pub async fn resolve(host: &str, port: u16, i_own_this: bool) -> Result<SocketAddr, Failure> {
    let found = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<SocketAddr> = found
        .map_err(|error| KnownCause::NameNotResolved.failure(format!("{host} has no address: {error}.")))?
        .collect();
    judge(host, &addresses, i_own_this)
}

fn judge(host: &str, addresses: &[SocketAddr], i_own_this: bool) -> Result<SocketAddr, Failure> {
    let first = addresses
        .first()
        .copied()
        .ok_or_else(|| KnownCause::NameNotResolved.failure(format!("{host} has no address.")))?;
    let public = addresses.iter().find(|address| !is_near(address.ip()));
    match public {
        None => Ok(first),
        Some(_) if i_own_this => {
            tracing::warn!(%host, address = %first.ip(), "a public address is tested, because --i-own-this was given");
            Ok(first)
        }
        Some(public) => Err(Failure::new(
            Rung::Local,
            format!(
                "{host} has the address {}, which is neither loopback, private, link-local nor unique local.",
                public.ip()
            ),
            "Test only devices that you own. If this one is yours, say so by --i-own-this.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_are_loopback_private_link_local_and_unique_local() {
        let table = [
            ("127.0.0.1", true),
            ("127.255.0.9", true),
            ("10.0.0.1", true),
            ("172.16.0.1", true),
            ("172.31.255.255", true),
            ("172.32.0.1", false),
            ("192.168.1.1", true),
            ("169.254.1.1", true),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("8.8.8.8", false),
            ("192.0.2.1", false),
            ("255.255.255.255", false),
            ("224.0.0.1", false),
            ("::1", true),
            ("::", false),
            ("fe80::1", true),
            ("febf::1", true),
            ("fec0::1", false),
            ("fc00::1", true),
            ("fdff::1", true),
            ("2001:db8::1", false),
            ("ff02::1", false),
            ("::ffff:127.0.0.1", true),
            ("::ffff:10.1.2.3", true),
            ("::ffff:8.8.8.8", false),
            ("64:ff9b::808:808", false),
        ];
        for (text, near) in table {
            assert_eq!(is_near(text.parse().unwrap()), near, "{text}");
        }
    }

    #[test]
    fn one_public_address_among_several_is_enough_to_refuse() {
        let near = "10.0.0.1:1".parse().unwrap();
        let public = "192.0.2.1:1".parse().unwrap();
        assert_eq!(judge("device", &[near], false).unwrap(), near);
        let refused = judge("device", &[near, public], false).unwrap_err();
        assert!(refused.cause.contains("192.0.2.1"), "{refused}");
        assert!(refused.remedy.contains("--i-own-this"), "{refused}");
        assert_eq!(judge("device", &[public, near], true).unwrap(), public);
        assert!(judge("device", &[], true).is_err());
    }

    #[tokio::test]
    async fn resolves_an_address_as_it_stands() {
        let address = resolve("127.0.0.1", 16_113, false).await.unwrap();
        assert_eq!(address, "127.0.0.1:16113".parse().unwrap());
        assert!(resolve("192.0.2.1", 1, false).await.is_err());
    }
}
