#!/bin/sh
# Makes the seeds of the corpora that other programs can make: openssl (3.0 was used) and the email package of Python.
# Keys are random: a new run makes other bytes. The files are committed, this script tells how they came to be.
set -eu
cd "$(dirname "$0")/corpus"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p ../keys est_authorization est_base64 est_certs_only est_cmc est_csr_attributes est_digest est_enveloped_data \
    est_multipart est_signed_data pki_certificate pki_chain pki_private_key pki_revocation_list

certificate() {
    name=$1
    shift
    openssl req -x509 -nodes -keyout "$work/$name.key" -out "$work/$name.pem" -subj "/CN=$name" -days 3650 "$@" 2>"$work/log"
}
certificate rsa -newkey rsa:2048
certificate ec -newkey ec -pkeyopt ec_paramgen_curve:P-256
certificate p384 -newkey ec -pkeyopt ec_paramgen_curve:P-384
cat "$work/rsa.pem" "$work/ec.pem" "$work/p384.pem" >"$work/three.pem"
# What the oracles decrypt and sign with.
for name in rsa ec; do
    openssl x509 -in "$work/$name.pem" -outform DER -out "../keys/$name.der"
    openssl pkcs8 -topk8 -nocrypt -in "$work/$name.key" -outform DER -out "../keys/$name.key.der"
done
printf 'a key package' >"$work/content"

# Certificates only.
for name in rsa ec three; do
    openssl crl2pkcs7 -nocrl -certfile "$work/$name.pem" -outform DER -out "est_certs_only/$name.der"
done
openssl cms -sign -in "$work/content" -binary -nodetach -signer "$work/ec.pem" -inkey "$work/ec.key" \
    -certfile "$work/rsa.pem" -stream -outform DER -out est_certs_only/signed-indefinite-length.ber

# Signed data.
sign() {
    output=$1
    shift
    openssl cms -sign -in "$work/content" -binary -outform DER -out "est_signed_data/$output" "$@"
}
sign rsa.der -nodetach -signer "$work/rsa.pem" -inkey "$work/rsa.key"
sign rsa-pss.der -nodetach -signer "$work/rsa.pem" -inkey "$work/rsa.key" -keyopt rsa_padding_mode:pss
sign ec.der -nodetach -signer "$work/ec.pem" -inkey "$work/ec.key"
sign key-identifier.der -nodetach -keyid -signer "$work/ec.pem" -inkey "$work/ec.key"
sign no-attributes.der -nodetach -noattr -signer "$work/p384.pem" -inkey "$work/p384.key" -md sha384
sign no-certificates.der -nodetach -nocerts -signer "$work/ec.pem" -inkey "$work/ec.key"
sign detached.der -signer "$work/ec.pem" -inkey "$work/ec.key"
sign indefinite-length.ber -nodetach -stream -signer "$work/ec.pem" -inkey "$work/ec.key"
sign other-type.der -nodetach -econtent_type 1.2.840.113549.1.9.16.1.35 -signer "$work/ec.pem" -inkey "$work/ec.key"

# Enveloped data; the shared key is the one that the oracle tries.
encrypt() {
    output=$1
    shift
    openssl cms -encrypt -in "$work/content" -binary -outform DER -out "est_enveloped_data/$output" "$@"
}
key=4242424242424242424242424242424242424242424242424242424242424242
encrypt shared-aes256.der -aes-256-cbc -secretkey "$key" -secretkeyid 01020304
encrypt shared-aes128.der -aes-128-cbc -secretkey "$key" -secretkeyid 01020304
encrypt shared-3des.der -des3 -secretkey "$key" -secretkeyid 01020304
encrypt shared-indefinite-length.ber -aes-256-cbc -stream -secretkey "$key" -secretkeyid 01020304
encrypt rsa.der -aes-256-cbc -recip "$work/rsa.pem"
encrypt rsa-oaep.der -aes-256-cbc -recip "$work/rsa.pem" -keyopt rsa_padding_mode:oaep
encrypt rsa-key-identifier.der -aes-256-cbc -keyid -recip "$work/rsa.pem"
encrypt ec.der -aes-256-cbc -recip "$work/ec.pem"
encrypt ec-p384.der -aes-256-cbc -recip "$work/p384.pem"
encrypt password.der -aes-256-cbc -pwri_password secret

# Private keys in packages: as they are, and signed.
openssl pkcs8 -topk8 -nocrypt -in "$work/ec.key" -outform DER -out "$work/pkcs8.der"
encrypt_file() {
    openssl cms -encrypt -in "$1" -binary -outform DER -aes-128-cbc -out "est_enveloped_data/$2" \
        -secretkey "$key" -secretkeyid 01020304
}
encrypt_file "$work/pkcs8.der" package-pkcs8.der
# AsymmetricKeyPackage ::= SEQUENCE OF OneAsymmetricKey; the key has 128 to 255 bytes.
python3 -c 'import sys; key = open(sys.argv[1], "rb").read(); open(sys.argv[2], "wb").write(bytes([0x30, 0x81, len(key)]) + key)' \
    "$work/pkcs8.der" "$work/package.der"
encrypt_file "$work/package.der" package-unsigned.der
openssl cms -sign -in "$work/package.der" -binary -nodetach -outform DER -econtent_type 2.16.840.1.101.2.1.2.78.5 \
    -signer "$work/ec.pem" -inkey "$work/ec.key" -out "$work/signed-package.der"
encrypt_file "$work/signed-package.der" package-signed.der
openssl cms -encrypt -in "$work/signed-package.der" -binary -outform DER -aes-256-cbc \
    -recip "$work/ec.pem" -out est_enveloped_data/package-signed-ec.der

# CSR attributes, and a PKIData with a PKCS #10 request, by the ASN.1 of openssl's configuration.
asn1() {
    file=$1
    cat >"$work/asn1.cnf"
    openssl asn1parse -genconf "$work/asn1.cnf" -noout -out "$file"
}
# The attributes of RFC 8951, section 4.
asn1 est_csr_attributes/rfc8951.der <<'CNF'
asn1 = SEQUENCE:attributes
[attributes]
1 = OID:challengePassword
2 = SEQUENCE:key
3 = SEQUENCE:extensions
4 = OID:ecdsa-with-SHA384
[key]
1 = OID:id-ecPublicKey
2 = SET:curve
[curve]
1 = OID:secp384r1
[extensions]
1 = OID:extReq
2 = SET:wanted
[wanted]
1 = SEQUENCE:one
[one]
1 = SEQUENCE:san
[san]
1 = OID:subjectAltName
2 = FORMAT:HEX,OCTETSTRING:3000
CNF
asn1 est_csr_attributes/empty.der <<'CNF'
asn1 = SEQUENCE:none
[none]
CNF
openssl base64 -in est_csr_attributes/rfc8951.der -out est_csr_attributes/rfc8951.base64
# The examples of the RFCs, those with templates among them.
for example in ../../est/testdata/csr_attributes/*.b64; do
    name=$(basename "$example" .b64)
    tr -d ' \n' <"$example" | openssl base64 -d -A -out "est_csr_attributes/$name.der"
done
cp ../../est/testdata/cmc/openssl-crmf-*.der est_cmc/
openssl req -new -key "$work/ec.key" -subj /CN=x -outform DER -out "$work/csr.der"
csr() {
    od -An -v -tx1 "$work/csr.der" | tr -d ' \n'
}
wrap() {
    # A SEQUENCE or tagged element: TAG in hexadecimal, CONTENT in hexadecimal.
    length=$((${#2} / 2))
    if [ "$length" -lt 128 ]; then
        printf '%s%02x%s' "$1" "$length" "$2"
    elif [ "$length" -lt 256 ]; then
        printf '%s81%02x%s' "$1" "$length" "$2"
    else
        printf '%s82%04x%s' "$1" "$length" "$2"
    fi
}
binary_file() {
    python3 -c 'import sys; open(sys.argv[1], "wb").write(bytes.fromhex(sys.argv[2]))' "$1" "$2"
}
request=$(wrap a0 "020101$(csr)")
transaction=$(wrap 30 "02010206082b06010505070705$(wrap 31 020105)")
nonce=$(wrap 30 "02010306082b06010505070706$(wrap 31 040401020304)")
binary_file est_cmc/pki-data.der "$(wrap 30 "$(wrap 30 "$transaction$nonce")$(wrap 30 "$request")30003000")"
binary_file est_cmc/empty.der "$(wrap 30 3000300030003000)"
status=$(wrap 30 "02010106082b06010505070701$(wrap 31 "$(wrap 30 "020100$(wrap 30 020101)")")")
binary_file est_cmc/pki-response.der "$(wrap 30 "$(wrap 30 "$status")30003000")"
crmf=$(wrap a1 "$(wrap 30 "$(wrap 30 "020101$(wrap 30 "$(wrap a5 "$(wrap 30 "$(wrap 31 "$(wrap 30 06035504030c0178)")")")")")")")
binary_file est_cmc/crmf.der "$(wrap 30 "3000$(wrap 30 "$crmf")30003000")"

# Headers, as curl sends them, and the challenges of RFC 7616.
printf 'Basic %s' "$(printf 'phone:correct horse' | openssl base64 -A)" >est_authorization/basic
printf 'Bearer %s' "$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=')" >est_authorization/bearer
cat >est_digest/answer-md5 <<'TEXT'
Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
TEXT
cat >est_digest/answer-sha256 <<'TEXT'
Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
TEXT
cat >est_digest/challenge <<'TEXT'
Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"
TEXT
for name in answer-md5 answer-sha256 challenge; do
    # A header value has no line end.
    text=$(cat "est_digest/$name")
    printf '%s' "$text" >"est_digest/$name"
done
cp est_digest/answer-sha256 est_authorization/digest
printf 'Basic %s' "$(printf 'J\303\244s\303\270n:' | openssl base64 -A)" >est_authorization/basic-utf8
printf 'Digest username*=UTF-8%s%sJ%%C3%%A4s%%C3%%B8n, realm="r\\"", uri="/", nonce="n", nc=0000000a, cnonce="c", qop=auth, response="8ca523f5e9506fed4657c9700eebdbec", userhash=false' "'" "'" >est_digest/answer-extended
printf 'Negotiate, Basic realm="x", Digest realm="a, b", nonce="n", stale=TRUE, Digest realm="b", nonce="m", algorithm=SHA-256, qop="auth"' >est_digest/several
printf 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"' >est_digest/rfc2069

# Base64 in several layouts.
openssl base64 -in est_certs_only/ec.der -out est_base64/columns-64
openssl base64 -A -in est_certs_only/ec.der -out est_base64/single-line
openssl base64 -in est_certs_only/ec.der | sed 's/$/\r/' >est_base64/cr-lf
printf 'aGVs\tbG8 =\n' >est_base64/blanks
printf 'aGVsbG8' >est_base64/no-padding
printf 'aGVsbG9=' >est_base64/unused-bits
printf 'aGVsbG8=aGVs' >est_base64/behind-padding
printf 'aGV-bG8=' >est_base64/url-safe

# Multipart bodies by Python's email package.
python3 - est_multipart <<'PYTHON'
import base64, sys
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.policy import SMTP, default

for name, policy in (("crlf", SMTP), ("lf", default)):
    whole = MIMEMultipart("mixed", boundary="b")
    whole.attach(MIMEApplication(b"key" * 40, "pkcs8"))
    whole.attach(MIMEApplication(b"certificate" * 40, "pkcs7-mime", **{"smime-type": "certs-only"}))
    text = whole.as_bytes(policy=policy)
    end = b"\r\n\r\n" if name == "crlf" else b"\n\n"
    body = text.split(end, 1)[1]
    open(f"{sys.argv[1]}/{name}", "wb").write(body)
    open(f"{sys.argv[1]}/{name}-cut-off", "wb").write(body[:-40])
PYTHON

# The same with a real key and certificates, whose types and encodings are those of RFC 7030, section 4.4.2.
{
    printf -- '--b\r\nContent-Type: application/pkcs8\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    openssl base64 -in "$work/pkcs8.der"
    printf -- '--b\r\nContent-Type: application/pkcs7-mime; smime-type=certs-only\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    openssl base64 -in est_certs_only/ec.der
    printf -- '--b--\r\n'
} >est_multipart/server-key
{
    printf -- '--b\nContent-Type: application/pkcs7-mime; smime-type=server-generated-key\n\n'
    openssl base64 -in est_enveloped_data/package-signed-ec.der
    printf -- '--b\nContent-Type: application/pkcs7-mime; smime-type="certs-only"\n\n'
    cat "$work/ec.pem"
    printf -- '--b--\n'
} >est_multipart/encrypted-server-key
{
    printf -- '--b\r\n\r\n'
    openssl rsa -in "$work/rsa.key" -traditional 2>"$work/log"
    printf -- '\r\n--b\r\nContent-Type:\r\n application/pkcs7-mime\r\n\r\n'
    cat est_certs_only/ec.der
    printf -- '\r\n--b--\r\n'
} >est_multipart/libest-rsa-and-der

# Every control of RFC 5272, section 6, and every body part.
python3 - est_cmc "$work/csr.der" <<'PYTHON'
import sys

def element(tag, *parts):
    content = b"".join(parts)
    if len(content) < 128:
        length = bytes([len(content)])
    else:
        octets = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(octets)]) + octets
    return bytes([tag]) + length + content

def sequence(*parts): return element(0x30, *parts)
def integer(number): return element(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))
def octets(text): return element(4, text)
def utf8(text): return element(0x0C, text.encode())
def control_type(number): return element(6, bytes.fromhex("2b0601050507") + bytes([7, number]))

sha256 = sequence(element(6, bytes.fromhex("608648016503040201")))
hmac = sequence(element(6, bytes.fromhex("2a864886f70d0209")))
name = sequence(element(0x31, sequence(element(6, bytes.fromhex("550403")), utf8("x"))))
time = element(0x18, b"20300101000000Z")
proof = sequence(sha256, hmac, octets(b"w" * 32))
failed = sequence(integer(2), sequence(integer(1)), utf8("no"), integer(7))
pending = sequence(integer(3), sequence(sequence(integer(1), integer(2))), sequence(octets(b"token"), time))
extended = sequence(integer(2), sequence(), element(0xA1, element(6, b"\x2a\x03\x04"), integer(1)))
values = {
    1: failed, 2: utf8("device"), 3: octets(b"p" * 20), 4: octets(b"data"), 5: integer(5), 6: octets(b"nonce"),
    7: octets(b"nonce"), 11: sequence(integer(1), sequence(integer(1))),
    17: sequence(name, integer(9), element(0x0A, b"\x01"), time, octets(b"secret"), utf8("lost")),
    18: octets(b"r"), 19: octets(b"r"), 21: octets(b"token"), 22: octets(b"random"), 23: octets(b"w" * 20),
    24: sequence(name, integer(9)), 25: pending, 28: sequence(integer(1)), 29: sequence(integer(1)),
    32: sequence(sequence(integer(1), sequence(integer(1), integer(2)))), 33: proof, 34: proof, 99: extended,
}
controls = sequence(*(
    sequence(integer(index + 10), control_type(number), element(0x31, value))
    for index, (number, value) in enumerate(values.items())
))
other = sequence(integer(8), element(6, b"\x2a\x03\x04"), integer(1))
message = sequence(integer(7), sequence(element(6, b"\x2a\x03\x04"), element(0xA0, integer(1))))
csr = open(sys.argv[2], "rb").read()
requests = sequence(element(0xA0, integer(1), csr), element(0xA2, integer(2), element(6, b"\x2a\x03\x04"), integer(1)))
folder = sys.argv[1]
open(f"{folder}/all-controls-request.der", "wb").write(sequence(controls, requests, sequence(message), sequence(other)))
open(f"{folder}/all-controls-response.der", "wb").write(sequence(controls, sequence(message), sequence(other)))
statuses = sequence(*(
    sequence(integer(index + 1), control_type(25), element(0x31, value))
    for index, value in enumerate((failed, pending, extended))
))
open(f"{folder}/statuses.der", "wb").write(sequence(statuses, sequence(), sequence()))
PYTHON

# Certificates, PEM and DER, of the kinds that the certificates' own tests are about.
for file in ../../pki-common/testdata/certificates/*.pem; do
    name=$(basename "$file" .pem)
    openssl x509 -in "$file" -outform DER -out "pki_certificate/$name.der"
done
cp "$work/three.pem" pki_certificate/three.pem
{
    openssl x509 -in "$work/ec.pem" -noout -text
    cat "$work/ec.pem" "$work/ec.key"
} >pki_certificate/with-text-and-key.pem

# An authority with an intermediate one, what they issued, and what the root revoked. The times reach beyond 2045.
export OPENSSL_CONF="$work/ca.cnf"
cat >"$work/ca.cnf" <<CNF
[req]
distinguished_name = name
[name]
[ca]
default_ca = root
[root]
database = $work/index
serial = $work/serial
crlnumber = $work/crlnumber
new_certs_dir = $work
default_md = sha256
default_crl_days = 7300
default_days = 7300
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth,serverAuth
subjectAltName = DNS:leaf.example
authorityKeyIdentifier = keyid
[number]
authorityKeyIdentifier = keyid
[partition]
issuingDistributionPoint = critical,@point
[point]
fullname = URI:http://example/crl
onlyuser = TRUE
CNF
: >"$work/index"
echo 1000 >"$work/serial"
echo 01 >"$work/crlnumber"
for name in root intermediate leaf direct revoked; do
    openssl ecparam -name prime256v1 -genkey -noout -out "$work/$name.key"
done
openssl genrsa -out "$work/old.key" 2048 2>"$work/log"
openssl req -x509 -new -key "$work/root.key" -subj "/CN=Fuzz Root" -days 7300 -extensions authority -out "$work/root.pem"
issue() {
    openssl req -new -key "$work/$1.key" -subj "/CN=$1" -out "$work/$1.csr"
    openssl ca -batch -notext -in "$work/$1.csr" -cert "$work/$2.pem" -keyfile "$work/$2.key" -extensions "$3" -md "$4" \
        -out "$work/$1.pem" 2>"$work/log"
}
issue intermediate root authority sha256
issue leaf intermediate leaf sha256
issue direct root leaf sha256
issue revoked root leaf sha256
issue old root leaf sha1
openssl ca -revoke "$work/revoked.pem" -cert "$work/root.pem" -keyfile "$work/root.key" -crl_reason keyCompromise 2>"$work/log"
list() {
    output=$1
    shift
    openssl ca -gencrl -cert "$work/root.pem" -keyfile "$work/root.key" -out "$work/list.pem" "$@" 2>"$work/log"
    openssl crl -in "$work/list.pem" -outform DER -out "$output"
}
list ../keys/list.crl -crlexts number
list ../keys/list-version-1.crl
list ../keys/list-partition.crl -crlexts partition
list ../keys/list-sha384.crl -crlexts number -md sha384
: >"$work/index"
list ../keys/list-empty.crl -crlexts number
cp ../keys/*.crl pki_revocation_list/
for name in root intermediate leaf direct revoked old; do
    openssl x509 -in "$work/$name.pem" -outform DER -out "../keys/$name.der"
done
cat ../keys/leaf.der ../keys/intermediate.der >pki_chain/leaf-intermediate
cat ../keys/leaf.der ../keys/root.der ../keys/intermediate.der >pki_chain/leaf-root-intermediate
cat ../keys/leaf.der >pki_chain/leaf-alone
cat ../keys/direct.der ../keys/leaf.der >pki_chain/direct
cat ../keys/old.der ../keys/root.der >pki_chain/old
cat ../keys/root.der ../keys/root.der >pki_chain/root
unset OPENSSL_CONF

# Private keys: in the clear in three forms, and encrypted.
passphrase="the passphrase of the fuzz corpus"
cp "$work/pkcs8.der" pki_private_key/pkcs8.der
openssl pkcs8 -topk8 -nocrypt -in "$work/ec.key" -out pki_private_key/pkcs8.pem
openssl rsa -in "$work/rsa.key" -traditional -out pki_private_key/pkcs1.pem 2>"$work/log"
openssl rsa -in "$work/rsa.key" -traditional -outform DER -out pki_private_key/pkcs1.der 2>"$work/log"
openssl ec -in "$work/ec.key" -out pki_private_key/sec1.pem 2>"$work/log"
cat "$work/ec.pem" "$work/ec.key" >pki_private_key/behind-a-certificate.pem
lock() {
    output=$1
    shift
    openssl pkcs8 -topk8 -in "$work/ec.key" -passout "pass:$passphrase" -out "pki_private_key/$output" "$@"
}
lock aes256-sha256.der -v2 aes-256-cbc -v2prf hmacWithSHA256 -iter 64 -outform DER
lock aes128-sha512.der -v2 aes-128-cbc -v2prf hmacWithSHA512 -iter 64 -outform DER
lock aes192-sha1.der -v2 aes-192-cbc -v2prf hmacWithSHA1 -iter 64 -outform DER
lock aes256.pem -v2 aes-256-cbc -iter 64
lock scrypt.der -scrypt -scrypt_N 16 -scrypt_r 1 -scrypt_p 1 -outform DER
lock 3des.der -v2 des3 -iter 64 -outform DER
lock pbes1.der -v1 PBE-SHA1-3DES -outform DER
openssl ec -in "$work/ec.key" -aes128 -passout "pass:$passphrase" -out pki_private_key/traditional.pem 2>"$work/log"

# NMSP: one message of every family, under the built-in profile and that of a device that does not exist, and a session.
mkdir -p nmsp_connection nmsp_frame nmsp_profile
messages=../../nmsp/testdata/messages.jsonl
profile=../../nmsp/examples/fictitious.toml
cargo run -q -p nmsp --example encode_messages -- nmsp_frame <"$messages"
mkdir -p "$work/fictitious"
cargo run -q -p nmsp --example encode_messages -- "$work/fictitious" "$profile" <"$messages"
for name in measurement-notification information-notification location-notification; do
    cp "$work/fictitious/$name.bin" "nmsp_frame/fictitious-$name.bin"
done
for name in capability-notification service-subscribe-request service-subscribe-response measurement-notification; do
    cat "nmsp_frame/$name.bin"
done >nmsp_frame/session.bin

# NMSP connections. A script begins with the role, 0 for the controller, 1 for the location server; a zero and two bytes for
# the length minus one (5 + 8 bits) let a file arrive. See `nmsp::proto::oracle`.
arrives() {
    for name in "$@"; do
        length=$(($(stat -c %s "nmsp_frame/$name.bin") - 1))
        printf "\\$(printf %03o $((length / 256)))\\$(printf %03o $((length % 256)))"
        cat "nmsp_frame/$name.bin"
    done
}
{
    printf '\000'
    arrives capability-notification echo-request service-subscribe-request location-subscribe
    # Answers; tells; asks; time passes; the same requests twice and again; ends by a goodbye.
    printf '\300\352\353\240\100'
    arrives location-request location-request ids-get-request spectrum-request measurement-request
    printf '\301\300\301\300\116'
    arrives service-unsubscribe-request disconnect-notification
} >nmsp_connection/controller.bin
{
    printf '\001'
    arrives capability-notification
    # Subscribes, asks, is answered in parts, is told everything, unsubscribes, waits.
    printf '\237\240\242\244'
    printf '\062\015\002\000\004\000\002\000\000\000\002\000\010\000\000\000\000\000\177\377\377'
    printf '\056\026\003\000\005\000\002\000\000\000\016\000\004\000\001\000\002'
    printf '\056\026\003\000\005\000\002\000\000\000\016\000\004\000\002\000\002'
    arrives ap-monitor-response measurement-notification \
        information-notification statistics-notification spectrum-notification ids-notification \
        attachment-notification location-notification ap-info-notification
    printf '\236\140\140\140\343\122\344\345'
    arrives location-request disconnect-notification
} >nmsp_connection/location-server.bin
# Nobody says anything; a message of the wrong side; half a message and the end; names that nobody knows.
printf '\001\140\140\140\140' >nmsp_connection/silence.bin
printf '\000\040\005\001\140' >nmsp_connection/wrong-direction.bin
printf '\000\000\003\001\000\000\001\340\140' >nmsp_connection/cut.bin
printf '\001\044\310\001what\341\140' >nmsp_connection/unknown.bin
cp "$profile" nmsp_profile/fictitious.toml
cargo run -q -p nmsp --features cli -- profile show >nmsp_profile/built-in.toml
mkdir -p nmsp_capture nmsp_session_file
python3 ../make-captures.py ../../nmsp/testdata/capture/rfc8448-simple-1-rtt.txt nmsp_frame nmsp_capture
for name in ethernet disorder; do
    rm -f "nmsp_session_file/$name.jsonl"
    cargo run -q -p nmsp --features cli -- record --from-capture "nmsp_capture/$name.pcap" --out "nmsp_session_file/$name.jsonl"
done
{
    head -n 3 nmsp_session_file/ethernet.jsonl
    printf '{"us":9,"direc'
} >nmsp_session_file/cut.jsonl
printf '[tlv]\ntype-width = 1\n[messages]\necho-request = 128\ndevice-info-request = false\n' >nmsp_profile/small.toml
printf 'byte-order = "little"\n[header]\nlength = 3\n[messages]\nnothing = 1\n' >nmsp_profile/four-problems.toml
