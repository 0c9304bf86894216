#!/usr/bin/env python3
"""Writes seeds of DER that openssl does not make into fuzz/corpus: what stands in the corpora with one part of its tree
replaced, so that the lengths stay right. Signatures do not: these are for what is read before a signature counts. The
exception are the messages in CMS that openssl encrypts to keys/rsa.der.
"""

import base64
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
CORPUS = HERE / "corpus"


def element(tag, *parts):
    content = b"".join(parts)
    octets = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    length = bytes([len(content)]) if len(content) < 128 else bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + length + content


def sequence(*parts): return element(0x30, *parts)
def set_of(*parts): return element(0x31, *parts)
def integer(number): return element(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))
def octets(content): return element(4, content)
def utf8(text): return element(0x0C, text.encode())


def oid(text):
    first, second, *rest = map(int, text.split("."))
    out = [first * 40 + second]
    for number in rest:
        group = [number & 0x7F]
        while number := number >> 7:
            group.insert(0, number & 0x7F | 0x80)
        out += group
    return element(6, bytes(out))


def parts(der):
    """The elements inside of an element."""
    found, at = [], 0
    content = inside(der)
    while at < len(content):
        end = at + whole(content[at:])
        found.append(content[at:end])
        at = end
    return found


def header(der):
    return 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)


def whole(der):
    return header(der) + (der[1] if der[1] < 0x80 else int.from_bytes(der[2:header(der)], "big"))


def inside(der):
    return der[header(der):whole(der)]


def replaced(der, path, new):
    """The element at this path (numbers from the outside) is another one, none, or what a function makes of it."""
    if not path:
        return new(der) if callable(new) else new
    inner = parts(der)
    inner[path[0]] = replaced(inner[path[0]], path[1:], new)
    return element(der[0], *inner)


def more(*added):
    """Puts elements behind those inside."""
    return lambda der: element(der[0], inside(der), *added)


def seeds(target, files):
    for name, content in files.items():
        (CORPUS / target / name).write_bytes(content)


def corpus(target, name):
    return (CORPUS / target / name).read_bytes()


CHALLENGE, EXTENSIONS, COMMON_NAME = "1.2.840.113549.1.9.7", "1.2.840.113549.1.9.14", "2.5.4.3"
SUBJECT_ALT_NAME = "2.5.29.17"


def attribute(number, *values): return sequence(oid(number), set_of(*values))
def extension(number, value, *critical): return sequence(oid(number), *critical, octets(value))
def part_of_name(*attributes): return set_of(*(sequence(oid(number), value) for number, value in attributes))


TRUE = b"\x01\x01\xff"
HOST = sequence(element(0x82, b"h.example.com"))
KEY_USAGE = b"\x03\x02\x07\x80"

# Certification requests -------------------------------------------------------------------------------------------------

csr = corpus("est_csr", "p256.der")
rsa = corpus("est_csr", "rsa2048.der")


def with_attributes(*attributes):
    info = parts(parts(csr)[0])[:3]
    return sequence(sequence(*info, element(0xA0, *attributes)), *parts(csr)[1:])


def with_extensions(*extensions): return with_attributes(attribute(EXTENSIONS, sequence(*extensions)))
def with_subject(*names): return replaced(csr, [0, 1], sequence(*names))


pem = b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(csr) + b"-----END CERTIFICATE REQUEST-----\n"
ec_key = sequence(oid("1.2.840.10045.2.1"))
requests = {
    "password-printable": with_attributes(attribute(CHALLENGE, element(0x13, b"secret words"))),
    "password-universal": with_attributes(attribute(CHALLENGE, element(0x1C, "secret ü".encode("utf-32-be")))),
    "password-bmp": with_attributes(attribute(CHALLENGE, element(0x1E, "secret ü".encode("utf-16-be")))),
    "password-bmp-of-odd-length": with_attributes(attribute(CHALLENGE, element(0x1E, b"\0s\0"))),
    "password-bmp-with-a-surrogate": with_attributes(attribute(CHALLENGE, element(0x1E, b"\xd8\0"))),
    "password-teletex": with_attributes(attribute(CHALLENGE, element(0x14, b"secr\xe9t"))),
    "password-number": with_attributes(attribute(CHALLENGE, integer(5))),
    "password-not-utf-8": with_attributes(attribute(CHALLENGE, element(0x0C, b"\xff"))),
    "password-of-two-values": with_attributes(attribute(CHALLENGE, utf8("a"), utf8("b"))),
    "attribute-of-two-values": with_attributes(attribute("1.2.3.4", utf8("a"), utf8("b"))),
    "attribute-of-many-values": with_attributes(attribute("1.2.3.4", *(integer(number) for number in range(200)))),
    "attribute-twice": with_attributes(*[attribute("1.2.3.4", utf8("a"))] * 2),
    "attributes-too-many": with_attributes(*(attribute(f"1.2.3.{number}", utf8("a")) for number in range(200))),
    "attributes-absent": replaced(csr, [0], lambda info: sequence(*parts(info)[:3])),
    "extensions-not-a-sequence": with_attributes(attribute(EXTENSIONS, set_of())),
    "extensions-too-many": with_extensions(*(extension(f"1.2.3.{number}", b"\5\0") for number in range(200))),
    "extension-twice": with_extensions(*[extension("1.2.3.4", b"\5\0")] * 2),
    "extension-critical": with_extensions(extension(SUBJECT_ALT_NAME, HOST, TRUE)),
    "extension-neither-critical-nor-not": with_extensions(extension("1.2.3.4", b"\5\0", element(1, b"\0\0"))),
    "extension-not-critical": with_extensions(extension("1.2.3.4", b"\5\0", element(1, b"\0"))),
    "version-2": replaced(csr, [0, 0], integer(1)),
    "subject-of-empty-parts": with_subject(set_of()),
    "subject-of-several-parts": with_subject(
        part_of_name(("2.5.4.6", element(0x13, b"DE"))), part_of_name(("2.5.4.10", utf8("Example")), ("2.5.4.11", utf8("Lab"))),
        part_of_name((COMMON_NAME, utf8("a_b@c*")))),
    "subject-in-bmp": with_subject(part_of_name((COMMON_NAME, element(0x1E, "x".encode("utf-16-be"))))),
    "subject-of-an-unknown-type": with_subject(part_of_name(("1.2.3.4", utf8("x"))), part_of_name((COMMON_NAME, integer(1)))),
    "subject-with-controls": with_subject(part_of_name((COMMON_NAME, utf8("a\x1b[31m, b=c+d")))),
    "subject-not-a-set": with_subject(sequence(oid(COMMON_NAME), utf8("x"))),
    "subject-of-three": with_subject(set_of(sequence(oid(COMMON_NAME), utf8("x"), utf8("y")))),
    "key-without-a-curve": replaced(csr, [0, 2, 0], ec_key),
    "key-on-an-unknown-curve": replaced(csr, [0, 2, 0], sequence(oid("1.2.840.10045.2.1"), oid("1.2.3.4"))),
    "key-with-a-null-of-one-byte": replaced(rsa, [0, 2, 0], sequence(oid("1.2.840.113549.1.1.1"), b"\5\1\0")),
    "key-of-modulus-zero": replaced(rsa, [0, 2, 1], element(3, b"\0", sequence(integer(0), integer(3)))),
    "key-with-a-type-that-is-none": replaced(csr, [0, 2, 0], sequence(utf8("x"))),
    "too-long": with_attributes(attribute("1.2.3.4", utf8("x" * 70000))),
    "wrong-label.pem": pem.replace(b"CERTIFICATE REQUEST", b"PUBLIC KEY"),
    "without-an-end.pem": pem[:-20], "with-data-behind.pem": pem + b"more", "new.pem": pem.replace(b"BEGIN C", b"BEGIN NEW C").replace(b"END C", b"END NEW C"),
    "wrong-base64.pem": pem.replace(b"A", b"!"),
}
seeds("est_csr", {name if "." in name else f"{name}.der": content for name, content in requests.items()})

# CSR attributes ---------------------------------------------------------------------------------------------------------

P256, P384, P521 = "1.2.840.10045.3.1.7", "1.3.132.0.34", "1.3.132.0.35"
INFO_TEMPLATE, EXTENSION_TEMPLATE = "1.2.840.113549.1.9.16.2.61", "1.2.840.113549.1.9.16.2.62"
EMPTY_NAMES = sequence(element(0x82), element(0x87))


def wants(*entries): return sequence(*entries)
def wants_extensions(*extensions): return wants(attribute(EXTENSIONS, sequence(*extensions)))


def wants_template(*fields, version=0):
    return wants(attribute(INFO_TEMPLATE, sequence(integer(version), *fields)))


seeds("est_csr_attributes", {f"{name}.der": content for name, content in {
    "digests": wants(*map(oid, ("2.16.840.1.101.3.4.2.1", "2.16.840.1.101.3.4.2.2", "1.3.14.3.2.26"))),
    "other-digest": wants(oid("2.16.840.1.101.3.4.2.3")),
    "bare-extension-request": wants(oid(EXTENSIONS)), "bare-key": wants(oid("1.2.840.10045.2.1")), "bare-rsa": wants(oid("1.2.840.113549.1.1.1")),
    "bare-curves": wants(*map(oid, (P256, P384, P521))), "ed25519": wants(oid("1.3.101.112")), "ed448": wants(oid("1.3.101.113")),
    "bare-extension": wants(oid(SUBJECT_ALT_NAME)), "bare-key-usage": wants(oid("2.5.29.15")),
    "subject-parts": wants(*map(oid, (COMMON_NAME, "2.5.4.5", "1.2.840.113549.1.9.1", "1.2.840.113549.1.9.2", "1.2.840.113549.1.9.8", "0.9.2342.19200300.100.1.25"))),
    "extensions-without-values": wants(attribute(EXTENSIONS)), "extension-by-its-type": wants(attribute(EXTENSIONS, oid(SUBJECT_ALT_NAME))),
    "extension-that-is-none": wants(attribute(EXTENSIONS, integer(1))),
    "empty-names": wants_extensions(extension(SUBJECT_ALT_NAME, EMPTY_NAMES)), "empty-names-and-a-given": wants_extensions(
        extension(SUBJECT_ALT_NAME, sequence(element(0x82), element(0x82, b"h.example.com")), TRUE)),
    "name-given": wants_extensions(extension(SUBJECT_ALT_NAME, HOST)),
    "critical-key-usage": wants_extensions(extension("2.5.29.15", KEY_USAGE, TRUE), extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.2")))),
    "directory-attributes": wants_extensions(extension("2.5.29.9", sequence(attribute("1.3.6.1.5.5.7.9.4", element(0x13, b"DE"))))) ,
    "directory-attributes-and-one-of-them": wants(attribute(EXTENSIONS, sequence(
        extension("2.5.29.9", sequence(attribute("1.3.6.1.5.5.7.9.4", element(0x13, b"DE")))))), oid("1.3.6.1.5.5.7.9.4")),
    "key-of-a-curve": wants(attribute("1.2.840.10045.2.1", oid(P521))), "key-of-an-unknown-curve": wants(attribute("1.2.840.10045.2.1", oid("1.2.3.4"))),
    "key-of-no-value": wants(attribute("1.2.840.10045.2.1")), "key-of-bits": wants(attribute("1.2.840.113549.1.1.1", integer(3072))),
    "key-of-huge-bits": wants(attribute("1.2.840.113549.1.1.1", integer(1 << 200))), "key-of-a-text": wants(attribute("1.2.840.113549.1.1.1", utf8("x"))),
    "key-of-negative-bits": wants(attribute("1.2.840.113549.1.1.1", element(2, b"\x80"))),
    "signatures": wants(*map(oid, ("1.2.840.113549.1.1.12", "1.2.840.113549.1.1.13", "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.14", "1.2.840.10045.4.3.1"))),
    "unknown-attribute": wants(attribute("1.2.3.4"), oid("1.2.3.5"), attribute("1.2.3.6", utf8("x"))),
    "attribute-that-the-request-has-otherwise": wants(attribute("1.2.3.4"), attribute(COMMON_NAME), attribute(CHALLENGE)),
    "too-many": wants(*(oid(f"1.2.3.{number}") for number in range(300))), "too-long": wants(attribute("1.2.3.4", utf8("x" * 70000))),
    "two-templates": wants(*parts(wants_template(sequence(), element(0xA1))) * 2),
    "template-of-another-version": wants_template(sequence(), version=1),
    "template-of-an-empty-part": wants_template(sequence(set_of())), "template-of-a-name": wants_template(
        sequence(part_of_name((COMMON_NAME, utf8("x"))), set_of(sequence(oid("2.5.4.5"))))),
    "template-of-an-rsa-key": wants_template(element(0xA0, sequence(oid("1.2.840.113549.1.1.1"), b"\5\0"), element(3, b"\0" + sequence(integer(1 << 2047), integer(65537))))),
    "template-of-a-key-on-a-curve": wants_template(element(0xA0, sequence(oid("1.2.840.10045.2.1"), oid(P384)))),
    "template-of-an-ed25519-key": wants_template(element(0xA0, sequence(oid("1.3.101.112")))),
    "template-with-one-extension-alone": wants_template(element(0xA1, attribute(EXTENSION_TEMPLATE, sequence(oid(SUBJECT_ALT_NAME))))),
    "template-with-extensions": wants_template(element(0xA1, attribute(EXTENSION_TEMPLATE, sequence(
        sequence(oid(SUBJECT_ALT_NAME), TRUE, octets(EMPTY_NAMES)), sequence(oid("2.5.29.15")))))),
    "template-with-extensions-twice": wants_template(element(0xA1, *[attribute(EXTENSION_TEMPLATE, sequence(sequence(oid(SUBJECT_ALT_NAME))))] * 2)),
    "template-with-both-extensions": wants_template(element(0xA1, attribute(EXTENSIONS, sequence(extension(SUBJECT_ALT_NAME, HOST))),
                                                            attribute(EXTENSION_TEMPLATE, sequence(sequence(oid(SUBJECT_ALT_NAME)))))),
    "template-with-attributes": wants_template(element(0xA1, attribute(CHALLENGE), attribute("1.2.3.4", utf8("x")))),
    "template-of-a-set": wants(attribute(INFO_TEMPLATE, set_of(integer(0)))),
    "template-of-a-subject-that-is-a-set": wants_template(set_of()),
}.items()})

# CMC and CRMF -----------------------------------------------------------------------------------------------------------

crmf = corpus("est_cmc", "openssl-crmf-p256.der")
pki = corpus("est_cmc", "all-controls-request.der")


def control(number, value, kind=None, identifier=100):
    return sequence(integer(identifier), oid(kind or f"1.3.6.1.5.5.7.7.{number}"), set_of(value))


def data(*controls, requests=()): return sequence(sequence(*controls), sequence(*requests), sequence(), sequence())
def response(*controls): return sequence(sequence(*controls), sequence(), sequence())


NAME = sequence(part_of_name((COMMON_NAME, utf8("x"))))
CRMF_KEY = element(0xA6, *parts(parts(parts(csr)[0])[2]))
SIGNED = element(0xA1, *parts(csr)[1:])


def message(*fields, controls=(), proof=SIGNED, info=()):
    return sequence(sequence(integer(1), sequence(*fields), *controls), proof, *info)


def tagged(crmf_message): return element(0xA1, inside(crmf_message))


SUBJECT = element(0xA5, NAME)
REG_TOKEN = sequence(oid("1.3.6.1.5.5.7.5.1.1"), utf8("token"))
messages = {
    "crmf-with-controls": message(SUBJECT, CRMF_KEY, controls=[sequence(REG_TOKEN, sequence(oid("1.3.6.1.5.5.7.5.1.2"), utf8("x")))]),
    "crmf-with-a-control-twice": message(SUBJECT, CRMF_KEY, controls=[sequence(REG_TOKEN, REG_TOKEN)]),
    "crmf-with-many-controls": message(SUBJECT, CRMF_KEY, controls=[sequence(*(sequence(oid(f"1.2.3.{n}"), utf8("x")) for n in range(200)))]),
    "crmf-proof-by-encipherment": message(SUBJECT, CRMF_KEY, proof=element(0xA2, element(0x80, b"\0x"))),
    "crmf-proof-by-agreement": message(SUBJECT, CRMF_KEY, proof=element(0xA3, element(0x80, b"\0x"))),
    "crmf-proof-of-another-kind": message(SUBJECT, CRMF_KEY, proof=element(0xA9)),
    "crmf-with-an-input-to-the-proof": message(SUBJECT, CRMF_KEY, proof=element(0xA1, element(0xA0, NAME), *parts(csr)[1:])),
    "crmf-with-registration-information": message(SUBJECT, CRMF_KEY, info=[sequence(REG_TOKEN)]),
    "crmf-without-a-subject": message(CRMF_KEY), "crmf-without-a-key": message(SUBJECT),
    "crmf-with-extensions": message(SUBJECT, CRMF_KEY, element(0xA9, extension(SUBJECT_ALT_NAME, HOST))),
    "crmf-too-long": message(SUBJECT, CRMF_KEY, controls=[sequence(sequence(oid("1.2.3.4"), utf8("x" * 70000)))]),
}
for name, content in messages.items():
    seeds("est_cmc", {f"{name}.der": content, f"{name}-in-data.der": data(requests=[tagged(content)])})
status = "1.3.6.1.5.5.7.7.25"
seeds("est_cmc", {f"{name}.der": content for name, content in {
    "identification-of-another-type": data(control(2, integer(1))), "unknown-control": data(control(0, utf8("x"), kind="1.2.3.4")),
    "controls-of-another-type": data(*(control(number, integer(1), identifier=number) for number in (11, 17, 28, 32))),
    **{f"control-{number}-of-another-type": data(control(number, integer(1))) for number in (11, 17, 24, 28, 29, 32, 33)},
    "part-0": data(control(2, utf8("x"), identifier=0)), "part-twice": data(control(2, utf8("x")), control(6, octets(b"n"))),
    "status-of-another-type": response(control(25, sequence(integer(2), sequence(integer(1)), utf8("no"), octets(b"x")))),
    "status-with-text": response(control(25, sequence(integer(0), sequence(integer(1)), utf8("fine")))),
    "request-of-another-type": data(requests=[element(0xA2, integer(1), utf8("x"))]), "request-not-tagged": data(requests=[sequence()]),
    "too-many-controls": data(*(control(6, octets(b"n"), identifier=number) for number in range(1, 500))),
    "too-long": data(control(4, octets(bytes(1 << 17)))),
}.items()})
seeds("est_inspect", {f"{name}.der": content for name, content in messages.items() if "-too-" not in name and "many" not in name})
seeds("est_inspect", {
    "crmf-list.der": sequence(crmf, messages["crmf-with-registration-information"]), "crmf-list-with-another.der": sequence(crmf, set_of()),
    "cmc-with-crmf.der": data(requests=[tagged(crmf)]), "cmc-with-everything.der": pki,
    "cmc-token.der": response(control(21, octets(element(0xA0, integer(1), csr)))),
    "public-key.der": parts(parts(csr)[0])[2], "public-key-of-rsa.der": parts(parts(rsa)[0])[2],
    **{f"{name}.der": requests[name] for name in ("password-universal", "password-printable", "subject-of-several-parts", "key-on-an-unknown-curve")},
    **{f"password-of-{count}.der": with_attributes(attribute(CHALLENGE, utf8(base64.b64encode(bytes(count)).decode()))) for count in (12, 32, 36)},
})

# Certificates and lists, for est inspect ---------------------------------------------------------------------------------

leaf = (HERE / "keys/leaf.der").read_bytes()
intermediate = (HERE / "keys/intermediate.der").read_bytes()


def certificate_with(*extensions):
    info = parts(parts(leaf)[0])[:7]
    return sequence(sequence(*info, element(0xA3, sequence(*extensions))), *parts(leaf)[1:])


def between(start, end):
    return replaced(leaf, [0, 4], sequence(*(element(0x18, time.encode()) for time in (start, end))))


URI = element(0x86, b"http://pki.example.com/x.crl")
NAMES_OF_ALL_KINDS = sequence(
    element(0x82, b"h"), element(0x81, b"a@b"), URI, element(0x87, bytes(4)), element(0x87, bytes(16)), element(0x87, bytes(5)),
    element(0xA4, NAME), element(0x88, inside(oid("1.2.3.4"))), element(0xA0, oid("1.3.6.1.4.1.311.20.2.3"), element(0xA0, utf8("x"))),
    element(0xA5, element(0xA1, utf8("x"))))
seeds("est_inspect", {f"{name}.der": content for name, content in {
    "certificate-with-every-extension": certificate_with(
        extension(SUBJECT_ALT_NAME, NAMES_OF_ALL_KINDS), extension("2.5.29.19", sequence(), TRUE),
        extension("2.5.29.31", sequence(sequence(element(0xA0, element(0xA0, URI))), sequence(element(0xA0, element(0xA1, sequence(oid(COMMON_NAME), utf8("x"))))), sequence())),
        extension("1.3.6.1.5.5.7.1.1", sequence(sequence(oid("1.3.6.1.5.5.7.48.1"), URI), sequence(oid("1.2.3.4"), element(0xA4, NAME)))),
        extension("2.5.29.14", octets(bytes(20))), extension("2.5.29.20", integer(1 << 80)), extension("1.2.3.4", b"\5\0")),
    "certificate-of-a-path": certificate_with(extension("2.5.29.19", sequence(TRUE, integer(3)))),
    "certificate-not-yet-valid": between("20900101000000Z", "20910101000000Z"), "certificate-ended": between("20000101000000Z", "20010101000000Z"),
    "certificate-ends-before-it-begins": between("20900101000000Z", "20010101000000Z"),
    "certificate-without-end": between("20000101000000Z", "99991231235959Z"),
}.items()})
degenerate = corpus("est_certs_only", "ec.der")


def bag(*certificates):
    return replaced(degenerate, [1, 0], lambda signed: sequence(*(
        element(0xA0, *certificates) if part[0] == 0xA0 else part for part in parts(signed))))


seeds("est_inspect", {
    "bag-of-a-path.der": bag(leaf, intermediate, (HERE / "keys/root.der").read_bytes()), "bag-of-one-twice.der": bag(leaf, leaf),
    "bag-with-a-wrong-signature.der": bag(between("20000101000000Z", "20910101000000Z"), intermediate),
    "bag-that-outlives.der": bag((HERE / "keys/direct.der").read_bytes(), (HERE / "keys/root.der").read_bytes()),
    "http-continued": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 99\r\n\r\nhello\n",
    "http-in-http": b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + b"HTTP/1.1 200 OK\r\n\r\n",
    "http-401-without-a-challenge": b"HTTP/1.1 401 Unauthorized\r\n\r\n", "http-405-without-methods": b"HTTP/1.1 405 No\r\n\r\n",
    "http-json": b"HTTP/1.1 500 No\r\nContent-Type: application/json\r\nContent-Length: x\r\n\r\n{}",
    "http-list": b"HTTP/1.1 200 OK\r\nContent-Type: application/pkix-crl\r\n\r\n" + (HERE / "keys/list.crl").read_bytes(),
    "http-request": b"HTTP/1.1 200 OK\r\nContent-Type: application/pkcs10\r\n\r\n" + csr,
    "http-other-type": b"HTTP/1.1 200 OK\r\nContent-Type: application/pdf\r\n\r\n" + csr,
    "http-multipart-without-a-boundary": b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed\r\n\r\n--b--",
    "http-multipart-of-many": b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 40 + b"--b--\r\n",
})

# Revocation lists --------------------------------------------------------------------------------------------------------

crl = (HERE / "keys/list.crl").read_bytes()
point = lambda *fields: extension("2.5.29.28", sequence(*fields), TRUE)
entry = lambda *extensions: replaced(crl, [0, 5, 0, 2], sequence(*extensions))
scope = lambda *extensions: replaced(crl, [0, 6], element(0xA0, sequence(*extensions)))
at = lambda field, time: replaced(crl, [0, field], element(0x18, time))
lists = {
    "reason-in-an-entry": crl, "invalid-since": entry(extension("2.5.29.21", element(10, b"\1")), extension("2.5.29.24", element(0x18, b"20200101000000Z"))),
    "entry-with-an-unknown-extension": entry(extension("1.2.3.4", b"\5\0")),
    "entry-with-an-unknown-critical-extension": entry(extension("1.2.3.4", b"\5\0", TRUE)),
    "entry-of-another-issuer": entry(extension("2.5.29.29", sequence(element(0xA4, NAME)), TRUE)),
    "for-end-entities": scope(point(element(0x81, b"\xff"))), "for-authorities": scope(point(element(0x82, b"\xff"))),
    "for-attribute-certificates": scope(point(element(0x85, b"\xff"))), "for-some-reasons": scope(point(element(0x83, b"\1\x40"))),
    "indirect": scope(point(element(0x84, b"\xff"))), "of-a-relative-point": scope(point(element(0xA0, element(0xA1, sequence(oid(COMMON_NAME), utf8("x")))))),
    "of-a-point-without-uri": scope(point(element(0xA0, element(0xA0, element(0xA4, NAME))))),
    "of-a-point": scope(point(element(0xA0, element(0xA0, URI)))), "delta": scope(extension("2.5.29.27", integer(1), TRUE)),
    "unknown-extension": scope(extension("1.2.3.4", b"\5\0")), "ended": at(4, b"20270101000000Z"), "from-the-future": at(3, b"20400101000000Z"),
    "without-the-next": replaced(crl, [0], lambda info: sequence(*(part for number, part in enumerate(parts(info)) if number != 4))),
}
seeds("pki_revocation_list", {f"{name}.crl": content for name, content in lists.items()})
seeds("est_inspect", {f"list-{name}.crl": lists[name] for name in ("invalid-since", "ended", "without-the-next", "of-a-relative-point", "entry-with-an-unknown-extension")})

# Multipart ---------------------------------------------------------------------------------------------------------------

part = lambda kind: b"--b\r\nContent-Type: " + kind + b"\r\n\r\nx\r\n"
seeds("est_multipart", {
    "too-many-parts": part(b"text/plain") * 9 + b"--b--\r\n",
    "types-of-many-parameters": part(b"text/plain" + b"".join(b"; a%d=b" % number for number in range(17))) + b"--b--\r\n",
    "types-in-quotes": part(b'text/plain; a="b\\"\\\\c"; d="e f"') + part(b'text/plain; a="b') + b"--b--\r\n",
    "type-with-a-parameter-twice": part(b"text/plain; a=b; A=c") + b"--b--\r\n",
    "types-that-are-none": part(b"text") + b"--b--\r\n", "types-with-empty-parameters": part(b"text/html;; ;a=b;") + b"--b--\r\n",
})

# Enveloped data ----------------------------------------------------------------------------------------------------------


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, stderr=subprocess.DEVNULL)


def algorithm(number, *parameters): return sequence(oid(number), *parameters)


SHA = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1", "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3"}
MGF1 = "1.2.840.113549.1.1.8"
SIGNED_DATA = "1.2.840.113549.1.7.2"
ec = corpus("est_enveloped_data", "ec.der")
oaep = corpus("est_enveloped_data", "rsa-oaep.der")
RECIPIENTS, AGREEMENT = [1, 0, 1], [1, 0, 1, 0]
as_oaep = lambda *parameters: replaced(oaep, [1, 0, 1, 0, 2], algorithm("1.2.840.113549.1.1.7", *parameters))
hashed = lambda name: element(0xA0, algorithm(SHA[name], b"\5\0"))
masked = lambda name, generator=MGF1: element(0xA1, algorithm(generator, algorithm(SHA[name], b"\5\0")))
of_key = lambda identifier: replaced(ec, AGREEMENT + [3, 0, 0], identifier)
enveloped = {
    "oaep-sha256-mgf-sha384": as_oaep(sequence(hashed("sha256"), masked("sha384"))), "oaep-sha384-mgf-sha1": as_oaep(sequence(hashed("sha384"))),
    "oaep-sha512-mgf-sha1": as_oaep(sequence(hashed("sha512"))), "oaep-sha256-mgf-sha1": as_oaep(sequence(hashed("sha256"))),
    "oaep-with-a-label": as_oaep(sequence(element(0xA2, algorithm("1.2.840.113549.1.1.9", octets(b"label"))))),
    "oaep-with-another-mask": as_oaep(sequence(masked("sha1", "1.2.3.4"))), "oaep-with-an-unknown-hash": as_oaep(sequence(element(0xA0, algorithm("1.2.3.4")))),
    "oaep-without-parameters": as_oaep(), "agreement-with-keying-material": replaced(
        ec, AGREEMENT, lambda info: element(0xA1, *parts(info)[:2], element(0xA1, octets(b"material")), *parts(info)[2:])),
    "agreement-by-key-identifier": of_key(element(0xA0, octets(bytes(20)))), "agreement-by-a-number": of_key(integer(1)),
    "agreement-of-another-scheme": replaced(ec, AGREEMENT + [2, 0], oid("1.3.132.1.11.9")),
    "agreement-of-another-wrap": replaced(ec, AGREEMENT + [2, 1], algorithm("1.2.3.4")),
    "agreement-with-many": replaced(ec, AGREEMENT + [3], lambda keys: sequence(*parts(keys) * 100)),
    "recipients-too-many": replaced(ec, RECIPIENTS, lambda infos: set_of(*parts(infos) * 100)),
    "recipients-none": replaced(ec, RECIPIENTS, set_of()),
    "without-content": replaced(ec, [1, 0, 2], lambda content: sequence(*parts(content)[:2])),
}
with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    key = (HERE / "keys/ec.key.der").read_bytes()
    signed = folder / "signed"
    openssl("x509", "-inform", "DER", "-in", HERE / "keys/ec.der", "-out", folder / "ec.pem")
    openssl("x509", "-inform", "DER", "-in", HERE / "keys/rsa.der", "-out", folder / "rsa.pem")

    def encrypted(name, content, *arguments):
        (folder / "content").write_bytes(content)
        arguments = arguments or ("-secretkey", "42" * 32, "-secretkeyid", "01020304")
        openssl("cms", "-encrypt", "-binary", "-aes-256-cbc", "-in", folder / "content", "-outform", "DER", "-out", folder / "out", *arguments)
        enveloped[name] = (folder / "out").read_bytes()

    def package(content, kind="2.16.840.1.101.2.1.2.78.5"):
        (folder / "content").write_bytes(content)
        openssl("cms", "-sign", "-binary", "-nodetach", "-econtent_type", kind, "-in", folder / "content", "-signer", folder / "ec.pem", "-keyform", "DER",
                "-inkey", HERE / "keys/ec.key.der", "-outform", "DER", "-out", signed)
        return signed.read_bytes()

    for digest, mask in (("sha256", "sha256"), ("sha384", "sha384"), ("sha512", "sha512"), ("sha256", "sha1")):
        encrypted(f"oaep-{digest}-{mask}", key, "-recip", folder / "rsa.pem", "-keyopt", "rsa_padding_mode:oaep",
                  "-keyopt", f"rsa_oaep_md:{digest}", "-keyopt", f"rsa_mgf1_md:{mask}")
    encrypted("ec-by-key-identifier", key, "-keyid", "-recip", folder / "ec.pem")
    encrypted("package-of-two-keys", sequence(key, key))
    encrypted("package-without-content-info", inside(parts(package(sequence(key)))[1]))
    encrypted("package-of-another-type", package(key, "1.2.840.113549.1.7.1"))
    encrypted("package-of-two-signed-keys", package(sequence(key, key)))
    encrypted("package-of-nothing-known", sequence(utf8("x")))
    # The same within what est inspect is shown.
    for name, kind, content in (("request", "1.3.6.1.5.5.7.12.2", data(control(2, utf8("x")))), ("response", "1.3.6.1.5.5.7.12.3", response(control(6, octets(b"n"))))):
        seeds("est_inspect", {f"signed-cmc-{name}.der": package(content, kind)})
    seeds("est_inspect", {"signed-key-package.der": package(sequence(key)), "signed-by-nobody.der": replaced(package(key), [1, 0], lambda der: sequence(
        *parts(der)[:-1], set_of()))})
seeds("est_enveloped_data", {f"{name}.der": content for name, content in enveloped.items()})
seeds("est_inspect", {f"enveloped-{name}.der": enveloped[name] for name in ("recipients-none", "oaep-sha256-sha256", "ec-by-key-identifier")})

pbes2 = "1.2.840.113549.1.5.13"
locked = lambda *parameters: sequence(sequence(*parameters), octets(bytes(32)))
seeds("est_inspect", {f"locked-key-{name}.der": content for name, content in {
    "by-an-unknown-scheme": locked(oid("1.2.3.4")), "without-parameters": locked(oid(pbes2)),
    "old": locked(oid("1.2.840.113549.1.12.1.3"), sequence(octets(bytes(8)), integer(2048))),
    "by-an-unknown-derivation": locked(oid(pbes2), sequence(algorithm("1.2.3.4", b"\5\0"), algorithm("2.16.840.1.101.3.4.1.42", octets(bytes(16))))),
    "by-pbkdf2": locked(oid(pbes2), sequence(algorithm("1.2.840.113549.1.5.12", sequence(octets(bytes(8)), integer(2048))), algorithm("2.16.840.1.101.3.4.1.42"))),
}.items()})
