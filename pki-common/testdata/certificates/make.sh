#!/bin/sh
# Makes the certificates of this folder with OpenSSL 3, in the current folder. The keys are thrown away.
set -eu
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
days="-days 27000"

# rsa FILE BITS, ec FILE CURVE: a new private key.
rsa() { openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$2" -out "$work/$1" 2>"$work/log"; }
ec() { openssl genpkey -algorithm EC -pkeyopt "ec_paramgen_curve:$2" -out "$work/$1"; }
# self_signed NAME KEY SUBJECT OPTIONS...
self_signed() {
    name=$1 key=$2 subject=$3; shift 3
    openssl req -x509 -new -key "$work/$key" -subj "$subject" $days "$@" -out "$name.pem"
}
# issued NAME KEY SUBJECT ISSUER ISSUER_KEY: signed by another key, under the issuer's name.
issued() {
    openssl req -new -key "$work/$2" -subj "$3" -out "$work/csr"
    openssl req -x509 -new -key "$work/$5" -subj "$4" $days -out "$work/issuer"
    openssl x509 -req -in "$work/csr" -CA "$work/issuer" -CAkey "$work/$5" -set_serial 4660 $days -out "$1.pem" 2>"$work/log"
}

rsa rsa1024 1024
rsa rsa2048 2048
rsa rsa3072 3072
ec p256 P-256
ec p384 P-384
ec p521 P-521
ec other P-256
openssl genpkey -algorithm ED25519 -out "$work/ed25519"
openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out "$work/pss" 2>"$work/log"

mse=/O=Example/CN=mse-0050569c3489
self_signed rsa2048-sha256 rsa2048 $mse -sha256
self_signed rsa2048-sha1 rsa2048 $mse -sha1
self_signed rsa1024-sha256 rsa1024 $mse -sha256
self_signed rsa3072-sha384 rsa3072 $mse -sha384

pss="-sigopt rsa_padding_mode:pss -sigopt"
self_signed pss-default rsa2048 $mse -sha256 -sigopt rsa_padding_mode:pss
self_signed pss-salt-32 rsa2048 $mse -sha256 $pss rsa_pss_saltlen:32
self_signed pss-salt-0 rsa2048 $mse -sha384 $pss rsa_pss_saltlen:0
self_signed pss-salt-190 rsa2048 $mse -sha512 $pss rsa_pss_saltlen:190
self_signed pss-sha1 rsa2048 $mse -sha1 $pss rsa_pss_saltlen:20
self_signed pss-key pss $mse -sha256

self_signed p256 p256 /DC=com/DC=example/OU=eng/OU=lab/CN=00-50-56-9C-34-89 \
    -addext 'subjectAltName=DNS:mse.example.com,IP:192.0.2.7,IP:2001:db8::7,email:noc@example.com,URI:urn:x,RID:1.2.3'
self_signed p384 p384 /CN=x-0050.569c.3489 -sha384
self_signed p521 p521 /CN=x-00:50:56:9c:34:89 -sha512
self_signed ed25519 ed25519 /CN=ed
self_signed two-macs p256 /CN=a-0050569c3489/CN=b-00146a1b3744
self_signed same-mac-twice p256 /CN=0050569c3489/CN=b-0050569c3489
self_signed utf8 p256 '/O=Exämple/CN=Zürich' -utf8

# Version 1: `openssl x509 -req` without extensions.
openssl req -new -key "$work/rsa1024" -subj $mse -out "$work/csr"
openssl x509 -req -in "$work/csr" -signkey "$work/rsa1024" -sha1 $days -out v1-rsa1024-sha1.pem 2>"$work/log"

issued forged-self-issued p256 $mse $mse other
issued lsc p256 /DC=com/DC=example/CN=ap-00146a1b3744 '/DC=com/DC=example/CN=Example CA' other
# A stand-in: only the issuer's name is Cisco's.
issued mic-by-name rsa2048 '/O=Cisco Systems/CN=C1130-00146a1b3744' '/O=Cisco Systems/CN=Cisco Manufacturing CA' other
issued mic-other-org rsa2048 '/O=Cisco Systems/CN=C1130-00146a1b3744' '/O=Elsewhere/CN=Cisco Manufacturing CA' other
