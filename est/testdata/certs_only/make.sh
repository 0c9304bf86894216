#!/bin/sh
# Makes the certs-only messages of this folder with the openssl command (3.0 was used).
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in one two three; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$name.key" \
        -subj "/CN=$name" -days 3650 -out "$work/$name.pem" 2>/dev/null
done
cat "$work/one.pem" "$work/two.pem" "$work/three.pem" > three-certificates.pem
openssl crl2pkcs7 -nocrl -certfile three-certificates.pem -outform DER -out three-certificates.der
cat "$work/one.pem" "$work/two.pem" "$work/one.pem" > "$work/duplicate.pem"
openssl crl2pkcs7 -nocrl -certfile "$work/duplicate.pem" -outform DER -out duplicate.der
# Signed, with content, and in BER with indefinite lengths because it is streamed.
printf hello | openssl cms -sign -stream -nodetach -binary -signer "$work/one.pem" -inkey "$work/one.key" \
    -certfile "$work/two.pem" -outform DER -out signed-indefinite-length.ber
