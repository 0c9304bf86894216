//! `est user`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use pki_common::identity::write_private;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::CliError;
use super::files::{print, read_password};
use super::report::{Output, with};
use crate::auth::digest::{DigestAlgorithm, DigestSecrets};
use crate::auth::{BearerTokens, Users};

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user, or give an existing one a new password, in each file that is named.
    Add(AddArguments),
    /// Remove a user, with all secrets and tokens, from each file that is named.
    Remove {
        #[command(flatten)]
        files: UserFiles,
        /// The user name.
        name: String,
    },
    /// List the users of each file that is named.
    List {
        #[command(flatten)]
        files: UserFiles,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddArguments {
    #[command(flatten)]
    files: UserFiles,
    /// Read the password, for --users and --digest, from the first line of the standard input. There is no other way:
    /// arguments and environment can be read by others.
    #[arg(long)]
    password_stdin: bool,
    /// The realm that the Digest secret is good for; it must be that of the server.
    #[arg(long, default_value = "EST", requires = "digest")]
    realm: String,
    /// Write a Digest secret for MD5 too, for clients that know nothing better. It gives the password away more cheaply
    /// than the others when the file is stolen.
    #[arg(long, requires = "digest")]
    dangerous_md5: bool,
    /// Days after which the new bearer token expires; never by default.
    #[arg(long, requires = "bearer", value_parser = clap::value_parser!(u32).range(1..=36500))]
    days: Option<u32>,
    /// The user name.
    name: String,
}

/// The files of a server's accounts. They are made when they are missing, readable by their owner only.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct UserFiles {
    /// The file of argon2 hashes, for HTTP Basic.
    #[arg(long)]
    users: Option<PathBuf>,
    /// The file of secrets for HTTP Digest, in the form of Apache's htdigest.
    #[arg(long)]
    digest: Option<PathBuf>,
    /// The file of bearer tokens, which holds their hashes only. `add` makes a new token and prints it once.
    #[arg(long)]
    bearer: Option<PathBuf>,
}

pub(crate) fn run(command: UserCommand, output: Output) -> Result<ExitCode, CliError> {
    match command {
        UserCommand::Add(arguments) => add(&arguments, output)?,
        UserCommand::Remove { files, name } => return remove(&files, &name, output),
        UserCommand::List { files } => list(&files, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn add(arguments: &AddArguments, output: Output) -> Result<(), CliError> {
    let AddArguments { files, name, .. } = arguments;
    let wants_password = files.users.is_some() || files.digest.is_some();
    if wants_password != arguments.password_stdin {
        return Err(CliError::local(
            "--password-stdin goes with --users and --digest, and only with them".to_owned(),
            "Give a password on the standard input with --password-stdin, or only --bearer without it.",
        ));
    }
    let refused = |error: &dyn core::fmt::Display| {
        CliError::local(
            format!("the user {name:?} cannot be added: {error}"),
            "Choose another name, password or realm.",
        )
    };
    if wants_password {
        add_password(arguments, output, &refused)?;
    }
    if let Some(path) = &files.bearer {
        let mut tokens = load_tokens(path)?;
        let days = arguments.days.map(|days| time::Duration::days(i64::from(days)));
        let expiry = days.and_then(|days| OffsetDateTime::now_utc().checked_add(days));
        let expiry = expiry.and_then(|expiry| expiry.replace_nanosecond(0).ok());
        let token = tokens.issue(name, expiry).map_err(|error| refused(&error))?;
        write_private(path, tokens.to_text().as_bytes())?;
        // The only time it is shown; the file has its hash.
        if output.is_json() {
            let object = with(entry(name, "bearer", path, "added"), "token", token.as_str());
            print(&object.to_string())?;
        } else {
            print(token.as_str())?;
        }
    }
    Ok(())
}

/// What was done to a file.
fn entry(name: &str, method: &str, path: &Path, done: &str) -> serde_json::Value {
    json!({ "user": name, "method": method, "file": path, "done": done })
}

fn add_password(
    arguments: &AddArguments,
    output: Output,
    refused: &dyn Fn(&dyn core::fmt::Display) -> CliError,
) -> Result<(), CliError> {
    let AddArguments { files, name, .. } = arguments;
    let password = read_password(Path::new("-"))?;
    // Every file is read before one is written.
    let users = files.users.as_deref().map(load_users).transpose()?;
    let secrets = files.digest.as_deref().map(load_secrets).transpose()?;
    if let (Some(path), Some(mut users)) = (&files.users, users) {
        let known = users.contains(name);
        users
            .set_password(name, &password)
            .map_err(|error| refused(&error))?;
        write_private(path, users.to_text().as_bytes())?;
        let done = if known { "has a new password" } else { "added" };
        let text = format!("user {name} {done}, {} in {}", users.len(), path.display());
        let done = if known { "changed" } else { "added" };
        output.print(&text, &entry(name, "basic", path, done))?;
    }
    if let (Some(path), Some(mut secrets)) = (&files.digest, secrets) {
        let md5 = arguments.dangerous_md5.then_some(DigestAlgorithm::Md5);
        for algorithm in [DigestAlgorithm::Sha256].into_iter().chain(md5) {
            secrets
                .set_password(name, &arguments.realm, &password, algorithm)
                .map_err(|error| refused(&error))?;
        }
        write_private(path, secrets.to_text().as_bytes())?;
        let text = format!(
            "user {name} has a Digest secret for the realm {:?} in {}",
            arguments.realm,
            path.display()
        );
        output.print(&text, &entry(name, "digest", path, "added"))?;
    }
    Ok(())
}

/// Fails when the name is in none of the files, so that a mistyped name does not pass for a removed one.
fn remove(files: &UserFiles, name: &str, output: Output) -> Result<ExitCode, CliError> {
    let mut found = false;
    if let Some(path) = &files.users {
        let mut users = load_users(path)?;
        if users.remove(name) {
            found = true;
            write_private(path, users.to_text().as_bytes())?;
            let text = format!("user {name} removed from {}", path.display());
            output.print(&text, &entry(name, "basic", path, "removed"))?;
        }
    }
    if let Some(path) = &files.digest {
        let mut secrets = load_secrets(path)?;
        if secrets.remove(name) {
            found = true;
            write_private(path, secrets.to_text().as_bytes())?;
            let text = format!("Digest secrets of {name} removed from {}", path.display());
            output.print(&text, &entry(name, "digest", path, "removed"))?;
        }
    }
    if let Some(path) = &files.bearer {
        let mut tokens = load_tokens(path)?;
        let removed = tokens.remove(name);
        if removed > 0 {
            found = true;
            write_private(path, tokens.to_text().as_bytes())?;
            let text = format!("{removed} tokens of {name} removed from {}", path.display());
            output.print(&text, &entry(name, "bearer", path, "removed"))?;
        }
    }
    if found {
        return Ok(ExitCode::SUCCESS);
    }
    Err(CliError::local(
        format!("there is no user {name:?}"),
        "Look at `est user list`; names are compared byte for byte.",
    ))
}

fn list(files: &UserFiles, output: Output) -> Result<(), CliError> {
    if let Some(path) = &files.users {
        for name in load_users(path)?.names() {
            output.print(
                &format!("{name}\tbasic"),
                &json!({ "user": name, "method": "basic" }),
            )?;
        }
    }
    if let Some(path) = &files.digest {
        for (name, realm, algorithm) in load_secrets(path)?.iter() {
            let object = json!({
                "user": name, "method": "digest", "algorithm": algorithm.to_string(), "realm": realm,
            });
            output.print(&format!("{name}\tdigest\t{algorithm}\trealm {realm}"), &object)?;
        }
    }
    if let Some(path) = &files.bearer {
        for (name, expiry) in load_tokens(path)?.list() {
            let expiry = expiry.and_then(|expiry| expiry.format(&Rfc3339).ok());
            let object = json!({ "user": name, "method": "bearer", "expires": expiry });
            let expiry = expiry.as_deref().unwrap_or("never");
            output.print(&format!("{name}\tbearer\texpires {expiry}"), &object)?;
        }
    }
    Ok(())
}

fn load_users(path: &Path) -> Result<Users, CliError> {
    if path.exists() {
        return Ok(Users::load(path)?);
    }
    Ok(Users::new())
}

fn load_secrets(path: &Path) -> Result<DigestSecrets, CliError> {
    if path.exists() {
        return Ok(DigestSecrets::load(path)?);
    }
    Ok(DigestSecrets::new())
}

fn load_tokens(path: &Path) -> Result<BearerTokens, CliError> {
    if path.exists() {
        return Ok(BearerTokens::load(path)?);
    }
    Ok(BearerTokens::new())
}
