//! From a captured packet to the TCP segment in it.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, IpNumber, LaxNetSlice, LaxSlicedPacket, TransportSlice};

use super::error::Problem;

/// Link types of the tcpdump registry.
mod link_type {
    pub(super) const NULL: u32 = 0;
    pub(super) const ETHERNET: u32 = 1;
    pub(super) const RAW: u32 = 101;
    /// Raw IP as some BSDs number it.
    pub(super) const RAW_BSD: [u32; 2] = [12, 14];
    pub(super) const LOOP: u32 = 108;
    pub(super) const LINUX_SLL: u32 = 113;
    pub(super) const IPV4: u32 = 228;
    pub(super) const IPV6: u32 = 229;
    pub(super) const LINUX_SLL2: u32 = 276;
}

/// A TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) ack: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) payload: &'a [u8],
}

/// The TCP segment in a packet; `None` if it carries something else.
pub(super) fn segment(link: u32, data: &[u8]) -> Result<Option<Segment<'_>>, Problem> {
    let too_short = |what: &str| Problem::Packet(format!("{} bytes are too few for {what}", data.len()));
    let rest = |length: usize, what: &str| data.get(length..).ok_or_else(|| too_short(what));
    let ether_type = |at: usize, what: &str| {
        let bytes = data.get(at..).and_then(<[u8]>::first_chunk);
        bytes
            .map(|bytes| EtherType(u16::from_be_bytes(*bytes)))
            .ok_or_else(|| too_short(what))
    };
    let packet = match link {
        link_type::ETHERNET => {
            LaxSlicedPacket::from_ethernet(data).map_err(|_| too_short("an Ethernet header"))?
        }
        link_type::LINUX_SLL => {
            let what = "a Linux cooked header";
            LaxSlicedPacket::from_ether_type(ether_type(14, what)?, rest(16, what)?)
        }
        link_type::LINUX_SLL2 => {
            let what = "a Linux cooked header (version 2)";
            LaxSlicedPacket::from_ether_type(ether_type(0, what)?, rest(20, what)?)
        }
        // The address family differs between systems; the packet itself says which IP it is.
        link_type::NULL | link_type::LOOP => match ip(rest(4, "a loopback header")?)? {
            Some(packet) => packet,
            None => return Ok(None),
        },
        link_type::RAW | link_type::IPV4 | link_type::IPV6 => match ip(data)? {
            Some(packet) => packet,
            None => return Ok(None),
        },
        other if link_type::RAW_BSD.contains(&other) => match ip(data)? {
            Some(packet) => packet,
            None => return Ok(None),
        },
        other => return Err(Problem::LinkType(other)),
    };
    tcp(&packet)
}

/// Whether these bytes are one whole IP packet with TCP in it: as `tcpdump -X` prints it.
pub(super) fn is_whole_tcp_packet(data: &[u8]) -> bool {
    let announced = match data {
        [first, _, high, low, ..] if first >> 4 == 4 => usize::from(u16::from_be_bytes([*high, *low])),
        [first, _, _, _, high, low, ..] if first >> 4 == 6 => {
            40 + usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => return false,
    };
    announced == data.len() && matches!(segment(link_type::RAW, data), Ok(Some(_)))
}

fn ip(data: &[u8]) -> Result<Option<LaxSlicedPacket<'_>>, Problem> {
    match data.first().map(|first| first >> 4) {
        Some(4 | 6) => LaxSlicedPacket::from_ip(data)
            .map(Some)
            .map_err(|error| Problem::Packet(error.to_string())),
        _ => Ok(None),
    }
}

fn tcp<'a>(packet: &LaxSlicedPacket<'a>) -> Result<Option<Segment<'a>>, Problem> {
    let (source, destination, payload): (IpAddr, IpAddr, _) = match &packet.net {
        Some(LaxNetSlice::Ipv4(ip)) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
            ip.payload(),
        ),
        Some(LaxNetSlice::Ipv6(ip)) => (
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
            ip.payload(),
        ),
        _ => return Ok(None),
    };
    if payload.ip_number != IpNumber::TCP {
        return Ok(None);
    }
    if payload.fragmented {
        return Err(Problem::Fragment);
    }
    let Some(TransportSlice::Tcp(tcp)) = &packet.transport else {
        return match &packet.stop_err {
            Some((error, _)) => Err(Problem::Packet(error.to_string())),
            None => Ok(None),
        };
    };
    Ok(Some(Segment {
        source: SocketAddr::new(source, tcp.source_port()),
        destination: SocketAddr::new(destination, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        syn: tcp.syn(),
        ack: tcp.ack(),
        fin: tcp.fin(),
        rst: tcp.rst(),
        payload: tcp.payload(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IP packet with a TCP segment: ports 4000 to 16113, sequence 5, "abc".
    fn ipv4() -> Vec<u8> {
        let mut packet = vec![
            0x45, 0, 0, 43, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,
        ];
        packet.extend(tcp_segment());
        packet
    }

    fn ipv6() -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 23, 6, 64];
        packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        packet.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        packet.extend(tcp_segment());
        packet
    }

    fn tcp_segment() -> Vec<u8> {
        let mut segment = [4000_u16.to_be_bytes(), 16_113_u16.to_be_bytes()].concat();
        segment.extend([0, 0, 0, 5, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
        segment.extend(b"abc");
        segment
    }

    fn payload_and_addresses(link: u32, data: &[u8]) -> (Vec<u8>, String) {
        let segment = segment(link, data).unwrap().expect("a TCP segment");
        assert_eq!((segment.sequence, segment.syn, segment.ack), (5, false, true));
        let addresses = format!("{} > {}", segment.source, segment.destination);
        (segment.payload.to_vec(), addresses)
    }

    #[test]
    fn finds_the_segment_behind_every_supported_link_header() {
        let four = "192.0.2.1:4000 > 192.0.2.2:16113";
        let six = "[2001:db8::1]:4000 > [2001:db8::2]:16113";
        let headers: [(u32, Vec<u8>, Vec<u8>); 8] = [
            (
                1,
                [&[1; 12][..], &[8, 0]].concat(),
                [&[1; 12][..], &[0x86, 0xdd]].concat(),
            ),
            // One VLAN, and two.
            (
                1,
                [&[1; 12][..], &[0x81, 0, 0, 7, 8, 0]].concat(),
                [&[1; 12][..], &[0x88, 0xa8, 0, 9, 0x81, 0, 0, 7, 0x86, 0xdd]].concat(),
            ),
            (101, vec![], vec![]),
            (228, vec![], vec![]),
            (
                113,
                [&[0; 14][..], &[8, 0]].concat(),
                [&[0; 14][..], &[0x86, 0xdd]].concat(),
            ),
            (
                276,
                [&[8, 0][..], &[0; 18]].concat(),
                [&[0x86, 0xdd][..], &[0; 18]].concat(),
            ),
            (0, vec![2, 0, 0, 0], vec![30, 0, 0, 0]),
            (108, vec![0, 0, 0, 2], vec![0, 0, 0, 24]),
        ];
        for (link, before_four, before_six) in headers {
            // Ethernet pads short frames; what IP does not count is not payload.
            let mut with_four = [before_four, ipv4()].concat();
            with_four.extend([0xee; 6]);
            let with_six = [before_six, ipv6()].concat();
            assert_eq!(
                payload_and_addresses(link, &with_four),
                (b"abc".to_vec(), four.to_owned())
            );
            assert_eq!(
                payload_and_addresses(link, &with_six),
                (b"abc".to_vec(), six.to_owned())
            );
        }
    }

    #[test]
    fn tells_other_traffic_from_what_cannot_be_read() {
        // ARP, UDP.
        assert_eq!(segment(1, &[&[1; 12][..], &[8, 6], &[0; 28]].concat()), Ok(None));
        let mut udp = ipv4();
        udp[9] = 17;
        assert_eq!(segment(101, &udp), Ok(None));
        let mut fragment = ipv4();
        fragment[6] = 0x20;
        assert_eq!(segment(101, &fragment), Err(Problem::Fragment));
        assert_eq!(segment(105, &[]), Err(Problem::LinkType(105)));
        for length in 0..14 {
            let cut = vec![0; length];
            assert!(matches!(segment(1, &cut), Err(Problem::Packet(_))), "{length}");
        }
        assert!(matches!(segment(101, &ipv4()[..30]), Err(Problem::Packet(_))));
    }

    #[test]
    fn knows_a_packet_as_tcpdump_prints_it() {
        assert!(is_whole_tcp_packet(&ipv4()));
        assert!(is_whole_tcp_packet(&ipv6()));
        assert!(!is_whole_tcp_packet(&ipv4()[..42]));
        assert!(!is_whole_tcp_packet(&[1, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 7]));
    }
}
