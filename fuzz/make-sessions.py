#!/usr/bin/env python3
"""TLS sessions with NMSP in them for the corpus of nmsp_capture, each with its key log, by OpenSSL under Python's ssl module
and in memory; and chains for the corpus of pki_chain, by openssl. Keys are new each time, so a new run makes other bytes.
The folder of messages (fuzz/corpus/nmsp_frame) and the builders of packets (make-captures.py) are those of the other seeds.
"""

import pathlib
import re
import ssl
import subprocess
import tempfile

HERE = pathlib.Path(__file__).parent
BUILDERS = {}
# The builders of packets, without what the script does behind them.
exec(re.split(r"^records, keys =", (HERE / "make-captures.py").read_text().replace("trace, messages, out = sys.argv[1:]", ""), flags=re.M)[0], BUILDERS)
NAMES = ("capability-notification", "echo-request", "measurement-notification")
MESSAGES = [(HERE / "corpus/nmsp_frame" / f"{name}.bin").read_bytes() for name in NAMES]


def openssl(*arguments, **options):
    subprocess.run(["openssl", *map(str, arguments)], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **options)


def session(folder, version, cipher, key):
    keys = folder / "keys"
    keys.unlink(missing_ok=True)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.keylog_filename = str(keys)
    server.load_cert_chain(folder / f"{key}.pem", folder / f"{key}.key")
    for context in (server, client):
        context.minimum_version = context.maximum_version = version
        if version != ssl.TLSVersion.TLSv1_3:
            context.set_ciphers(f"{cipher}@SECLEVEL=0" if cipher else "ALL@SECLEVEL=0")
    memory = [ssl.MemoryBIO() for _ in range(4)]
    client = client.wrap_bio(memory[0], memory[1])
    server = server.wrap_bio(memory[2], memory[3], server_side=True)
    sent = []

    def carry():
        for is_client, out, into in ((True, memory[1], memory[2]), (False, memory[3], memory[0])):
            if data := out.read():
                sent.append((is_client, data))
                into.write(data)

    done = set()
    for _ in range(8):
        for side in (client, server):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass
            carry()
    assert len(done) == 2
    for side, message in zip((client, server, server), MESSAGES):
        side.write(message)
        carry()
    for side in (client, server):
        try:
            side.unwrap()
        except ssl.SSLError:
            pass
        carry()
    text = keys.read_bytes()
    capture = BUILDERS["pcap"](101, list(BUILDERS["packets"](sent)))
    return capture + b"\nKEYS\n" + text


def sessions(folder):
    for key, kind in (("rsa", ["rsa:2048"]), ("ec", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])):
        openssl("req", "-x509", "-nodes", "-newkey", *kind, "-keyout", folder / f"{key}.key", "-out", folder / f"{key}.pem", "-subj", f"/CN={key}")
    V = ssl.TLSVersion
    for name, version, cipher, key in (
        ("tls-1.3", V.TLSv1_3, None, "ec"),
        ("tls-1.2-aes-128-gcm", V.TLSv1_2, "ECDHE-RSA-AES128-GCM-SHA256", "rsa"),
        ("tls-1.2-aes-256-gcm", V.TLSv1_2, "ECDHE-ECDSA-AES256-GCM-SHA384", "ec"),
        ("tls-1.2-chacha20", V.TLSv1_2, "ECDHE-RSA-CHACHA20-POLY1305", "rsa"),
        ("tls-1.2-cbc-sha", V.TLSv1_2, "AES128-SHA", "rsa"),
        ("tls-1.2-cbc-sha256", V.TLSv1_2, "ECDHE-RSA-AES128-SHA256", "rsa"),
        ("tls-1.2-cbc-sha384", V.TLSv1_2, "ECDHE-ECDSA-AES256-SHA384", "ec"),
        ("tls-1.1", V.TLSv1_1, "AES256-SHA", "rsa"),
        ("tls-1.0", V.TLSv1, "ECDHE-RSA-AES128-SHA", "rsa"),
        ("tls-1.2-unknown-suite", V.TLSv1_2, "CAMELLIA128-SHA", "rsa"),
    ):
        made = session(folder, version, cipher, key)
        (HERE / "corpus/nmsp_capture" / f"{name}.pcap-keys").write_bytes(made)
    (HERE / "corpus/nmsp_capture/tls-without-keys.pcap").write_bytes(made.split(b"\nKEYS\n")[0])


def issue(folder, name, issuer, extensions, more=(), digest="sha256", subject=None, key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256")):
    """A certificate whose key is name.key, as DER. Without an issuer it signs itself."""
    configuration = folder / "extensions"
    configuration.write_text("[req]\ndistinguished_name=dn\n[dn]\n[x]\n" + extensions)
    arguments = ["req", "-x509", "-new", "-nodes", f"-{digest}", "-config", configuration, "-extensions", "x", "-subj", subject or f"/CN={name}",
                 "-days", "9000", "-newkey", *key, "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem"]
    if issuer:
        arguments += ["-CA", folder / f"{issuer}.pem", "-CAkey", folder / f"{issuer}.key"]
    openssl(*arguments, *more)
    openssl("x509", "-in", folder / f"{name}.pem", "-outform", "DER", "-out", folder / f"{name}.der")
    return (folder / f"{name}.der").read_bytes()


CA = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
LEAF = "basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth,serverAuth\nsubjectAltName=DNS:est.example.com,IP:192.0.2.1\n"


def not_yet_valid(folder):
    """The authority of openssl ca can name the time; here a byte of the year is changed, so that the signature is wrong."""
    der = issue(folder, "x", "root", LEAF)
    year = b"\x17\x0d" + der.split(b"\x17\x0d")[1][:2]
    return der.replace(year, b"\x17\x0d49", 1)


def version_1(folder, name, issuer, digest="sha1", key=("rsa:2048",)):
    openssl("req", "-new", "-nodes", "-newkey", *key, "-keyout", folder / f"{name}.key", "-subj", f"/CN={name}", "-out", folder / "request")
    by = ["-CA", folder / f"{issuer}.pem", "-CAkey", folder / f"{issuer}.key", "-CAcreateserial"] if issuer else ["-signkey", folder / f"{name}.key"]
    openssl("x509", "-req", "-in", folder / "request", f"-{digest}", "-days", "9000", *by, "-out", folder / f"{name}.pem")
    openssl("x509", "-in", folder / f"{name}.pem", "-outform", "DER", "-out", folder / f"{name}.der")
    return (folder / f"{name}.der").read_bytes()


def old_chains(folder, made):
    """Chains with SHA-1 or of version 1, which go the way for old devices."""
    rsa = ("rsa:2048",)
    root = issue(folder, "old-root", None, CA, digest="sha1", key=rsa)
    other = (folder / "root.der").read_bytes()
    for name, extensions in {
        "authority": CA, "no-authority": LEAF, "without-basic-constraints": "subjectKeyIdentifier=hash\n", "path-of-length-0": CA.replace("TRUE", "TRUE,pathlen:0"),
        "for-no-certificates": "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n", "with-constraints": CA + "nameConstraints=permitted;DNS:example.com\n",
        "unknown-extension": CA + "1.2.3.4=critical,DER:0500\n", "broken-constraints": CA + "nameConstraints=DER:0500\n", "broken-basic-constraints": "basicConstraints=DER:0500\n",
        "broken-key-usage": "basicConstraints=critical,CA:TRUE\nkeyUsage=DER:0500\n",
    }.items():
        old = issue(folder, "between", "old-root", extensions, digest="sha1", key=rsa)
        made[f"old-{name}"] = issue(folder, "x", "between", LEAF, digest="sha1") + old + root
        below = issue(folder, "below", "between", CA, digest="sha1", key=rsa)
        made[f"old-{name}-deeper"] = issue(folder, "x", "below", LEAF, digest="sha1") + below + old + root
        made[f"old-anchored-in-{name}"] = issue(folder, "x", "between", LEAF, digest="sha1") + old
    for name, extensions in {"for-servers": "extendedKeyUsage=serverAuth\n", "with-an-unknown-extension": LEAF + "1.2.3.4=critical,DER:0500\n", "without-extensions": "subjectKeyIdentifier=hash\n"}.items():
        made[f"old-leaf-{name}"] = issue(folder, "x", "old-root", extensions, digest="sha1", key=rsa) + root
    made["old-ended"] = issue(folder, "x", "old-root", LEAF, ["-days", "30"], digest="sha1") + root
    old = issue(folder, "between", "old-root", CA, ["-days", "30"], digest="sha1", key=rsa)
    made["old-issuer-ended"] = issue(folder, "x", "between", LEAF, digest="sha1") + old + root
    made["old-of-nobody"] = issue(folder, "x", "between", LEAF, digest="sha1") + root
    first = version_1(folder, "first", None)
    made["version-1-root"] = issue(folder, "x", "first", LEAF) + first
    made["version-1-leaf"] = version_1(folder, "x", "old-root") + root
    second = version_1(folder, "second", "old-root")
    made["version-1-between"] = issue(folder, "x", "second", LEAF) + second + root
    small = version_1(folder, "small", None, "sha256", ("rsa:1024",))
    made["small-root"] = issue(folder, "x", "small", LEAF) + small
    made["smaller-leaf"] = version_1(folder, "x", "small", "sha1", ("rsa:512",)) + small
    between = issue(folder, "between", "root", CA, key=("rsa:1024",))
    made["small-between"] = issue(folder, "x", "between", LEAF) + between + other


def chains(folder):
    """The last certificate of each is taken for an anchor by the oracle."""
    root = issue(folder, "root", None, CA)
    made = {"sender-trusted": issue(folder, "leaf", "root", LEAF) + root}
    for name, extensions in {
        "for-servers-only": "extendedKeyUsage=serverAuth\n", "for-clients-only": "extendedKeyUsage=clientAuth\n", "for-nothing-known": "extendedKeyUsage=1.2.3.4,codeSigning,timeStamping,OCSPSigning,emailProtection\n",
        "unknown-critical-extension": LEAF + "1.2.3.4=critical,DER:0500\n", "no-extensions": "subjectKeyIdentifier=hash\n",
        "authority-as-a-leaf": CA, "encipherment-only": LEAF + "keyUsage=critical,keyEncipherment\n",
        "other-names": "subjectAltName=DNS:*.other.example,IP:2001:db8::1,email:a@example.com,URI:https://x/,otherName:1.2.3.4;UTF8:x\n",
    }.items():
        made[name] = issue(folder, "x", "root", extensions, subject=f"/CN={name}") + root
    made["another-key-of-the-same-name"] = made["sender-trusted"][: -len(root)] + issue(folder, "root2", None, CA, subject="/CN=root")
    made["ended"] = issue(folder, "x", "root", LEAF, ["-days", "30"]) + root
    made["self-signed-and-unknown"] = issue(folder, "x", None, LEAF) + root
    made["self-signed-leaf-as-an-anchor"] = issue(folder, "x", None, LEAF) * 2
    made["sha-1"] = issue(folder, "x", "root", LEAF, digest="sha1") + root
    made["without-an-anchor"] = issue(folder, "x", "root", LEAF)
    for name, extensions in {
        "authority-without-basic-constraints": "subjectKeyIdentifier=hash\n", "authority-for-no-certificates": "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign\n",
        "path-of-length-0": CA.replace("TRUE", "TRUE,pathlen:0"), "constrained-names": CA + "nameConstraints=critical,permitted;DNS:elsewhere.example\n",
        "constrained-names-that-fit": CA + "nameConstraints=critical,permitted;DNS:example.com\n", "authority-for-servers-only": CA + "extendedKeyUsage=serverAuth\n",
    }.items():
        between = issue(folder, "between", "root", extensions)
        made[name] = issue(folder, "x", "between", LEAF) + between + root
        issue(folder, "below", "between", CA)
        made[f"{name}-deeper"] = issue(folder, "x", "below", LEAF) + (folder / "below.der").read_bytes() + between + root
    ring = issue(folder, "x", "root", CA, subject="/CN=root")
    made["two-authorities-of-one-name"] = issue(folder, "y", "x", LEAF) + ring + root
    for name, usages in {
        "for-cmc-authorities": "1.3.6.1.5.5.7.3.27", "for-cmc-registrars": "1.3.6.1.5.5.7.3.28", "for-everything": "anyExtendedKeyUsage",
    }.items():
        made[name] = issue(folder, "x", "root", f"extendedKeyUsage={usages}\n") + root
    for name, extensions, more in (
        ("for-nothing-known", "extendedKeyUsage=codeSigning\n", ()), ("for-cmc", "extendedKeyUsage=1.3.6.1.5.5.7.3.27\n", ()), ("ended", LEAF, ("-days", "30")),
        ("with-an-unknown-extension", LEAF + "1.2.3.4=critical,DER:0500\n", ()),
    ):
        made[f"known-{name}"] = issue(folder, "x", None, extensions, more) * 2
    made["known-and-to-begin"] = not_yet_valid(folder) * 2
    made["under-a-leaf"] = issue(folder, "y", "leaf", LEAF) + (folder / "leaf.der").read_bytes() + root
    made["anchored-in-a-leaf"] = issue(folder, "y", "leaf", LEAF) + (folder / "leaf.der").read_bytes()
    made["anchored-in-an-authority-without-basic-constraints"] = (
        issue(folder, "y", "between", LEAF) + issue(folder, "between", None, "keyUsage=critical,keyCertSign\n"))
    made["anchored-in-one-without-any-word"] = issue(folder, "y", "between", LEAF) + issue(folder, "between", None, "subjectKeyIdentifier=hash\n")
    made["extension-twice"] = issue(folder, "x", "root", LEAF + "1.2.3.4=DER:0500\n1.2.3.5=DER:0500\n", digest="sha1").replace(b"\x2a\x03\x05", b"\x2a\x03\x04") + root
    made["to-begin"] = not_yet_valid(folder) + root
    made["broken-extensions"] = issue(folder, "x", "root", "basicConstraints=DER:0401\nextendedKeyUsage=DER:0500\nsubjectAltName=DER:0500\n") + root
    made["broken-usage"] = issue(folder, "x", "root", "extendedKeyUsage=DER:0500\n") + root
    made["broken-names"] = issue(folder, "x", "root", "subjectAltName=DER:30038201FF\n") + root
    made["small-rsa"] = issue(folder, "x", "root", LEAF, key=("rsa:1024",)) + root
    old_chains(folder, made)
    for name, chain in made.items():
        # The oracle tells certificates apart by lengths of two octets.
        (HERE / "corpus/pki_chain" / f"{name}.der").write_bytes(chain)


with tempfile.TemporaryDirectory() as temporary:
    sessions(pathlib.Path(temporary))
    chains(pathlib.Path(temporary))
with tempfile.TemporaryDirectory() as temporary:
    pem = pathlib.Path(temporary) / "list.pem"
    openssl("crl", "-inform", "DER", "-in", HERE / "keys/list.crl", "-out", pem)
    for target in ("est_signed_data", "est_certs_only"):
        openssl("crl2pkcs7", "-in", pem, "-outform", "DER", "-out", HERE / "corpus" / target / "revocation-list-only.der")
