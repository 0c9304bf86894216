"""Captures for the corpus of nmsp_capture, from bytes alone: the trace of RFC 8448 section 3 in pcap and pcapng, and plain
messages over every supported link. Arguments: the trace (nmsp/testdata/capture), a folder of messages (nmsp_frame), the folder
for the captures."""

import struct
import sys

trace, messages, out = sys.argv[1:]


def tcp(client, sequence, flags, payload):
    """A TCP segment between 192.0.2.1:40000 and 192.0.2.2:16113 in an IPv4 packet."""
    ports = (40000, 16113) if client else (16113, 40000)
    hosts = (b"\xc0\0\2\1", b"\xc0\0\2\2") if client else (b"\xc0\0\2\2", b"\xc0\0\2\1")
    head = struct.pack(">BBHHHBBH", 0x45, 0, 40 + len(payload), 0, 0, 64, 6, 0) + b"".join(hosts)
    return head + struct.pack(">HHIIBBHHH", *ports, sequence, 1, 0x50, flags, 65535, 0, 0) + payload


def packets(records):
    """A SYN of each side, then one segment for each record."""
    following = {True: 1001, False: 5001}
    yield tcp(True, 1000, 2, b"")
    yield tcp(False, 5000, 0x12, b"")
    for client, payload in records:
        yield tcp(client, following[client], 0x18, payload)
        following[client] += len(payload)


def pcap(link, frames):
    head = struct.pack("<IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
    return head + b"".join(struct.pack("<IIII", 1433612873, n, len(f), len(f)) + f for n, f in enumerate(frames))


def block(kind, body):
    body += b"\0" * (-len(body) % 4)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def pcapng(link, frames, secrets):
    data = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    data += block(1, struct.pack("<HHI", link, 0, 0) + struct.pack("<HHBxxxHH", 9, 1, 9, 0, 0))
    data += block(10, struct.pack("<II", 0x544C534B, len(secrets)) + secrets)
    for number, frame in enumerate(frames):
        data += block(6, struct.pack("<IIIII", 0, 0, number, len(frame), len(frame)) + frame)
    return data + block(3, struct.pack("<I", len(frame)) + frame)


records, keys = [], b""
for line in open(trace, "rb"):
    word, rest = line.split(None, 1)
    if word in (b"client", b"server"):
        records.append((word == b"client", bytes.fromhex(rest.decode())))
    elif word != b"#":
        keys += line
open(f"{out}/rfc8448.pcap-keys", "wb").write(pcap(101, packets(records)) + b"\nKEYS\n" + keys)
open(f"{out}/rfc8448.pcapng", "wb").write(pcapng(101, list(packets(records)), keys))

names = ("echo-request", "capability-notification", "service-subscribe-request", "measurement-notification")
plain = [(index % 2 == 0, open(f"{messages}/{name}.bin", "rb").read()) for index, name in enumerate(names)]
frames = list(packets(plain))
links = {
    "ethernet": (1, bytes(12) + b"\x08\0"),
    "vlan": (1, bytes(12) + b"\x81\0\0\7\x08\0"),
    "loopback": (0, b"\2\0\0\0"),
    "cooked": (113, bytes(14) + b"\x08\0"),
    "cooked-2": (276, b"\x08\0" + bytes(18)),
}
for name, (link, header) in links.items():
    open(f"{out}/{name}.pcap", "wb").write(pcap(link, [header + frame for frame in frames]))
open(f"{out}/disorder.pcap", "wb").write(pcap(101, frames[:2] + frames[:1:-1] + frames[3:]))
open(f"{out}/gap.pcap", "wb").write(pcap(101, frames[:2] + frames[4:]))
