//! Capture files made by hand, and a TCP proxy that makes them.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Who sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    LocationServer,
    Controller,
}

/// What went through, in its order.
pub(crate) type Log = Arc<Mutex<Vec<(From, Vec<u8>)>>>;

/// Forwards connections to a target, one after the other, and remembers every byte.
pub(crate) fn proxy(target: SocketAddr) -> (SocketAddr, Log) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let log = Log::default();
    let kept = Arc::clone(&log);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let Ok(server) = TcpStream::connect(target) else {
                continue;
            };
            let (client_too, server_too) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let log = Arc::clone(&kept);
            std::thread::spawn(move || forward(client, server, From::LocationServer, &log));
            let log = Arc::clone(&kept);
            std::thread::spawn(move || forward(server_too, client_too, From::Controller, &log));
        }
    });
    (address, log)
}

fn forward(mut from: TcpStream, mut to: TcpStream, who: From, log: &Log) {
    let mut buffer = vec![0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        // Logged before it is sent on: an answer cannot be logged before its question.
        log.lock().unwrap().push((who, buffer[..length].to_vec()));
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Write));
}

/// The location server's port in captures made here; the controller's is 16113.
const PORT: u16 = 40_000;

/// Segments of one connection as raw IP packets in a pcap of microseconds: a SYN of each side, then the data in segments of
/// at most `segment` bytes. `disorder` swaps neighbours and sends some twice.
pub(crate) fn pcap(log: &[(From, Vec<u8>)], segment: usize, disorder: bool) -> Vec<u8> {
    let (mut next, mut packets) = ([1000_u32, u32::MAX - 5000], Vec::new());
    for (who, flags) in [(From::LocationServer, 0x02), (From::Controller, 0x12)] {
        packets.push(packet(who, &mut next, flags, &[]));
    }
    let start = packets.len();
    for (who, bytes) in log {
        for bytes in bytes.chunks(segment) {
            packets.push(packet(*who, &mut next, 0x18, bytes));
        }
    }
    if disorder {
        let data = &mut packets[start..];
        data.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        let again: Vec<Vec<u8>> = packets.iter().skip(start).step_by(3).cloned().collect();
        for (index, packet) in again.into_iter().enumerate() {
            packets.insert((start + 4 * index + 2).min(packets.len()), packet);
        }
    }
    file(&packets)
}

/// A pcap with these raw IP packets, a millisecond apart.
pub(crate) fn file(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(0xa1b2_c3d4_u32.to_le_bytes());
    out.extend([2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend([65_535_u32.to_le_bytes(), 101_u32.to_le_bytes()].concat());
    for (number, packet) in (0_u32..).zip(packets) {
        let length = u32::try_from(packet.len()).unwrap().to_le_bytes();
        let (seconds, micros) = (1_433_612_873 + number / 1000, number % 1000 * 1000);
        out.extend([seconds.to_le_bytes(), micros.to_le_bytes(), length, length].concat());
        out.extend(packet);
    }
    out
}

fn packet(who: From, next: &mut [u32; 2], flags: u8, payload: &[u8]) -> Vec<u8> {
    let (index, addresses, ports) = match who {
        From::LocationServer => (0, [192, 0, 2, 1, 192, 0, 2, 2], [PORT, 16_113]),
        From::Controller => (1, [192, 0, 2, 2, 192, 0, 2, 1], [16_113, PORT]),
    };
    let length = u16::try_from(40 + payload.len()).unwrap();
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    packet.extend(addresses);
    packet.extend(ports.map(u16::to_be_bytes).concat());
    packet.extend(next[index].to_be_bytes());
    packet.extend(next[1 - index].to_be_bytes());
    packet.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    packet.extend(payload);
    let advance = u32::try_from(payload.len()).unwrap() + u32::from(flags & 2 != 0);
    next[index] = next[index].wrapping_add(advance);
    packet
}
