//! Enveloped data (RFC 5652 section 6).
