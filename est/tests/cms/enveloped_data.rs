//! Enveloped data.
