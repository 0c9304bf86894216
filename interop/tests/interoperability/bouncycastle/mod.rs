//! BouncyCastle's EST client against our server, by the program in `interop/peers/bouncycastle`.

mod authentication;
mod operations;
mod program;

use crate::case::Peer;

pub(crate) fn peer() -> Peer {
    Peer {
        name: "bouncycastle",
        about: "EST client in Java (`org.bouncycastle.est`), with its own TLS and with Java's",
        find: program::version,
        cases: operations::cases()
            .into_iter()
            .chain(authentication::cases())
            .collect(),
    }
}
