//! Keys that a server makes (RFC 7030 section 4.4): what a request says about their encryption, and the packages they
//! travel in.

mod attributes;
mod key_package;

pub use attributes::{
    ASYMMETRIC_DECRYPT_KEY_IDENTIFIER, DECRYPT_KEY_IDENTIFIER, KeyEncryptionWishes, SMIME_CAPABILITIES,
    asymmetric_decrypt_key_identifier, decrypt_key_identifier, smime_capabilities,
};
pub use key_package::{
    ID_ASYMMETRIC_KEY_PACKAGE, KeyPackage, encode_key_package, encrypt_key_package, open_key_package,
};
