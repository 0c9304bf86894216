//! What the numbers in logs mean: of OpenSSL, libcurl, libest, Windows and AD CS.

pub mod curl;
pub mod libest;
pub mod openssl;
pub mod windows;
