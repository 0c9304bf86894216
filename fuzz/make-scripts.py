#!/usr/bin/env python3
"""Writes the seeds of the targets that take scripts or short texts into fuzz/corpus.

The layout of each script is told at its target: fuzz/src/est_server/mod.rs, est_renewal/, est_exchange.rs, texts.rs.
"""

import base64
import json
import pathlib
import shutil
import struct

HERE = pathlib.Path(__file__).parent


def seeds(target, files):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


# est_server ------------------------------------------------------------------------------------------------------------

CACERTS, ENROLL, REENROLL, CMC, SERVERKEYGEN, ATTRIBUTES, ELSEWHERE = range(7)
OPEN, BOUND, STRICT, APPROVED, SECRET, CLOSED, UNKNOWN = range(7)
NOBODY, RIGHT, RIGHT_SLOWLY, WRONG, WRONG_NAME, TOKEN, WRONG_TOKEN, NO_CREDENTIALS = range(8)
UNBOUND = 0x0C
WELL, SLOW, UNAVAILABLE, BROKEN, SHUT, OPENED, UPSTREAM, DENIED, UNSUPPORTED, BUSY = (0xA0 | what for what in range(10))
FAR, FAR_WRONG, FAR_NOT_ASKED, FAR_NOT_REACHED, OTHER_TOKEN, ENDED_TOKEN, NOT_CHECKED = range(8, 15)
OTHER_CASE, OTHER_NAMES = 0x80, 0xC0
YES, NO = 0x80, 0x81
CHUNKED, CUT_OFF, ENDLESS = 1, 2, 3
ANSWER, ANSWER_AGAIN, ANSWER_WRONG = 0xE0, 0xE1, 0xE2


def ask(operation, label=OPEN, shows=RIGHT, request=UNBOUND, headers=0, end=0):
    return bytes([end << 3 | operation, label, shows, request, headers])


def ask_with(operation, body, label=OPEN, shows=RIGHT, headers=0):
    return bytes([1 << 5 | operation, label, shows, 0, headers]) + struct.pack(">H", len(body)) + body


def changed(operation, position, change, label=OPEN):
    return bytes([2 << 5 | operation, label, RIGHT, UNBOUND, 0]) + struct.pack(">HB", position, change)


def connect(bindings, certificate=0):
    """certificate: 0 none, 1 another authority's, 2 the last that was issued, 3 the one before it."""
    return bytes([6 << 5 | certificate << 2 | bindings])


FULL_CMC, SERVER_KEY = 0xAA, 0xAB
BY_NOBODY, BY_REQUEST, BY_HOLDER, BY_OTHER, BY_UNKNOWN = range(5)
NO_PROOF, PROVEN, WRONG_SECRET, WRONG_IDENTIFICATION, OLDER_PROOF, NO_IDENTIFICATION, IDENTIFIED_TWICE, PROVEN_FOR_ONE = range(8)
CRMF, LINKED, LINKED_WRONGLY, NOT_LINKED, BROKEN_SIGNATURE = 0x04, 0x08, 0x10, 0x18, 0x20
QUERY, REVOKE, REVOKE_FIRST, CONFIRM, WITNESS, UNKNOWN_CONTROL, DATA, BATCH = (1 << bit for bit in range(8))


def cmc(*requests, by=BY_NOBODY, back=0, proof=NO_PROOF, how=0, controls=0, change=0, at=0, label=OPEN, shows=RIGHT, headers=0):
    """back: which of the certificates that were issued signs, the last is 0; requests: as those of ask."""
    who = back << 6 | proof << 3 | by
    return bytes([FULL_CMC, label, shows, headers, who, how | len(requests), controls, *requests, change]) + struct.pack(">H", at)


def server_key(wish, label=OPEN, shows=RIGHT, request=UNBOUND, headers=0):
    """wish: for whom, and in the upper bits with which algorithms."""
    return bytes([SERVER_KEY, label, shows, request, headers, wish])


seeds("est_server", {
    "every-operation-without-a-body": b"".join(
        ask(operation, label, NOBODY) for operation in (CACERTS, ATTRIBUTES, ELSEWHERE) for label in range(7)),
    "labels-that-are-not-there": b"".join(ask(operation, label) for operation in range(6) for label in (CLOSED, UNKNOWN)),
    "head-options-and-put": b"".join(
        ask(operation, headers=method << 5) for operation in (CACERTS, ENROLL, ATTRIBUTES) for method in (5, 6, 7)),
    "every-credential": b"".join(ask(ENROLL, label, shows) for label in (OPEN, SECRET, CLOSED) for shows in range(8)),
    "every-header": b"".join(ask(ENROLL, headers=choice) for choice in range(32)),
    "bound-to-the-connection": connect(0) + ask(ENROLL, BOUND, request=0x00) + ask(ENROLL, BOUND, request=0x10)
    + connect(1) + ask(ENROLL, BOUND, request=0x05) + ask(ENROLL, BOUND, request=0x15),
    "bound-to-another-connection": connect(1) + ask(ENROLL, BOUND, request=0x00) + ask(ENROLL, BOUND, request=0x10)
    + ask(ENROLL, OPEN, request=0x00) + ask(ENROLL, BOUND) + ask(ENROLL, BOUND, request=0x08)
    + ask(ENROLL, BOUND, request=0x18) + connect(2) + ask(ENROLL, BOUND, request=0x00),
    "approved-by-an-operator": ask(ENROLL, APPROVED) * 2 + bytes([YES]) + ask(ENROLL, APPROVED) * 2,
    "refused-by-an-operator": ask(ENROLL, APPROVED) + ask(ENROLL, APPROVED, request=UNBOUND | 1) + bytes([NO, YES | 2])
    + ask(ENROLL, APPROVED) + ask(ENROLL, APPROVED, request=UNBOUND | 1),
    "renewed": ask(ENROLL) + connect(0, 2) + ask(REENROLL, shows=NOBODY) + ask(REENROLL, BOUND, NOBODY, 0x00)
    + ask(REENROLL, shows=NOBODY, request=UNBOUND | 1) + connect(0) + ask(REENROLL),
    "renewed-under-other-names": ask(ENROLL) + connect(0, 2) + ask(REENROLL, STRICT) + b"".join(
        ask(REENROLL, label, request=UNBOUND | names) for label in (STRICT, OPEN) for names in (0x20, 0x40, 0x60)),
    "cmc-signed-by-a-request": cmc(UNBOUND, by=BY_REQUEST) + cmc(UNBOUND, UNBOUND | 1, by=BY_REQUEST, how=CRMF)
    + cmc(UNBOUND, by=BY_UNKNOWN) + cmc(UNBOUND | 3, by=BY_UNKNOWN) + cmc(by=BY_REQUEST) + cmc(UNBOUND, by=BY_REQUEST, how=BROKEN_SIGNATURE),
    "cmc-signed-by-nobody": cmc(UNBOUND) + cmc() + cmc(UNBOUND, how=CRMF) + cmc(UNBOUND, UNBOUND | 1, UNBOUND | 2)
    + cmc(UNBOUND, shows=NOBODY) + cmc(UNBOUND, UNBOUND | 1, how=BROKEN_SIGNATURE),
    "cmc-signed-by-a-holder": ask(ENROLL) + cmc(UNBOUND, by=BY_HOLDER) + cmc(UNBOUND | 1, by=BY_HOLDER)
    + cmc(UNBOUND | 0x80, by=BY_HOLDER) + cmc(UNBOUND | 0x20, by=BY_HOLDER, back=1) + cmc(UNBOUND, by=BY_OTHER)
    + cmc(UNBOUND, by=BY_HOLDER, how=CRMF, headers=4),
    "cmc-identity-proofs": b"".join(cmc(UNBOUND, proof=proof) for proof in range(8))
    + b"".join(cmc(UNBOUND, UNBOUND | 1, proof=PROVEN, how=how) for how in (LINKED, LINKED_WRONGLY, NOT_LINKED, LINKED | CRMF))
    + cmc(UNBOUND, how=LINKED) + cmc(UNBOUND, by=BY_REQUEST, proof=PROVEN, controls=DATA),
    "cmc-on-a-strict-label": ask(ENROLL) + connect(0, 2) + b"".join(
        cmc(UNBOUND, by=by, proof=proof, label=STRICT) for by in range(5) for proof in (NO_PROOF, PROVEN, WRONG_SECRET)),
    "cmc-signed-by-another-authoritys-holder": cmc(UNBOUND, by=BY_OTHER, label=APPROVED) + cmc(UNBOUND, by=BY_OTHER)
    + cmc(UNBOUND | 1, proof=PROVEN_FOR_ONE) + cmc(UNBOUND | 1, UNBOUND, proof=PROVEN_FOR_ONE, by=BY_REQUEST),
    "cmc-revocations": ask(ENROLL) + ask(ENROLL, request=UNBOUND | 1) + connect(0, 2) + cmc(by=BY_HOLDER, controls=REVOKE)
    + b"".join(cmc(by=by, proof=PROVEN, controls=REVOKE | REVOKE_FIRST | CONFIRM, label=STRICT) for by in range(5))
    + cmc(by=BY_HOLDER, back=1, controls=REVOKE | CONFIRM, label=STRICT) + bytes([UNAVAILABLE])
    + cmc(by=BY_HOLDER, controls=REVOKE, label=STRICT),
    "cmc-approved-by-an-operator": cmc(UNBOUND, by=BY_REQUEST, label=APPROVED) + cmc(by=BY_REQUEST, controls=QUERY, label=APPROVED)
    + cmc(controls=QUERY, label=APPROVED) + cmc(UNBOUND | 1, by=BY_REQUEST, controls=QUERY, label=APPROVED)
    + bytes([YES, YES | 2, YES | 4]) + cmc(UNBOUND, by=BY_REQUEST, controls=QUERY, label=APPROVED)
    + cmc(UNBOUND, by=BY_REQUEST, label=APPROVED) + cmc(UNBOUND | 1, by=BY_REQUEST, controls=QUERY, label=APPROVED),
    "cmc-queries-without-a-token": cmc(controls=QUERY) + cmc(by=BY_UNKNOWN, controls=QUERY) + cmc(UNBOUND, by=BY_REQUEST, controls=QUERY),
    "cmc-controls": b"".join(cmc(UNBOUND, by=BY_REQUEST, controls=1 << bit) for bit in range(8)),
    "cmc-bound-to-the-connection": connect(0) + cmc(0x00, 0x10, by=BY_REQUEST) + cmc(0x00, label=BOUND) + connect(1)
    + cmc(0x00, 0x10, by=BY_REQUEST) + cmc(0x05, how=CRMF),
    "cmc-with-one-other-byte": b"".join(
        cmc(UNBOUND, by=BY_REQUEST, proof=PROVEN, change=1 << at % 8, at=at) for at in range(0, 900, 23)),
    "cmc-and-an-authority-in-every-mood": b"".join(
        bytes([mood]) + cmc(UNBOUND, by=BY_REQUEST) + ask(CMC) for mood in (SLOW, UNAVAILABLE, BROKEN, UPSTREAM, DENIED, UNSUPPORTED, BUSY)),
    "keys-for-every-recipient": ask(ENROLL) + connect(0, 2) + b"".join(server_key(recipient) for recipient in range(8))
    + connect(0) + server_key(3),
    "keys-by-every-algorithm": b"".join(
        server_key(algorithms << 3 | recipient) for algorithms in range(8) for recipient in (0, 1, 4)),
    "keys-approved-by-an-operator": server_key(1, APPROVED) + server_key(4, APPROVED, request=UNBOUND | 1) + bytes([YES, YES | 2])
    + server_key(1, APPROVED) + server_key(4, APPROVED, request=UNBOUND | 1),
    "the-revocation-list": ask(ELSEWHERE, OPEN) + ask(ELSEWHERE, OPEN, headers=5 << 5) + ask(ELSEWHERE, OPEN, headers=7 << 5)
    + bytes([UNAVAILABLE]) + ask(ELSEWHERE, OPEN),
    "strict-label": ask(ENROLL, STRICT) + ask(ENROLL) + connect(1, 2) + ask(ENROLL, STRICT, NOBODY) + ask(ENROLL, STRICT)
    + ask(REENROLL, STRICT) + connect(1, 1) + ask(ENROLL, STRICT) + ask(ENROLL, OPEN, NOBODY),
    "digest": ask(ENROLL, SECRET, NOBODY) + bytes([ANSWER, ANSWER, ANSWER_AGAIN]) + ask(ENROLL, SECRET, NOBODY)
    + bytes([ANSWER_WRONG]) + ask(ENROLL, SECRET, TOKEN, headers=8) + bytes([0x7F]) + ask(ENROLL, SECRET, NOBODY)
    + bytes([0x7F, ANSWER]),
    "an-authority-in-every-mood": b"".join(
        bytes([mood]) + ask(CACERTS) + ask(ENROLL) + ask(SERVERKEYGEN) + ask(CMC)
        for mood in (SLOW, UNAVAILABLE, BROKEN, WELL)),
    "closed-by-a-reload": ask(ENROLL) + bytes([SHUT]) + ask(ENROLL) + bytes([OPENED]) + ask(ENROLL),
    "keys-made-by-the-server": ask(SERVERKEYGEN) + ask(SERVERKEYGEN, APPROVED) + bytes([YES]) + ask(SERVERKEYGEN, APPROVED)
    + ask(SERVERKEYGEN, STRICT) + ask(SERVERKEYGEN, shows=NOBODY),
    "full-cmc": ask(CMC, headers=4) + ask(CMC) + ask(CMC, STRICT) + ask_with(CMC, b"MAA=") + ask(CMC, shows=NOBODY)
    + b"".join(ask_with(CMC, base64.b64encode(path.read_bytes()))
               for path in sorted((HERE / "corpus/est_signed_data").glob("*"))[:6]),
    "bodies-that-end-otherwise": b"".join(
        ask(operation, end=end) for operation in (ENROLL, SERVERKEYGEN, CMC, CACERTS) for end in (CHUNKED, CUT_OFF, ENDLESS)),
    "bodies-of-other-lengths": ask_with(ENROLL, b"") + ask_with(ENROLL, b"!") + ask_with(ENROLL, b"A" * 4097)
    + ask_with(CMC, b"A" * 8193) + ask_with(ENROLL, b"MAA=") + ask_with(ENROLL, b"\x30\x00"),
    "a-request-with-one-other-byte": b"".join(changed(ENROLL, position, 1) for position in range(0, 300, 23)),
    "too-many-wrong-passwords": ask(ENROLL, shows=WRONG) * 8 + bytes([0x7F]) + ask(ENROLL)
    + b"".join(ask(ENROLL, shows=shows) for shows in [WRONG_NAME, WRONG_TOKEN] * 16) + ask(ENROLL, SECRET, TOKEN),
    "too-many-requests-on-a-connection": ask(CACERTS) * 22,
    "checked-elsewhere": b"".join(ask(ENROLL, label, shows) for label in (OPEN, SECRET) for shows in range(8, 15)),
    "checked-elsewhere-too-often": ask(ENROLL, shows=FAR_WRONG) * 12 + ask(ENROLL, shows=FAR) + ask(ENROLL, SECRET, ENDED_TOKEN) * 12,
    "an-authority-refused-by-its-own": b"".join(
        bytes([mood]) + ask(ENROLL) + ask(CMC) + ask(SERVERKEYGEN) + ask(CACERTS) for mood in (UPSTREAM, DENIED, UNSUPPORTED, BUSY, BROKEN, WELL)),
    "renewed-under-other-alternative-names": ask(ENROLL) + connect(0, 2) + b"".join(
        ask(REENROLL, shows=NOBODY, request=UNBOUND | names) for names in (OTHER_CASE, OTHER_NAMES, 0x40)) + connect(0) + ask(ENROLL, request=UNBOUND | OTHER_NAMES)
    + connect(0, 2) + ask(REENROLL, shows=NOBODY) + ask(REENROLL, shows=NOBODY, request=UNBOUND | OTHER_NAMES),
    "renewed-with-another-authoritys-certificate": connect(0, 1) + ask(REENROLL) + ask(REENROLL, STRICT) + ask(REENROLL, request=UNBOUND | OTHER_NAMES),
    "attributes-that-are-enforced": ask(ENROLL) + bytes([SHUT]) + connect(0, 2) + ask(ENROLL, STRICT) + ask(ENROLL, STRICT, request=0)
    + ask(SERVERKEYGEN, STRICT) + ask(REENROLL, STRICT) + ask(REENROLL, STRICT, request=0x10),
    "digest-late": ask(ENROLL, SECRET, NOBODY) + bytes([ANSWER]) + bytes([0x7F] * 3) + bytes([ANSWER]) + ask(ENROLL, SECRET, NOBODY) + bytes([0x7F] * 6 + [ANSWER, ANSWER_AGAIN]),
    "approved-keys-refused": ask(SERVERKEYGEN, APPROVED) + bytes([NO]) + ask(SERVERKEYGEN, APPROVED) * 2,
    "linked-without-a-text": ask(ENROLL, BOUND, request=0x1C) + ask(ENROLL, OPEN, request=0x1C) + ask(ENROLL, BOUND, request=0x18),
})

# est_http --------------------------------------------------------------------------------------------------------------

HOST = "Host: est.example.com\r\n"
CA = f"GET /.well-known/est/cacerts HTTP/1.1\r\n{HOST}"
PHONE = "Authorization: Basic " + base64.b64encode(b"phone:correct horse").decode() + "\r\n"
CSR = "Content-Type: application/pkcs10\r\n"
POST = f"POST /.well-known/est/simpleenroll HTTP/1.1\r\n{HOST}{PHONE}{CSR}"

seeds("est_http", {
    name: b"\0" + content.encode() for name, content in {
        "get": f"{CA}\r\n",
        "http-1.0": "GET /.well-known/est/cacerts HTTP/1.0\r\n\r\n",
        "head": CA.replace("GET", "HEAD") + "\r\n",
        "pipelined": f"{CA}\r\n" * 3,
        "head-and-get": CA.replace("GET", "HEAD") + f"\r\n{CA}\r\n",
        "connection-close": f"{CA}Connection: close\r\n\r\n{CA}\r\n",
        "absolute-form": f"GET https://est.example.com/.well-known/est/cacerts HTTP/1.1\r\n{HOST}\r\n",
        "no-host": "GET /.well-known/est/cacerts HTTP/1.1\r\n\r\n",
        "two-hosts": f"{CA}{HOST}\r\n",
        "post": f"{POST}Content-Length: 4\r\n\r\nMAA=",
        "post-chunked": f"{POST}Transfer-Encoding: chunked\r\n\r\n2\r\nMA\r\n2;x=y\r\nA=\r\n0\r\nTrailer: z\r\n\r\n",
        "post-with-both-lengths": f"{POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "post-with-two-lengths": f"{POST}Content-Length: 4\r\nContent-Length: 5\r\n\r\nMAA=",
        "post-expecting-100": f"{POST}Expect: 100-continue\r\nContent-Length: 4\r\n\r\nMAA=",
        "post-cut-off": f"{POST}Content-Length: 40\r\n\r\nMAA=",
        "post-without-length": f"{POST}\r\nMAA=",
        "post-without-credentials": POST.replace(PHONE, "") + "Content-Length: 4\r\n\r\nMAA=",
        "post-too-long": f"{POST}Content-Length: 999999999\r\n\r\n",
        "wrong-chunk": f"{POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        "upgrade": f"{CA}Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        "http-2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "tls-in-the-clear": "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03",
        "folded-header": f"{CA}X: a\r\n b\r\n\r\n",
        "line-feeds-only": CA.replace("\r\n", "\n") + "\n",
        "nul-in-header": f"{CA}X: \0\r\n\r\n",
        "other-paths": "".join(f"GET {path} HTTP/1.1\r\n{HOST}\r\n" for path in (
            "/", "*", "/.well-known/est", "/.well-known/est/cacerts?x", "/.well-known/est/strict/csrattrs",
            "/.well-known/est/cacerts%00", "/.well-known/est//cacerts")),
        "long-header": f"{CA}X: {'x' * 9000}\r\n\r\n",
    }.items()
})
seeds("est_http", {
    "get-byte-by-byte": b"\x01" + f"{CA}\r\n".encode(),
    "post-in-threes": b"\x03" + f"{POST}Content-Length: 4\r\n\r\nMAA={CA}\r\n".encode(),
})

# est_renewal -----------------------------------------------------------------------------------------------------------

HOURS, DAYS, REPLY, DISK, RESTART, CLOCK, CONFIGURATION, MEND = (kind << 5 for kind in range(8))
ISSUE, WAIT, FAIL, REFUSE = range(4)


def reply(what, how_long=0, identity=0, hang=0):
    return bytes([REPLY | hang << 1 | identity, how_long << 2 | what])


seeds("est_renewal", {
    "daemon-two-renewals": b"\x01" + bytes([HOURS | 1, DAYS | 30, DAYS | 30]),
    "daemon-a-server-that-is-away": b"\x01" + (reply(FAIL) + reply(FAIL, identity=1)) * 6 + bytes([HOURS | 8, DAYS | 2]),
    "daemon-pending": b"\x01" + reply(WAIT, 9) * 4 + reply(WAIT, 19, identity=1) + bytes([HOURS | 12, DAYS | 9]),
    "daemon-refused": b"\x01" + reply(REFUSE) * 3 + reply(REFUSE, 12) + bytes([HOURS | 6]),
    "daemon-hanging-and-restarted": b"\x01" + reply(FAIL | 0, hang=1) + bytes([HOURS | 2, RESTART, HOURS | 2]),
    "daemon-short-certificates": b"\x01" + reply(ISSUE, 0) * 5 + reply(ISSUE, 3, identity=1) + bytes([HOURS | 5, DAYS | 1]),
    "daemon-new-roots": b"\x01" + reply(ISSUE, 33) + reply(ISSUE, 34, identity=1) + bytes([HOURS | 3, DAYS | 1, RESTART])
    + reply(ISSUE, 32) + bytes([DISK | 9, DAYS | 2, MEND, DAYS | 2]),
    "daemon-full-disk": b"\x01" + b"".join(
        bytes([DISK | writes, HOURS | 3, MEND, DAYS | 31]) for writes in range(0, 16, 3)),
    "daemon-full-disk-and-restarts": b"\x01" + b"".join(
        bytes([DISK | writes, HOURS | 3, RESTART, HOURS | 3, MEND, RESTART, DAYS | 31]) for writes in range(1, 12, 2)),
    **{f"daemon-full-disk-{writes}-and-a-restart": b"\x01" + bytes([DISK | writes, HOURS | 3, MEND, RESTART, HOURS | 3, DISK | writes, DAYS | 20, MEND, RESTART, DAYS | 5])
       for writes in (2, 4, 13, 14, 15, 17, 18, 19)},
    **{f"daemon-full-disk-{writes}-with-new-roots": b"\x01" + reply(ISSUE, 36) + bytes([DISK | writes, HOURS | 3, MEND, RESTART, HOURS | 3])
       for writes in (11, 15, 16)},
    "daemon-clock-steps": b"\x01" + bytes([HOURS | 1, CLOCK | 15, 0, HOURS | 2, CLOCK | 16, 1, DAYS | 3, CLOCK | 17, 0, DAYS | 2]),
    "daemon-spoilt-configuration": b"\x01" + bytes([CONFIGURATION | 2, HOURS | 2, CONFIGURATION | 3, HOURS | 2, CONFIGURATION, DAYS | 31]),
    "daemon-another-configuration": b"\x01" + bytes([HOURS | 2, CONFIGURATION | 4, HOURS | 2, CONFIGURATION | 5, HOURS | 2, CONFIGURATION, DAYS | 20]),
})
ISSUED, FAILED, FAILED_FOR, PENDING, FORWARD, BACKWARD, FOUND, OTHER = (kind << 5 for kind in range(8))
seeds("est_renewal", {
    "machine-a-year-of-renewals": bytes([0, 0xAB, 0x9B, 21, 0]) + bytes([ISSUED | 21] * 24),
    "machine-short-certificates": bytes([0, 0x12, 0x00, 9, 0]) + bytes([ISSUED | 8] * 12),
    "machine-nothing-held": bytes([0, 0xAB, 0x9B, 0, 0, FAILED | 4, PENDING | 8, FAILED_FOR | 9, ISSUED | 20, ISSUED | 20]),
    "machine-broken-files": bytes([0, 0xAB, 0x9B, 1, 0, FAILED | 4, FOUND | 20, ISSUED | 9]),
    "machine-failures-to-the-end": bytes([0, 0x0B, 0x1B, 22, 12]) + bytes([FAILED | 31] * 20),
    "machine-long-waits": bytes([0, 0x0B, 0x1B, 22, 12, FAILED_FOR | 23, PENDING | 23, FAILED_FOR | 22, PENDING | 21, ISSUED | 5]),
    "machine-clock-steps": bytes([0, 0x4A, 0x12, 24, 3, ISSUED | 9, FORWARD | 24, FAILED | 3, BACKWARD | 26, FAILED | 3, FORWARD | 29, ISSUED | 8]),
    "machine-other-settings": bytes([0, 0x4A, 0x12, 24, 3, OTHER | 3, FAILED | 9, OTHER, OTHER | 17, ISSUED | 9, FOUND, FOUND | 1, FOUND | 9, ISSUED | 2]),
})

# est_trust -------------------------------------------------------------------------------------------------------------

EXPLICIT, IMPLICIT, FINGERPRINT = range(3)
ENROLMENT = 0x80
ROOT_ALONG, LEAF_ALONG, INTERMEDIATE_ALONG, SHORT_ALONG = range(8, 12)
(OLD, OLD_RENEWED, NEW, NEW_WITH_OLD, OLD_WITH_NEW, NEWER, NEWER_WITH_NEW, NEW_WITH_NEWER, STRANGER, STRANGERS_NEXT, NEXT_WITH_STRANGER,
 STRANGER_WITH_NEXT, ENDED, AFTER_ENDED, AFTER_WITH_ENDED, ENDED_WITH_AFTER, INTERMEDIATE, LEAF, OTHER_NAME, ENDED_RENEWED) = range(20)
KNOWS_OLD, KNOWS_NEW, KNOWS_STRANGER, KNOWS_ENDED, KNOWS_OTHER, KNOWS_RENEWED = (1 << bit for bit in range(6))

seeds("est_trust", {
    f"{name}-{source}": bytes([number, known, *answer])
    for number, source in enumerate(("explicit", "implicit", "by-fingerprint"))
    for name, known, answer in (
        ("everything", 0, range(20)), ("everything-beside-the-old-root", KNOWS_OLD, range(20)),
        ("a-new-root", KNOWS_OLD, (OLD, NEW, NEW_WITH_OLD, OLD_WITH_NEW)), ("a-new-root-alone", KNOWS_OLD, (NEW,)),
        ("two-new-roots", KNOWS_OLD, (NEWER, NEWER_WITH_NEW, NEW, NEW_WITH_OLD)), ("back-to-the-old", KNOWS_NEW, (OLD, OLD_WITH_NEW)),
        ("the-old-root-for-longer", KNOWS_OLD, (OLD_RENEWED,)), ("a-stranger-of-the-same-name", KNOWS_OLD, (
            STRANGER, STRANGERS_NEXT, NEXT_WITH_STRANGER, STRANGER_WITH_NEXT)),
        ("after-an-ended-root", KNOWS_ENDED, (ENDED, AFTER_ENDED, AFTER_WITH_ENDED, ENDED_WITH_AFTER)),
        ("after-a-paper-that-has-ended", KNOWS_RENEWED, (ENDED_RENEWED, ENDED, AFTER_ENDED, AFTER_WITH_ENDED, ENDED_WITH_AFTER)),
        ("no-roots", KNOWS_OLD | KNOWS_OTHER, (INTERMEDIATE, LEAF)), ("nothing", KNOWS_OLD, ()), ("the-same-twice", KNOWS_OLD, (
            OLD, OLD, NEW, NEW, NEW_WITH_OLD, LEAF, LEAF, OTHER_NAME, OTHER_NAME)))
} | {
    f"enrolment-{wanted}-{known}": bytes([ENROLMENT | wanted, known, wanted, ROOT_ALONG, LEAF_ALONG, INTERMEDIATE_ALONG])
    for wanted in range(8) for known in range(2)
} | {
    f"enrolment-{wanted}-answered-with-{issued}": bytes([ENROLMENT | wanted, 1, issued, ROOT_ALONG])
    for wanted in range(8) for issued in range(8) if wanted != issued
} | {"enrolment-without-a-certificate": bytes([ENROLMENT, 1]), "enrolment-of-two": bytes([ENROLMENT, 1, 0, 1, 0]),
    "enrolment-under-a-root-that-ends-before": bytes([ENROLMENT, 1, SHORT_ALONG, 0]),
    "enrolment-of-another-under-a-root-that-ends-before": bytes([ENROLMENT, 1, SHORT_ALONG, 1])})

# est_exchange ----------------------------------------------------------------------------------------------------------

PASSWORD, DIGEST_ONLY, ALL = 1 << 3, 2 << 3, 3 << 3
BINDS, REPEATS, LABELLED = 0x20, 0x40, 0x80
ROOT = base64.b64encode((HERE / "keys/root.der").read_bytes()).decode()
CERTS = next(iter(sorted((HERE / "corpus/est_certs_only").glob("*der*"))), None)
CERTS = base64.b64encode((CERTS or sorted((HERE / "corpus/est_certs_only").glob("*"))[0]).read_bytes()).decode()
P7 = "Content-Type: application/pkcs7-mime\r\n"
DIGEST = ('WWW-Authenticate: Digest realm="EST", qop="auth", algorithm=SHA-256, nonce="n"\r\n'
          'WWW-Authenticate: Digest realm="EST", qop="auth", algorithm=MD5, nonce="n"\r\n')
BASIC = 'WWW-Authenticate: Basic realm="EST"\r\n'


def answers(choice, *parts):
    return bytes([choice]) + "\n---\n".join(parts).encode()


def status(number, headers="", body=""):
    return f"{number}\r\n{headers}\r\n{body}"


seeds("est_exchange", {
    "cacerts": answers(CACERTS, status(200, P7, CERTS)),
    "cacerts-in-pem": answers(CACERTS, status(200, P7, f"-----BEGIN CERTIFICATE-----\n{ROOT}\n-----END CERTIFICATE-----\n")),
    "cacerts-of-a-bare-certificate": answers(CACERTS, status(200, P7, ROOT)),
    "cacerts-of-no-base64": answers(CACERTS, status(200, P7, "<html>!</html>")),
    "cacerts-cut-off": answers(CACERTS, status(200, P7 + "Content-Length: 99999\r\n", CERTS)),
    "cacerts-with-another-type": answers(CACERTS, status(200, "Content-Type: text/html\r\n", CERTS)),
    "enrol-with-basic": answers(ENROLL | PASSWORD, status(401, BASIC), status(200, P7, CERTS)),
    "enrol-with-basic-refused": answers(ENROLL | PASSWORD, status(401, BASIC), status(401, BASIC, "no")),
    "enrol-with-digest": answers(ENROLL | PASSWORD | BINDS, status(401, DIGEST + BASIC), status(200, P7, CERTS)),
    "enrol-with-a-stale-nonce": answers(
        ENROLL | DIGEST_ONLY, status(401, DIGEST), status(401, DIGEST.replace("nonce", "stale=true, nonce")), status(200, P7, CERTS)),
    "enrol-with-digest-only-and-basic": answers(ENROLL | DIGEST_ONLY, status(401, BASIC)),
    "enrol-with-a-token": answers(ENROLL | ALL, status(200, P7, CERTS)),
    "enrol-with-a-token-refused": answers(ENROLL | ALL, status(401, 'WWW-Authenticate: Bearer realm="EST"\r\n')),
    "enrol-with-a-token-not-wanted": answers(ENROLL | ALL, status(401, DIGEST + BASIC), status(200, P7, CERTS)),
    "enrol-with-a-challenge-that-is-none": answers(ENROLL | PASSWORD, status(401, "WWW-Authenticate: Basic realm=EST space\r\n"), status(401)),
    "enrol-with-an-unknown-scheme": answers(ENROLL | PASSWORD, status(401, "WWW-Authenticate: Negotiate\r\n", "why")),
    "enrol-without-credentials": answers(ENROLL, status(401, BASIC)),
    "enrol-without-a-challenge": answers(ENROLL | PASSWORD, status(401), status(200, P7, CERTS)),
    "pending": answers(ENROLL, status(202, "Retry-After: 600\r\n"), status(202, "Retry-After: 0\r\n"), status(202)),
    "pending-until-a-date": answers(ENROLL, status(202, "Retry-After: Sun, 17 Mar 2030 17:56:40 GMT\r\n"), status(200, P7, CERTS)),
    "pending-for-ever": answers(ENROLL, status(202, "Retry-After: 99999999999\r\n")),
    "pending-until-sometime": answers(ENROLL, status(202, "Retry-After: soon\r\n")),
    "redirected": answers(CACERTS, status(302, "Location: /other\r\n"), status(301, "Location: sibling?x#y\r\n"), status(303, "Location: /more\r\n")),
    "redirected-to-the-same-origin": answers(ENROLL, status(307, "Location: https://EST.example.com:8443/there\r\n"), status(308, "Location: //est.example.com:8443/x\r\n"), status(200, P7, CERTS)),
    "redirected-elsewhere": answers(CACERTS, status(302, "Location: https://evil.example.com/x\r\n")),
    "redirected-to-http": answers(CACERTS, status(302, "Location: http://est.example.com:8443/x\r\n")),
    "redirected-nowhere": answers(CACERTS, status(302)),
    "redirected-to-no-url": answers(CACERTS, status(302, "Location: /a b\r\n")),
    "redirected-to-broken-urls": answers(CACERTS, status(302, "Location: https://[::1/x\r\n")),
    "redirected-far": answers(CACERTS, status(302, f"Location: /{'x' * 5000}\r\n")),
    "redirected-a-request": answers(ENROLL, status(302, "Location: /x\r\n")),
    "attributes-none": answers(ATTRIBUTES, status(204)),
    "attributes-not-found": answers(ATTRIBUTES, status(404)),
    "attributes": answers(ATTRIBUTES | LABELLED, status(200, "Content-Type: application/csrattrs\r\n", "MAsGCSqGSIb3DQEJBw==\0")),
    "attributes-in-der": answers(ATTRIBUTES, status(200, "Content-Type: application/csrattrs\r\n", "0\v\x06\t*\x06\x01\x01\x01\x01\x01\x01\x01")),
    "cmc-refused-with-a-message": answers(CMC, status(400, "Content-Type: application/pkcs7-mime; smime-type=CMC-response\r\n", "MAA=")),
    "lost-before-it-left": answers(ENROLL, "unsent", status(200, P7, CERTS)),
    "lost-unanswered": answers(ENROLL, "unanswered"),
    "lost-unanswered-and-repeated": answers(ENROLL | REPEATS, "unanswered", status(200, P7, CERTS)),
    "lost-get": answers(CACERTS, "unanswered", status(200, P7, CERTS)),
    "lost-in-the-middle": answers(ENROLL, "lost"),
    "server-error": answers(ENROLL, status(503, "Retry-After: 9\r\nContent-Type: text/plain\r\n", "busy\x07\x1b[31m")),
    "not-found": answers(ENROLL, status(404, "Content-Type: text/html\r\n", "<html><body>no</body></html>")),
    "first-contact-expected": answers(6, status(200, P7, ROOT)),
    "first-contact-another": answers(6, status(200, P7, CERTS)),
    "first-contact-asked": answers(7, status(200, P7, CERTS)),
    "first-contact-challenged": answers(7, status(401, BASIC)),
    "server-key": answers(SERVERKEYGEN, status(200, "Content-Type: multipart/mixed; boundary=b\r\n", "--b--")),
})

# Short texts -----------------------------------------------------------------------------------------------------------

seeds("est_url", {f"{number:02}": text for number, text in enumerate([
    "https://est.example.com", "https://est.example.com:8443/.well-known/est", "https://[2001:db8::1]:8443",
    "https://[2001:db8::1]", "https://EST.example.com:443/", "http://est.example.com", "https://", "est.example.com:8443", "https://a:b",
    "https://a:99999", "https://phone:a-password-that-is-long@est.example.com", "https://phone:a-password-that-is-long@est.example.com/x",
    "https://est.example.com/other", "https://est.example.com/?x", "https://-.example", "https://pki.example.com/certsrv/",
    "https://pki.example.com/certsrv/certrqxt.asp", "https://pki.example.com/a%20b", "https://pki.example.com/certsrv?x",
    "http://proxy.example.com:3128", "http://[::1]:8080/", "http://proxy.example.com/x", "ftp://proxy.example.com",
    "http://user:a-password-that-is-long@proxy.example.com", "/.well-known/est/cacerts", "/.well-known/est/a-label/simpleenroll",
    "/.well-known/est/cacerts/fullcmc", "/.well-known/est/./csrattrs", f"/.well-known/est/{'x' * 65}/csrattrs",
    "/.well-known/est/a%20b/serverkeygen", "/.well-known/est/simplereenroll/", "a b", "https://est.example.com:",
    "https://[fe80::1%25eth0]/", "https://192.0.2.1:8443",
])})

unique, exporter = base64.b64encode(b"\x5a" * 12).decode(), base64.b64encode(b"\xa5" * 32).decode()
seeds("pki_channel_binding", {
    "tls-unique": unique, "tls-exporter": exporter, "tls-exporter-in-lines": f"{exporter[:20]}\r\n{exporter[20:]}\n",
    "tls-exporter-without-padding": exporter.rstrip("="), "of-another-connection": base64.b64encode(b"\x5b" * 12).decode(),
    "another-length": base64.b64encode(b"\x5a" * 13).decode(), "no-base64": "please revoke me", "empty": " ",
    "too-long": "A" * 256, "wrong-padding": unique + "=", "other-alphabet": exporter.replace("p", "_"),
})


def challenge(flags=0xE2898215, info=b"", offset=None, kind=2, name="LAB".encode("utf-16-le")):
    at = 56 + len(name)
    return (b"NTLMSSP\0" + struct.pack("<I", kind) + struct.pack("<HHI", len(name), len(name), 56)
            + struct.pack("<I", flags) + bytes.fromhex("0123456789abcdef") + bytes(8)
            + struct.pack("<HHI", len(info), len(info), at if offset is None else offset) + bytes([10, 0, 0, 0, 0, 0, 0, 15])
            + name + info)


def pair(number, value):
    return struct.pack("<HH", number, len(value)) + value


INFO = (pair(2, "LAB".encode("utf-16-le")) + pair(1, "PKI".encode("utf-16-le")) + pair(4, "lab.example.com".encode("utf-16-le"))
        + pair(3, "pki.lab.example.com".encode("utf-16-le")))
NTLM = {
    "a-server-in-a-domain": challenge(info=INFO + pair(7, struct.pack("<Q", 133000000000000000)) + pair(0, b"")),
    "without-a-time": challenge(info=INFO + pair(0, b"")), "with-flags": challenge(info=INFO + pair(6, b"\x01\0\0\0") + pair(0, b"")),
    "with-names-of-ours": challenge(info=pair(9, b"x\0") + pair(10, bytes(16)) + pair(7, bytes(8)) + pair(0, b"")),
    "without-information": challenge(flags=0xE2098215 & ~0x800000), "without-unicode": challenge(flags=2),
    "not-a-challenge": challenge(kind=1), "information-outside": challenge(info=INFO, offset=0xFFFFFF00),
    "information-cut-off": challenge(info=INFO[:-3]), "short-time": challenge(info=pair(7, b"\1\2\3") + pair(0, b"")),
    "cut-off": challenge(info=INFO)[:30], "information-without-end": challenge(info=INFO),
}
seeds("est_ntlm", NTLM)
seeds("est_ntlm", {
    "header": b"NTLM " + base64.b64encode(NTLM["a-server-in-a-domain"]), "header-alone": "NTLM", "other-scheme": "Negotiate AAAA",
    "header-not-base64": "NTLM !!!", "header-too-long": "ntlm " + "A" * 11000, "too-long": bytes(8193),
})


def hello(sequence=1, cookie=b"", session=b"", kind=1, content=22, epoch=0, offset=0, fragment=None, rest=b"\0\2\0\x2f\1\0"):
    body = b"\xfe\xfd" + b"\7" * 32 + bytes([len(session)]) + session + bytes([len(cookie)]) + cookie + rest
    length = len(body).to_bytes(3, "big")
    message = bytes([kind]) + length + b"\0\0" + offset.to_bytes(3, "big") + (length if fragment is None else fragment) + body
    return bytes([content]) + b"\xfe\xff" + epoch.to_bytes(2, "big") + sequence.to_bytes(6, "big") + len(message).to_bytes(2, "big") + message


seeds("nmsp_dtls_hello", {
    "first": hello(0), "with-a-cookie": hello(1, b"c" * 32), "with-a-session": hello(2, b"c" * 20, b"s" * 32),
    "cookie-and-no-first": hello(0, b"c" * 32), "last-sequence-number": hello(2**48 - 1, b"c"), "server-hello": hello(kind=2),
    "hello-verify-request": hello(kind=3), "alert": hello(content=21), "later-epoch": hello(epoch=1), "fragment": hello(offset=1),
    "part-of-it": hello(fragment=b"\0\0\x10"), "cut-off-in-the-record": hello()[:9], "cut-off-in-the-random": hello()[:40],
    "cut-off-in-the-cookie": hello(cookie=b"c" * 32)[:64], "cookie-longer-than-the-hello": hello()[:-7] + b"\xff" + hello()[-6:],
    "two-records": hello() + hello(1), "empty": b"\x16", "length-of-the-message-wrong": hello()[:14] + b"\xff" + hello()[15:],
})

# A station without a state, and two of them: what most notifications are like.
notification = (HERE / "corpus/nmsp_frame/measurement-notification.bin").read_bytes()
one, three = notification[-33:], b"\0\x10\0\x35" + notification[16:16 + 53]
for name, bodies in {"measurement-without-a-state": one, "measurement-of-two-stations": one + three}.items():
    seeds("nmsp_frame", {f"{name}.bin": notification[:4] + struct.pack(">I", 12 + len(bodies)) + notification[8:12] + bodies})

# nmsp_session_file and nmsp_connection ----------------------------------------------------------------------------------


def frame(kind, transaction, body=b""):
    return struct.pack(">BBHII", 1, 0, kind, 12 + len(body), transaction) + body


def session(*entries):
    """Each entry: whether it goes to the controller, and its bytes."""
    lines = ['{"nmsp-session":1,"role":"observer","started-us":1433612873000000,"peer":"192.0.2.2:16113"}']
    lines += [json.dumps({"us": number, "direction": "to-controller" if up else "to-location-server", "bytes": data.hex()})
              for number, (up, data) in enumerate(entries)]
    return "\n\n".join(lines) + "\n"


ASKED = [frame(kind, kind, bytes(4)) for kind in range(1, 60)]
seeds("nmsp_session_file", {
    "every-message-from-either-side.jsonl": session(*((up, data) for data in ASKED for up in (True, False))),
    "answers-in-parts.jsonl": session(*((up, frame(kind, 5, bytes(4))) for kind in range(1, 60) for up in (True, False, False))),
    "answers-before-their-requests.jsonl": session(*((up, frame(kind, 5, bytes(8))) for kind in range(60, 0, -1) for up in (False, True))),
    "not-messages.jsonl": session((True, b"x"), (False, b""), (True, frame(1, 1)[:9])),
})

CAPABLE = (HERE / "corpus/nmsp_frame/capability-notification.bin").read_bytes()


def arrive(data): return struct.pack(">H", len(data) - 1) + data
def message(kind, transaction, body=b""): return bytes([1 << 5 | len(body), kind, transaction]) + body


SUBSCRIBE, ASK, REPLY_TO, LATER, OTHERWISE = (kind << 5 for kind in (4, 5, 6, 3, 7))
ROLES = {"controller": b"\0", "location-server": b"\1"}
seeds("nmsp_connection", {f"{role}-{name}.bin": first + arrive(CAPABLE) + steps for role, first in ROLES.items() for name, steps in {
    **{f"messages-of-{count}-bytes": b"".join(message(kind, kind, bytes(count)) + bytes([REPLY_TO]) for kind in range(1, 61)) for count in (0, 2, 4, 8, 12)},
    **{f"messages-of-{count}-bytes-unanswered": b"".join(message(kind, kind % 4, bytes(count)) for kind in range(1, 61)) for count in (4, 12)},
    "asks-for-everything": b"".join(bytes([ASK | what]) + b"".join(message(kind, what + 1, bytes(4)) for kind in range(1, 61)) for what in range(32)),
    "asks-and-waits": b"".join(bytes([ASK | what, LATER]) for what in range(32)), "asks-too-much": bytes([ASK | what for what in range(32)]),
    "subscribes": b"".join(bytes([SUBSCRIBE | what]) + message(13, what + 1, bytes(4)) + message(14, what + 1, bytes(4)) for what in range(32)),
    "offers-less": b"".join(bytes([SUBSCRIBE | 31, OTHERWISE | what]) for what in range(5, 32)), "echoes": bytes([LATER] * 3) + b"".join(message(2, number) for number in range(9)),
    "waits-for-ever": bytes([LATER] * 40), "paused": bytes([OTHERWISE | 3] + [LATER] * 5 + [OTHERWISE | 4] + [LATER] * 5), "capable-again": arrive(CAPABLE) * 2,
    "ended": bytes([OTHERWISE]), "closed": bytes([OTHERWISE | 1, ASK, SUBSCRIBE | 1, REPLY_TO, OTHERWISE | 10]), "asked-twice-the-same": message(9, 5, bytes(4)) * 3,
}.items()})

# Copies of what other targets and tests have ----------------------------------------------------------------------------

for source, start in {
    "pki_certificate": 3, "pki_revocation_list": 3, "est_csr": 6, "est_csr_attributes": 4, "est_cmc": 6, "est_signed_data": 4,
    "est_enveloped_data": 5, "est_certs_only": 2, "pki_private_key": 8,
}.items():
    files = [path for path in sorted((HERE / "corpus" / source).glob("*")) if len(path.name) < 40][:start]
    seeds("est_inspect", {f"{source}-{path.name}": path.read_bytes() for path in files})
key = base64.encodebytes((HERE / "keys/ec.key.der").read_bytes()).decode()
seeds("est_inspect", {
    "http-response": f"HTTP/1.1 200 OK\r\n{P7}Content-Transfer-Encoding: base64\r\n\r\n{CERTS}",
    "http-response-chunked": f"HTTP/1.1 200 OK\r\n{P7}Transfer-Encoding: chunked\r\n\r\n{len(CERTS):x}\r\n{CERTS}\r\n0\r\n\r\n",
    "http-response-multipart": "HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/pkcs8\r\n"
    f"Content-Transfer-Encoding: base64\r\n\r\n{key}\r\n--b\r\n{P7}\r\n{CERTS}\r\n--b--\r\n",
    "http-response-pending": "HTTP/1.1 202 Accepted\r\nRetry-After: 5\r\n\r\n", "http-response-cut-off": "HTTP/1.1 200",
    "http-response-challenge": f"HTTP/1.1 401 Unauthorized\r\n{BASIC}Content-Length: 3\r\n\r\nno\n",
    "pem": f"-----BEGIN PRIVATE KEY-----\n{key}-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n{ROOT}\n-----END CERTIFICATE-----\n",
    "pem-wrong-label": f"-----BEGIN CERTIFICATE REQUEST-----\n{ROOT}\n-----END CERTIFICATE REQUEST-----\n",
    "pem-old-key": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    "pem-unknown-header": "-----BEGIN X-----\nA: b\n\n-----END X-----\n", "pem-without-end": "-----BEGIN X-----\nAAAA\n",
    "base64": ROOT, "base64-with-nul": ROOT + "\0", "base64-of-base64": base64.b64encode(ROOT.encode()).decode(), "empty": " \n", "text": "hello!",
})
for path in sorted((HERE / "../interop/testdata/traces").glob("*.log")):
    target = HERE / "corpus/explain_log" / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)

# Logs of failures that no recorded log shows -----------------------------------------------------------------------------

TRACES = {path.name: path.read_text() for path in sorted((HERE / "../interop/testdata/traces").glob("*.log"))}
NMSP, LEFT = TRACES["nmsp-authlist-refused.log"], TRACES["capf-timed-out.log"]


def nmsp_trace(*lines):
    return "".join(f"[06/03/15 20:32:{12 + number // 1000}.{number % 1000:03} UTC {number:x} 10241] {line}\n" for number, line in enumerate(lines))


def alert(place, number):
    lines = (line for line in NMSP.splitlines(keepends=True) if "uthlist" not in line and "AuthList" not in line)
    return "".join(lines).replace("0x4008", place).replace("0x22e", hex(0x200 | number)).replace("0x2182", "0x2180")


def handshake_failed(error, *before):
    return nmsp_trace("Allocated new NMSP connection 0", "sslConnectionInit: SSL_new() conn ssl b3f8a8d0", *before,
                      f"handshake failed for conn ssl b3f8a8d0, ssl_err 1 error = {error}", "Freeing Nmsp conn ssl b3f8a8d0, conn id 0")


def curl(number, text, function="login_to_certsrv_ca", doing="MS CA login"):
    return TRACES["ces-name-not-resolved.log"].replace("return code 6 (Could not resolve: lab-dcc.michamen.com (Domain name not found))", f"return code {number} ({text})").replace(
        "login_to_certsrv_ca: Curl call for MS CA login", f"{function}: Curl call for {doing}")


VALID = "Peer certificate Validation Done for conn ssl b3f8a8d0"
seeds("explain_log", {
    **{f"nmsp-alert-{number}{'-received' if place == '0x4004' else ''}.log": alert(place, number)
       for place in ("0x4008", "0x4004") for number in (10, 40, 41, 44, 45, 48, 70, 71, 80, 116)},
    **{f"nmsp-openssl-reason-{reason}.log": handshake_failed(f"error:{0x14089000 | reason:08X}:SSL routines:SSL3_X:why")
       for reason in (134, 155, 178, 193, 199, 252, 258, 267, 1048, 1040, 99)},
    "nmsp-handshake-timed-out.log": handshake_failed("the peer did not finish it in 10 s"),
    "nmsp-certificate-refused.log": handshake_failed("error:14089086:SSL routines:x:certificate verify failed", "Peer certificate Validation failed for conn ssl b3f8a8d0: expired"),
    "nmsp-certificate-refused-without-an-end.log": nmsp_trace("Allocated new NMSP connection 0", "sslConnectionInit: SSL_new() conn ssl b3f8a8d0",
        "Peer certificate Validation failed for conn ssl b3f8a8d0: expired", "Freeing Nmsp conn ssl b3f8a8d0, conn id 0"),
    "nmsp-without-an-authlist.log": nmsp_trace("Allocated new NMSP connection 0", "sslConnectionInit: SSL_new() conn ssl b3f8a8d0", VALID,
        "NMSP connection success", "NMSP connection closed: conn 0: the peer ended it", "Freeing Nmsp conn ssl b3f8a8d0, conn id 0"),
    "nmsp-broken.log": nmsp_trace("Allocated new NMSP connection 0", "NMSP connection broken: conn 0: reset by peer"),
    "nmsp-broken-lines.log": nmsp_trace("NMSP connection closed: conn 0", "Authlist authentication unclear for conn ssl b3f8a8d0",
        "SSL state = x; where = 0x10; ret = 0x1", "where = 0x10; ret = 0x1", "SSL state = 0x1; where = 0x1; ret = 0x99999999", "Peer certificate Validation failed for conn ssl b3f8a8d0"),
    "nmsp-connections-of-one-number.log": nmsp_trace(*["Allocated new NMSP connection 0", "sslConnectionInit: SSL_new() conn ssl b3f8a8d0"] * 3),
    "nmsp-many-connections.log": nmsp_trace(*(f"Allocated new NMSP connection {number}" for number in range(520))),
    "nmsp-many-events.log": nmsp_trace("Allocated new NMSP connection 0", "sslConnectionInit: SSL_new() conn ssl b3f8a8d0", *(
        f"SSL state = {state:#x}; where = 0x2001; ret = 0x1" for state in range(0x2000, 0x2200))),
    **{f"ra-curl-{number}.log": curl(number, text) for number, text in (
        (7, "Failed to connect to lab-dc.michamen.com port 443: Connection refused"), (7, "couldn't connect to host"), (28, "Connection timed out after 10001 milliseconds"),
        (35, "error:1409442E:SSL routines:ssl3_read_bytes:tlsv1 alert protocol version"), (35, "error:1408F10B:SSL routines:ssl3_get_record:wrong version number"),
        (5, "Could not resolve proxy: proxy.example.com"), (56, "Received HTTP code 407 from proxy after CONNECT"), (52, "Empty reply from server"), (56, "Recv failure: Connection reset by peer"),
        (60, "SSL certificate problem: certificate has expired"), (60, "SSL certificate problem: self signed certificate"), (60, "SSL certificate problem: certificate revoked"),
        (22, "The requested URL returned error: 401 Unauthorized"), (67, "Access denied: 401"), (22, "The requested URL returned error: 404 Not Found"),
        (22, "The requested URL returned error: 500 Internal Server Error"), (99, "something that is new"))},
    "ra-curl-while-navigating.log": curl(28, "Operation timed out", "navigate_to_certsrv_page", "page"), "ra-curl-elsewhere.log": curl(28, "Operation timed out", "submit_x", "x"),
    **{f"ra-answered-{status}.log": "".join(line for line in TRACES["ces-template-not-offered.log"].replace('" 401 0', f'" {status} 0').splitlines(keepends=True)
                                            if "log_access" in line or "peer certificate" in line) for status in (200, 202, 204, 404, 503)},
    **{f"ra-error-{number}.log": TRACES["ces-template-not-offered.log"].replace("22 (EST_ERR_AUTH_FAIL)", f"{number} (EST_ERR_X)").replace("authentication failed. Auth", "something. Auth").replace(
        '" 401 0', '" 500 0') for number in (1, 17, 35, 36, 52, 999, 99999)},
    "ra-refused-with-digest.log": TRACES["ces-template-not-offered.log"].replace("Auth type=1", "Auth type=2").replace("certrqxt.asp", "x"),
    "ra-pages.log": "".join(TRACES["ces-template-not-offered.log"].splitlines(keepends=True)[3].replace("certrqxt.asp", page)
                            for page in ("certfnsh.asp", "certnew.cer", "certnew.p7b", "certcarc.asp", "other.asp")),
    "ra-two-starts.log": TRACES["ces-start.log"] * 2 + TRACES["ces-name-not-resolved.log"] * 2,
    **{f"phone-error-{number}.log": LEFT.replace("35 (EST_ERR_SSL_READ)", f"{number} (EST_ERR_X)").replace(": 35", f": {number}") for number in (22, 34, 36, 17, 53, 999, 99999)},
    "phone-connection-lost.log": LEFT.replace("12:38:04.779", "12:37:56.779"),
    "phone-asks-twice.log": "".join(LEFT.splitlines(keepends=True)[:3]) * 2, "phone-ends-unclear.log": LEFT.replace("Signing Failed", "Signing unclear"),
    "phone-ends-at-once.log": "".join(LEFT.splitlines(keepends=True)[3:]),
    "phones-of-many-names.log": "".join(LEFT.replace("SEP74A02FC0A675", f"SEP{number:012X}").splitlines(keepends=True)[0] for number in range(520)),
    "phone-over-midnight.log": LEFT.replace("12:37:54", "23:59:58").replace("12:38:04", "00:00:08"),
    "phone-over-midnight-and-back.log": LEFT.replace("12:37:54", "23:59:58").replace("12:38:04.779 |   debug 5:SEP74A02FC0A675:E", "00:00:08.779 |   debug 5:SEP74A02FC0A675:E").replace("12:38:04", "23:59:59"),
    **{f"iis-{status}.log": TRACES["iis-phone.log"].replace("200 0 0 15", f"{status} 0 0 15") for status in (400, 403, 404, 500, 503)},
    "iis-submitted-alone.log": "".join(line for line in TRACES["iis-phone.log"].splitlines(keepends=True) if "certnew.cer" not in line),
    "iis-renewals.log": TRACES["iis-phone.log"].replace("certnew.cer", "certcarc.asp"), "iis-other-page.log": "".join(
        line for line in TRACES["iis-phone.log"].replace("certnew.cer", "other.asp").splitlines(keepends=True) if line.startswith("#") or "other.asp" in line),
    "iis-many-clients.log": "".join(TRACES["iis-phone.log"].splitlines(keepends=True)[:4]) + "".join(
        TRACES["iis-phone.log"].splitlines(keepends=True)[5].replace("14.48.31.125", f"10.0.{number >> 8}.{number & 255}") for number in range(520)),
    **{f"access-{status}.log": TRACES["access.log"].replace(" 200 1963", f" {status} 0") for status in (202, 204, 403, 404, 418, 500, 503)},
    "access-error-of-libest.log": TRACES["access.log"].replace("error 22 (EST_ERR_AUTH_FAIL)", "error 999"),
    "access-challenges-of-many.log": "".join(TRACES["access.log"].splitlines(keepends=True)[0].replace("192.0.2.7", f"10.0.{number >> 8}.{number & 255}") for number in range(520)),
    "access-challenged-twice.log": TRACES["access.log"].splitlines(keepends=True)[0] * 3,
    "access-in-other-zones.log": TRACES["access.log"].replace("-0500", "+0530", 1).replace("-0500", "Z", 1),
    "every-log-at-once.log": "".join(TRACES.values()),
    "phone-and-registration-authority.log": LEFT + TRACES["ces-login-timed-out.log"].replace("2019/03/05 12:31:21", "2019/03/05 12:37:55").replace("31067#0:", "31067#0: *8") + TRACES["iis-slow.log"],
    "a-long-line-of-umlauts.log": nmsp_trace("NMSP connection closed: conn 0: " + "ü" * 3000, "NMSP connection closed: conn 0: x" + "ü" * 3000),
    "alike-without-end.log": handshake_failed("error:14089086:SSL routines:x:why") * 60,
})
