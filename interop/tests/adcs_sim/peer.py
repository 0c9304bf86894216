"""Drives PyPI certsrv: SERVER CAFILE AUTH USER PASSWORD COMMAND [VALUE...]; prints one line, or what it fetched."""
import sys

from certsrv import (
    CertificatePendingException,
    Certsrv,
    CouldNotRetrieveCertificateException,
    RequestDeniedException,
)

server, cafile, auth, user, password, command, *values = sys.argv[1:]
authority = Certsrv(server, user, password, auth_method=auth, cafile=cafile, timeout=60)
try:
    if command == "check":
        print(authority.check_credentials())
    elif command == "enroll":
        with open(values[0], "rb") as request:
            print(authority.get_cert(request.read(), values[1]).decode())
    elif command == "fetch":
        print(authority.get_existing_cert(values[0]).decode())
    elif command == "authority":
        print(authority.get_ca_cert().decode())
    elif command == "chain":
        sys.stdout.buffer.write(authority.get_chain())
except CertificatePendingException as pending:
    print("pending", pending.req_id)
except RequestDeniedException as denied:
    print("denied", denied)
except CouldNotRetrieveCertificateException as missing:
    print("not there:", missing)
