"""A TLS client of Python's ssl: HOST PORT ANCHOR VERSION COMMAND [VALUE]; prints one line.

resume   whether a second connection resumes the session of the first
alpn     the protocol chosen of those in VALUE, comma-separated
status   the HTTP status of cacerts over this connection
"""

import socket
import ssl
import sys

host, port, anchor, version, command, *values = sys.argv[1:]
context = ssl.create_default_context(cafile=anchor)
context.minimum_version = context.maximum_version = ssl.TLSVersion["TLSv1_" + version]


def connect(session=None):
    raw = socket.create_connection((host, int(port)), timeout=60)
    return context.wrap_socket(raw, server_hostname=host, session=session)


def ask(connection):
    """The answer to a request for cacerts; what came before it, tickets too, has been read then."""
    request = "GET /.well-known/est/cacerts HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode())
    answer = b""
    while chunk := connection.recv(4096):
        answer += chunk
    return answer.decode()


if command == "resume":
    with connect() as first:
        ask(first)
        session = first.session
    with connect(session) as second:
        ask(second)
        print(second.session_reused)
elif command == "alpn":
    context.set_alpn_protocols(values[0].split(","))
    with connect() as connection:
        print(connection.selected_alpn_protocol())
elif command == "status":
    with connect() as connection:
        print(ask(connection).split(" ")[1])
else:
    sys.exit(f"unknown command: {command}")
