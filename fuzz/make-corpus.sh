#!/bin/sh
# Makes the seeds of the corpora that other programs can make: openssl (3.0 was used) and the email package of Python.
# Keys are random: a new run makes other bytes. The files are committed, this script tells how they came to be.
set -eu
cd "$(dirname "$0")/corpus"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p est_authorization est_certs_only est_cmc est_csr_attributes est_digest est_enveloped_data est_multipart est_signed_data

certificate() {
    name=$1
    shift
    openssl req -x509 -nodes -keyout "$work/$name.key" -out "$work/$name.pem" -subj "/CN=$name" -days 3650 "$@" 2>"$work/log"
}
certificate rsa -newkey rsa:2048
certificate ec -newkey ec -pkeyopt ec_paramgen_curve:P-256
certificate p384 -newkey ec -pkeyopt ec_paramgen_curve:P-384
cat "$work/rsa.pem" "$work/ec.pem" "$work/p384.pem" >"$work/three.pem"
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
