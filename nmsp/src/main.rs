//! The `nmsp` command. Everything is in [`nmsp::cli`].

fn main() -> std::process::ExitCode {
    nmsp::cli::run()
}
