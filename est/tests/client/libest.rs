//! libest's own server, when it is installed.
