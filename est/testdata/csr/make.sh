#!/bin/sh
# Makes the certification requests of this folder with the openssl command (3.0 was used).
# Keys are random: a new run makes other bytes. The files are committed, this script tells how they came to be.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/plain.cnf" <<'CNF'
[req]
prompt = no
string_mask = utf8only
distinguished_name = dn
[dn]
0.DC = com
1.DC = example
0.OU = eng
1.OU = lab
CN = AP-00:50:56:9c:34:89
CNF

cat > "$work/short.cnf" <<'CNF'
[req]
prompt = no
distinguished_name = dn
[dn]
CN = device.example.com
CNF

# extension_config NAME LINES...: a request configuration with the given requested extensions
extension_config() {
    name=$1
    shift
    { cat "$work/short.cnf"; printf '[ext]\n'; printf '%s\n' "$@"; } |
        sed 's/^distinguished_name = dn$/distinguished_name = dn\nreq_extensions = ext/' > "$work/$name.cnf"
}
extension_config san 'subjectAltName = DNS:device.example.com, IP:192.0.2.7, IP:2001:db8::7, email:ops@example.com, URI:https://example.com/device'
extension_config server 'basicConstraints = CA:FALSE' 'keyUsage = digitalSignature' 'extendedKeyUsage = serverAuth' 'subjectKeyIdentifier = hash' 'subjectAltName = DNS:device.example.com'
extension_config ca 'basicConstraints = critical, CA:TRUE' 'keyUsage = critical, keyCertSign, cRLSign'
extension_config key-usage 'keyUsage = keyCertSign'
extension_config code-signing 'extendedKeyUsage = codeSigning'
extension_config unknown-extension '1.3.6.1.4.1.55555.1 = ASN1:UTF8String:hello'
extension_config other-name 'subjectAltName = otherName:1.3.6.1.4.1.311.20.2.3;UTF8:user@example.com'
extension_config bad-dns 'subjectAltName = DNS:not a name'
extension_config wildcard 'subjectAltName = DNS:*.example.com'

cat > "$work/challenge.cnf" <<'CNF'
[req]
prompt = no
distinguished_name = dn
attributes = att
[dn]
CN = device.example.com
[att]
challengePassword = 0123456789abcdef
unstructuredName = rack 7
CNF

ec() { openssl genpkey -quiet -algorithm EC -pkeyopt "ec_paramgen_curve:$1" -pkeyopt ec_param_enc:named_curve -out "$work/$2.key" 2>/dev/null ||
       openssl ecparam -name "$1" -genkey -noout -out "$work/$2.key"; }
ec P-256 p256
ec P-384 p384
ec P-521 p521
ec brainpoolP256r1 brainpool
openssl genpkey -algorithm ED25519 -out "$work/ed25519.key"
for bits in 512 1024 2048 3072; do openssl genrsa -out "$work/rsa$bits.key" "$bits" 2>/dev/null; done
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out "$work/rsapss.key" 2>/dev/null

# request FILE KEY CONFIG OPTIONS...
request() {
    file=$1 key=$2 config=$3
    shift 3
    openssl req -new -key "$work/$key.key" -config "$work/$config.cnf" -outform DER -out "$file" "$@"
}
request p256.der p256 plain -sha256
request p384.der p384 short -sha384
request p384-sha256.der p384 short -sha256
request p521.der p521 short -sha512
request p256-sha512.der p256 short -sha512
request p256-sha1.der p256 short -sha1
request ed25519.der ed25519 short
request brainpool.der brainpool short -sha256
request rsa2048.der rsa2048 plain -sha256
request rsa3072-sha512.der rsa3072 short -sha512
request rsa2048-sha1.der rsa2048 short -sha1
request rsa1024.der rsa1024 short -sha256
request rsa512.der rsa512 short -sha256
request rsa2048-pss-digest-salt.der rsa2048 short -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
# The default salt of `openssl req` is the longest that fits: 222 bytes here.
request rsa2048-pss-default-salt.der rsa2048 short -sha256 -sigopt rsa_padding_mode:pss
request rsapss-key.der rsapss short -sha256
for name in san server ca key-usage code-signing unknown-extension other-name bad-dns wildcard challenge; do
    request "$name.der" p256 "$name" -sha256
done
request empty.der p256 short -sha256 -subj /
request empty-san.der p256 wildcard -sha256 -subj /
request rsa-server.der rsa2048 server -sha256
openssl req -inform DER -in p256.der -outform PEM -out p256.pem
openssl req -inform DER -in p256.der -outform PEM -out with-text.pem -text
openssl base64 -in p256.der -out p256.base64

# The last byte of the signature of p256.der, changed.
size=$(wc -c < p256.der)
head -c "$((size - 1))" p256.der > wrong-signature.der
last=$(tail -c 1 p256.der | od -An -tu1 | tr -d ' ')
printf "\\$(printf '%03o' "$(( (last + 1) % 256 ))")" >> wrong-signature.der
# One byte behind the request.
{ cat p256.der; printf '\0'; } > trailing-byte.der
