"""The other end of a TLS 1.2 connection, by Python's ssl module, that is OpenSSL.

peer.py client PORT CIPHER OPTIONS [CERTIFICATE KEY]
peer.py server CERTIFICATE KEY CIPHER OPTIONS CLIENT_CA_OR_DASH

Connects, or is connected to, twice; the second time the session is offered again. For each connection prints the
tls-unique in hex and whether the session was resumed. OPTIONS: number to add to the context's options.
"""
import socket
import ssl
import sys

CONNECTIONS = 2


def context(protocol, cipher, options):
    made = ssl.SSLContext(protocol)
    made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    made.set_ciphers(cipher)
    made.options |= int(options)
    return made


def report(stream):
    print(stream.get_channel_binding("tls-unique").hex(), stream.session_reused, flush=True)


def wait_for_the_end(stream):
    """Reads until the peer says goodbye: OpenSSL does not resume the session of a connection that ends without."""
    while stream.recv(16):
        pass


def client(port, cipher, options, *identity):
    tls = context(ssl.PROTOCOL_TLS_CLIENT, cipher, options)
    tls.check_hostname = False
    tls.verify_mode = ssl.CERT_NONE
    if identity:
        tls.load_cert_chain(*identity)
    session = None
    for _ in range(CONNECTIONS):
        with socket.create_connection(("127.0.0.1", int(port))) as tcp:
            with tls.wrap_socket(tcp, server_hostname="localhost", session=session) as stream:
                report(stream)
                wait_for_the_end(stream)
                session = stream.session


def server(certificate, key, cipher, options, client_ca):
    tls = context(ssl.PROTOCOL_TLS_SERVER, cipher, options)
    tls.load_cert_chain(certificate, key)
    if client_ca != "-":
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.load_verify_locations(client_ca)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        for _ in range(CONNECTIONS):
            tcp, _ = listener.accept()
            with tls.wrap_socket(tcp, server_side=True) as stream:
                report(stream)
                wait_for_the_end(stream)


{"client": client, "server": server}[sys.argv[1]](*sys.argv[2:])
