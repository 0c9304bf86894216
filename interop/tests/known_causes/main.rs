//! Every public error says where on the ladder it stands, and the same failure has the same name whoever tells it.

mod names;
mod sources;
