//! The `est` command.

use std::process::ExitCode;

// A password check takes 19 MiB for some milliseconds. The allocator of glibc keeps that memory after the second time,
// once for each thread that checks; this one gives it back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    est::cli::main()
}
