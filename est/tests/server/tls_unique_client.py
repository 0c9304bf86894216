"""Posts a request that is tied to a TLS connection, on that connection or on another one.

usage: HOST PORT ANCHOR.pem same|other|none AUTHORIZATION
"""

import base64
import socket
import ssl
import subprocess
import sys

host, port, anchor, where, authorization = sys.argv[1:]
context = ssl.create_default_context(cafile=anchor)
context.maximum_version = ssl.TLSVersion.TLSv1_2


def connect():
    return context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)


first, second = connect(), connect()
binding = base64.b64encode(first.get_channel_binding("tls-unique")).decode()
attributes = "" if where == "none" else f"challengePassword={binding}\n"
with open("req.cnf", "w") as file:
    file.write("[req]\ndistinguished_name=dn\nattributes=at\nprompt=no\n[dn]\nCN=x\n[at]\n" + attributes)
command = "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -config req.cnf"
body = subprocess.run(command.split(), check=True, capture_output=True).stdout
used = second if where == "other" else first
head = (
    "POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    f"Content-Type: application/pkcs10\r\nAuthorization: {authorization}\r\nContent-Length: {len(body)}\r\n\r\n"
)
used.sendall(head.encode() + body)
answer = b""
while chunk := used.recv(4096):
    answer += chunk
print(answer.decode())
