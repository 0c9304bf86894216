#!/usr/bin/env bash
# make.sh: writes suite.json, a few test cases in the format of x509-limbo, with openssl 3 and python3.
#
# The published collection has hundreds; these are for the tests of the harness itself, one for each branch of it. Keys and
# certificates are new each time.
set -euo pipefail
cd "$(dirname "$0")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$folder/$1.key"; }
root() { # NAME
    key "$1"
    openssl req -x509 -key "$folder/$1.key" -subj "/CN=$1" -days 36500 -out "$folder/$1.pem" \
        -addext keyUsage=critical,keyCertSign,cRLSign
}
leaf() { # NAME ISSUER EXTENSIONS DAYS
    key "$1"
    openssl req -new -key "$folder/$1.key" -subj "/CN=$1" |
        openssl x509 -req -CA "$folder/$2.pem" -CAkey "$folder/$2.key" -days "$4" -out "$folder/$1.pem" \
            -extfile <(printf '%b' "basicConstraints=critical,CA:FALSE\n$3") 2>/dev/null
}
root "root"
root "other root"
leaf "server" "root" "subjectAltName=DNS:controller.example,IP:192.0.2.1" 36000
leaf "client" "root" "subjectAltName=DNS:client.example\nextendedKeyUsage=clientAuth" 36000
leaf "short" "root" "subjectAltName=DNS:controller.example" 1
leaf "revoked" "root" "subjectAltName=DNS:controller.example" 36000
touch "$folder/index.txt"
printf '[ca]\ndefault_ca = a\n[a]\ndatabase = %s/index.txt\ndefault_md = sha256\ncrlnumber = %s/number\ncrl_extensions = e\n[e]\nauthorityKeyIdentifier = keyid\n' \
    "$folder" "$folder" >"$folder/ca.cnf"
echo 01 >"$folder/number"
ca() { openssl ca -config "$folder/ca.cnf" -cert "$folder/root.pem" -keyfile "$folder/root.key" "$@" 2>/dev/null; }
ca -revoke "$folder/revoked.pem"
ca -gencrl -crldays 36000 -out "$folder/list.pem"

python3 - "$folder" <<'PYTHON' >suite.json
import json, sys
read = lambda name: open(f"{sys.argv[1]}/{name}.pem").read()
dns = {"kind": "DNS", "value": "controller.example"}
def case(id, expected, peer="server", **more):
    made = {
        "id": f"ours::{id}", "conflicts_with": [], "features": [], "importance": "undetermined", "description": id,
        "validation_kind": "SERVER", "trusted_certs": [read("root")], "untrusted_intermediates": [],
        "peer_certificate": read(peer), "peer_certificate_key": None, "validation_time": None,
        "signature_algorithms": [], "key_usage": [], "extended_key_usage": [], "expected_result": expected,
        "expected_peer_name": dns, "expected_peer_names": [], "max_chain_depth": None, "crls": [],
    }
    made.update(more)
    return made
cases = [
    case("server", "SUCCESS"),
    case("server-by-address", "SUCCESS", expected_peer_name={"kind": "IP", "value": "192.0.2.1"}),
    case("wrong-name", "FAILURE", expected_peer_name={"kind": "DNS", "value": "other.example"}),
    case("unknown-issuer", "FAILURE", trusted_certs=[read("other root")]),
    case("client", "SUCCESS", "client", validation_kind="CLIENT", expected_peer_name=None,
         expected_peer_names=[{"kind": "DNS", "value": "client.example"}]),
    case("client-as-server", "FAILURE", "client", expected_peer_name=None, extended_key_usage=["serverAuth"]),
    case("expired", "FAILURE", "short", validation_time="2090-01-01T00:00:00Z"),
    case("revoked", "FAILURE", "revoked", crls=[read("list")]),
    case("not-revoked", "SUCCESS", crls=[read("list")]),
    case("anchor-that-is-none", "FAILURE", trusted_certs=["-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"]),
    case("depth", "SUCCESS", max_chain_depth=1),
    case("mail-address", "SUCCESS", expected_peer_name={"kind": "RFC822", "value": "a@example"}),
    case("code-signing", "FAILURE", extended_key_usage=["codeSigning"]),
]
json.dump({"version": 1, "testcases": cases}, sys.stdout, indent=1)
print()
PYTHON
