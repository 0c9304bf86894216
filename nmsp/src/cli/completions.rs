//! `nmsp completions`: what shells complete commands with.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::failure::CliError;
use super::print;

#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
    bash:  nmsp completions bash > ~/.local/share/bash-completion/completions/nmsp\n\
    zsh:   nmsp completions zsh > ~/.zfunc/_nmsp        (with ~/.zfunc in fpath)\n\
    fish:  nmsp completions fish > ~/.config/fish/completions/nmsp.fish")]
pub(super) struct Arguments {
    /// The shell.
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut super::Arguments::command(),
        "nmsp",
        &mut script,
    );
    print(&String::from_utf8_lossy(&script))
}
