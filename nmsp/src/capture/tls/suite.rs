//! The cipher suites that captures are decrypted with.

/// How the records of a suite are protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bulk {
    Aes128Gcm,
    Aes256Gcm,
    ChaCha20Poly1305,
    Aes128Cbc(Mac),
    Aes256Cbc(Mac),
}

/// The HMAC of a CBC suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mac {
    Sha1,
    Sha256,
    Sha384,
}

impl Mac {
    pub(super) const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// The hash that keys are derived with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
}

/// A cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Suite {
    /// The name in the registry of IANA.
    pub(super) name: &'static str,
    pub(super) bulk: Bulk,
    pub(super) hash: Hash,
}

impl Bulk {
    pub(super) const fn key_length(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Cbc(_) => 16,
            Self::Aes256Gcm | Self::Aes256Cbc(_) | Self::ChaCha20Poly1305 => 32,
        }
    }

    pub(super) const fn mac(self) -> Option<Mac> {
        match self {
            Self::Aes128Cbc(mac) | Self::Aes256Cbc(mac) => Some(mac),
            _ => None,
        }
    }
}

/// Number, name, protection and hash, in the order of the numbers.
macro_rules! suites {
    ($($number:literal $name:literal $bulk:expr, $hash:ident;)+) => {
        /// The suite with a number of the registry; `None` if it is not supported.
        pub(super) const fn suite(number: u16) -> Option<Suite> {
            use Bulk::{Aes128Cbc, Aes128Gcm, Aes256Cbc, Aes256Gcm, ChaCha20Poly1305};
            match number {
                $($number => Some(Suite { name: $name, bulk: $bulk, hash: Hash::$hash }),)+
                _ => None,
            }
        }
    };
}

suites! {
    0x002f "TLS_RSA_WITH_AES_128_CBC_SHA" Aes128Cbc(Mac::Sha1), Sha256;
    0x0033 "TLS_DHE_RSA_WITH_AES_128_CBC_SHA" Aes128Cbc(Mac::Sha1), Sha256;
    0x0035 "TLS_RSA_WITH_AES_256_CBC_SHA" Aes256Cbc(Mac::Sha1), Sha256;
    0x0039 "TLS_DHE_RSA_WITH_AES_256_CBC_SHA" Aes256Cbc(Mac::Sha1), Sha256;
    0x003c "TLS_RSA_WITH_AES_128_CBC_SHA256" Aes128Cbc(Mac::Sha256), Sha256;
    0x003d "TLS_RSA_WITH_AES_256_CBC_SHA256" Aes256Cbc(Mac::Sha256), Sha256;
    0x0067 "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256" Aes128Cbc(Mac::Sha256), Sha256;
    0x006b "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256" Aes256Cbc(Mac::Sha256), Sha256;
    0x009c "TLS_RSA_WITH_AES_128_GCM_SHA256" Aes128Gcm, Sha256;
    0x009d "TLS_RSA_WITH_AES_256_GCM_SHA384" Aes256Gcm, Sha384;
    0x009e "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256" Aes128Gcm, Sha256;
    0x009f "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384" Aes256Gcm, Sha384;
    0x1301 "TLS_AES_128_GCM_SHA256" Aes128Gcm, Sha256;
    0x1302 "TLS_AES_256_GCM_SHA384" Aes256Gcm, Sha384;
    0x1303 "TLS_CHACHA20_POLY1305_SHA256" ChaCha20Poly1305, Sha256;
    0xc009 "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA" Aes128Cbc(Mac::Sha1), Sha256;
    0xc00a "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA" Aes256Cbc(Mac::Sha1), Sha256;
    0xc013 "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA" Aes128Cbc(Mac::Sha1), Sha256;
    0xc014 "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA" Aes256Cbc(Mac::Sha1), Sha256;
    0xc023 "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256" Aes128Cbc(Mac::Sha256), Sha256;
    0xc024 "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384" Aes256Cbc(Mac::Sha384), Sha384;
    0xc027 "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256" Aes128Cbc(Mac::Sha256), Sha256;
    0xc028 "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384" Aes256Cbc(Mac::Sha384), Sha384;
    0xc02b "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" Aes128Gcm, Sha256;
    0xc02c "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" Aes256Gcm, Sha384;
    0xc02f "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" Aes128Gcm, Sha256;
    0xc030 "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" Aes256Gcm, Sha384;
    0xcca8 "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" ChaCha20Poly1305, Sha256;
    0xcca9 "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" ChaCha20Poly1305, Sha256;
    0xccaa "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256" ChaCha20Poly1305, Sha256;
}
