//! Values of the configuration that are possible each for itself and make no sense together. All are looked for before
//! a file is opened, so that a server does not start, or a reload goes through, with a rule that never applies.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::CliError;
use super::certsrv::CertsrvConfig;
use super::config::ServeConfig;
use super::label_config::{LabelConfig, Source};
use crate::auth::AuthenticationMethod;
use crate::auth::settings::AccountSettings;
use crate::exposition;

/// Looks for all of them.
pub(crate) fn contradictions(config: &ServeConfig) -> Result<(), CliError> {
    of_the_process(config)?;
    revocation_list_paths(config)?;
    certsrv(config)?;
    for label in config.all_labels() {
        accounts(label)?;
        texts(label)?;
        operations(config, label)?;
        methods(config, label)?;
    }
    Ok(())
}

fn of_the_process(config: &ServeConfig) -> Result<(), CliError> {
    let (server, place) = (&config.server, config.place());
    if let Some(address) = server.crl_listen {
        if config.all_labels().all(|label| label.crl_path.is_none()) {
            let problem = "no crl-path says which list is served there; add one, or take crl-listen out";
            return Err(place.wrong("crl-listen", problem));
        }
        if address == server.listen && address.port() != 0 {
            return Err(place.wrong(
                "crl-listen",
                "this is the address of listen; give it a port of its own",
            ));
        }
    }
    metrics_listener(config)?;
    if !server.client_revocation_lists.is_empty()
        && config
            .all_labels()
            .all(|label| label.client_trust_anchors.is_empty())
    {
        let problem = "no client certificate is accepted that could be on a list; add client-trust-anchors";
        return Err(place.wrong("client-revocation-lists", problem));
    }
    Ok(())
}

fn metrics_listener(config: &ServeConfig) -> Result<(), CliError> {
    let (server, place) = (&config.server, config.place());
    let Some(address) = server.metrics_listen else {
        if server.dangerous_metrics_any_address {
            let problem = "no metrics are served; add metrics-listen, or take this out";
            return Err(place.wrong("dangerous-metrics-any-address", problem));
        }
        return Ok(());
    };
    if address.port() != 0 && (address == server.listen || Some(address) == server.crl_listen) {
        let problem = "listen or crl-listen has this address; give it a port of its own";
        return Err(place.wrong("metrics-listen", problem));
    }
    if !exposition::only_this_machine_reaches(address) && !server.dangerous_metrics_any_address {
        let problem = "the metrics are served without authentication, and other machines can reach this address; listen on \
                       127.0.0.1 or ::1, or set dangerous-metrics-any-address";
        return Err(place.wrong("metrics-listen", problem));
    }
    Ok(())
}

fn revocation_list_paths(config: &ServeConfig) -> Result<(), CliError> {
    let mut served: HashMap<&str, Option<PathBuf>> = HashMap::new();
    for label in config.all_labels() {
        let Some(path) = &label.crl_path else { continue };
        let dir = match config.source_of(label)? {
            Source::Folder { dir, .. } => Some(dir.to_owned()),
            Source::Command(..) => {
                let problem = "an authority behind a command has no revocation list here; publish the list where the \
                               program makes it";
                return Err(label.place.wrong("crl-path", problem));
            }
            Source::Certsrv(..) => {
                let problem = "AD CS publishes its revocation list itself, where its certificates say";
                return Err(label.place.wrong("crl-path", problem));
            }
        };
        if served.insert(path, dir.clone()).is_some_and(|other| other != dir) {
            let problem = format!("{path} is the path of another authority's list already");
            return Err(label.place.wrong("crl-path", problem));
        }
    }
    Ok(())
}

/// Each table for itself, and no file of open requests for two of them.
fn certsrv(config: &ServeConfig) -> Result<(), CliError> {
    let mut files: Vec<(&Path, &CertsrvConfig)> = Vec::new();
    for label in config.all_labels() {
        let Some(given) = &label.certsrv else { continue };
        given.contradictions(&label.place)?;
        let Some(file) = given.open_requests() else {
            continue;
        };
        if files.iter().any(|(other, of)| *other == file && *of != given) {
            let problem =
                "another certsrv has this file already, and would overwrite it; give each a file of its own";
            return Err(label.place.wrong("certsrv.open-requests", problem));
        }
        files.push((file, given));
    }
    Ok(())
}

fn accounts(label: &LabelConfig) -> Result<(), CliError> {
    let place = &label.place;
    if label.ca_passphrase_file.is_some() && label.ca_dir.is_none() {
        let problem = "there is no ca-dir beside it whose key it could open";
        return Err(place.wrong("ca-passphrase-file", problem));
    }
    if label.certsrv_checks_passwords() {
        let in_accounts = label
            .accounts
            .as_ref()
            .is_some_and(|accounts| accounts.users.is_some());
        for (key, given) in [("users", label.users.is_some()), ("accounts.users", in_accounts)] {
            if given {
                let problem =
                    "passwords are checked by AD CS (certsrv.checks-passwords); keep one of the two";
                return Err(place.wrong(key, problem));
            }
        }
    }
    let Some(accounts) = &label.accounts else {
        return Ok(());
    };
    if label.users.is_some() && accounts.users.is_some() {
        let problem = "users stands beside [accounts] as well; keep one of the two";
        return Err(place.wrong("accounts.users", problem));
    }
    if accounts.digest_secrets.is_none() {
        let of_digest = [
            ("accounts.nonce-key", accounts.nonce_key.is_some()),
            ("accounts.nonce-lifetime", accounts.nonce_lifetime.is_some()),
            ("accounts.nonces-remembered", accounts.nonces_remembered.is_some()),
            ("accounts.dangerous-md5", accounts.dangerous_md5),
        ];
        if let Some((key, _)) = of_digest.into_iter().find(|(_, given)| *given) {
            let problem = "it means nothing without digest-secrets: Digest is not offered";
            return Err(place.wrong(key, problem));
        }
    }
    Ok(())
}

fn texts(label: &LabelConfig) -> Result<(), CliError> {
    let printable = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'))
    };
    if label.realm.as_deref().is_some_and(|realm| !printable(realm)) {
        let problem = "a realm is printable ASCII without quotes and backslashes, and not empty";
        return Err(label.place.wrong("realm", problem));
    }
    let layouts = label.base64_layout_for.iter().flatten();
    if let Some((number, _)) = layouts
        .enumerate()
        .find(|(_, layout)| layout.user_agent.is_empty())
    {
        let problem = "every User-Agent begins with nothing; give a beginning, or set base64-layout";
        return Err(label
            .place
            .wrong(&format!("base64-layout-for.{number}.user-agent"), problem));
    }
    Ok(())
}

fn operations(config: &ServeConfig, label: &LabelConfig) -> Result<(), CliError> {
    let place = &label.place;
    let elsewhere = match config.source_of(label)? {
        Source::Folder { .. } => None,
        Source::Command(..) => Some("an authority behind a command"),
        Source::Certsrv(..) => Some("web enrolment of AD CS"),
    };
    if let Some(asked) = &label.csr_attributes
        && asked.enforce
        && asked.entries.is_empty()
        && asked.template.is_none()
        && asked.base64.is_none()
    {
        return Err(place.wrong(
            "csr-attributes.enforce",
            "there are no entries and no template to enforce",
        ));
    }
    if let Some(keys) = &label.server_key_generation
        && keys.fixed_kind.is_none()
        && keys.kinds.as_ref().is_some_and(Vec::is_empty)
    {
        let problem = "no kind of key may be made; name some, or take [server-key-generation] out";
        return Err(place.wrong("server-key-generation.kinds", problem));
    }
    if let Some(cmc) = &label.full_cmc {
        for (one, other, given, missing) in [
            ("certificate", "key", cmc.certificate.is_some(), cmc.key.is_none()),
            ("key", "certificate", cmc.key.is_some(), cmc.certificate.is_none()),
        ] {
            if given && missing {
                let problem = format!(
                    "{one} and {other} go together; give both, or neither to sign with the certificate of the server"
                );
                return Err(place.wrong(&format!("full-cmc.{one}"), problem));
            }
        }
        if let Some(authority) = elsewhere
            && cmc.revocation == Some(true)
        {
            let problem = format!("{authority} revokes nothing");
            return Err(place.wrong("full-cmc.revocation", problem));
        }
    }
    Ok(())
}

/// A method that is asked for by name must be possible. The default, certificate or Basic, is no such demand.
fn methods(config: &ServeConfig, label: &LabelConfig) -> Result<(), CliError> {
    if label.authentication.require.is_none() {
        return Ok(());
    }
    let required = label.requirement()?;
    let known = if label.has_accounts() { label } else { &config.top };
    let file = |of: fn(&AccountSettings) -> &Option<PathBuf>| {
        known
            .accounts
            .as_ref()
            .is_some_and(|accounts| of(accounts).is_some())
    };
    let anchors = [&label.client_trust_anchors, &config.top.client_trust_anchors];
    for (method, possible, missing) in [
        (
            AuthenticationMethod::Certificate,
            anchors.iter().any(|anchors| !anchors.is_empty()),
            "client-trust-anchors",
        ),
        (
            AuthenticationMethod::Basic,
            known.users.is_some() || file(|accounts| &accounts.users) || known.certsrv_checks_passwords(),
            "users",
        ),
        (
            AuthenticationMethod::Digest,
            file(|accounts| &accounts.digest_secrets),
            "accounts.digest-secrets",
        ),
        (
            AuthenticationMethod::Bearer,
            file(|accounts| &accounts.bearer_tokens),
            "accounts.bearer-tokens",
        ),
    ] {
        if required.mentions(method) && !possible {
            let problem = format!("nobody can authenticate by {method}: there is no {missing}");
            return Err(label.place.wrong("authentication.require", problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::authorities::Authorities;

    const GOOD: &str =
        "listen = \"127.0.0.1:0\"\ncertificate = \"s.pem\"\nkey = \"s.key\"\nca-dir = \"ca\"\n";

    /// Behind [`GOOD`], which has four lines: what is added, the line at fault, its key.
    const NONSENSE: &[(&str, usize, &str)] = &[
        (
            "[policy.queue]\nwaits-days = 0\n",
            6,
            "policy.queue.waits-days: 0",
        ),
        (
            "[policy.queue]\npick-up-days = 0\n",
            6,
            "policy.queue.pick-up-days: 0",
        ),
        ("[policy.queue]\nretry-after = 0\n", 6, "policy.queue.retry-after"),
        (
            "[policy.queue]\nmax-entries = 0\n",
            6,
            "policy.queue.max-entries: 0",
        ),
        (
            "[policy.queue]\nmax-per-requester = 0\n",
            6,
            "policy.queue.max-per-requester: 0",
        ),
        (
            "[policy.queue]\nmax-entries = 2\nmax-per-requester = 3\n",
            7,
            "policy.queue.max-per-requester: 3",
        ),
        ("[policy]\nvalidity-days = 0\n", 6, "policy.validity-days"),
        ("[policy]\nmax-validity-days = 0\n", 6, "policy.max-validity-days"),
        (
            "[policy]\nvalidity-days = 90\nmax-validity-days = 30\n",
            6,
            "policy.validity-days",
        ),
        ("[policy]\nnot-after = \"soon\"\n", 6, "policy.not-after"),
        ("[policy]\nkeys = []\n", 6, "policy.keys"),
        ("[policy]\nmin-rsa-bits = 0\n", 6, "policy.min-rsa-bits"),
        (
            "[policy]\nmin-rsa-bits = 1024\n",
            6,
            "policy.min-rsa-bits: 1024 is less",
        ),
        ("[policy]\nmax-rsa-bits = 0\n", 6, "policy.max-rsa-bits: 0"),
        ("[policy]\nmax-rsa-bits = 99999\n", 6, "policy.max-rsa-bits"),
        (
            "[policy]\ndangerous-allow-rsa-1024 = true\n",
            6,
            "policy.dangerous-allow-rsa-1024",
        ),
        (
            "[policy]\nrequired-extensions = [\"1.2.3\"]\nforbidden-extensions = [\"1.2.3\"]\n",
            6,
            "policy.required-extensions",
        ),
        (
            "[policy.alternative-names]\nmax-names = 0\nrequired = true\n",
            7,
            "policy.alternative-names.required",
        ),
        (
            "[policy.alternative-names]\ndns = false\ndns-domains = [\"a.example\"]\n",
            7,
            "policy.alternative-names.dns-domains",
        ),
        ("[limits]\nconnections = 0\n", 6, "limits.connections: 0"),
        (
            "[limits]\nconnections-per-address = 0\n",
            6,
            "limits.connections-per-address: 0",
        ),
        ("[limits]\nhandshakes = 0\n", 6, "limits.handshakes: 0"),
        ("[limits]\nhandshake-time = 0.0\n", 6, "limits.handshake-time: 0"),
        ("[limits]\nheader-time = 0.0\n", 6, "limits.header-time: 0"),
        ("[limits]\nheader-size = 1\n", 6, "limits.header-size: 1"),
        ("[limits]\nheader-count = 0\n", 6, "limits.header-count: 0"),
        ("[limits]\nbody-time = 0.0\n", 6, "limits.body-time: 0"),
        ("[limits]\nanswer-time = 0.0\n", 6, "limits.answer-time: 0"),
        ("[limits]\nwrite-time = 0.0\n", 6, "limits.write-time: 0"),
        ("[limits]\nshutdown-time = 0.0\n", 6, "limits.shutdown-time: 0"),
        ("[limits]\nenroll-body = 0\n", 6, "limits.enroll-body: 0"),
        ("[limits]\ncmc-body = 0\n", 6, "limits.cmc-body: 0"),
        (
            "[limits]\nrequests-per-connection = 0\n",
            6,
            "limits.requests-per-connection: 0",
        ),
        ("[limits]\npassword-checks = 0\n", 6, "limits.password-checks: 0"),
        ("[login-failures]\nentries = 0\n", 6, "login-failures.entries"),
        (
            "[login-failures]\nper-user = { burst = 0, interval = 1.0 }\n",
            6,
            "login-failures.per-user",
        ),
        (
            "[accounts]\ndigest-secrets = \"d\"\nnonce-lifetime = 0.0\n",
            7,
            "accounts.nonce-lifetime",
        ),
        (
            "[accounts]\ndigest-secrets = \"d\"\nnonces-remembered = 0\n",
            7,
            "accounts.nonces-remembered",
        ),
        ("[accounts]\ndangerous-md5 = true\n", 6, "accounts.dangerous-md5"),
        ("users = \"u\"\n[accounts]\nusers = \"u\"\n", 7, "accounts.users"),
        ("crl-validity = 0.0\n", 5, "crl-validity"),
        ("crl-overlap = 0.0\n", 5, "crl-overlap"),
        ("crl-validity = 5.0\ncrl-overlap = 5.0\n", 6, "crl-overlap"),
        ("crl-listen = \"127.0.0.1:0\"\n", 5, "crl-listen"),
        (
            "crl-path = \"/x.crl\"\ncrl-listen = \"127.0.0.1:8086\"\nmetrics-listen = \"127.0.0.1:8086\"\n",
            7,
            "metrics-listen",
        ),
        ("metrics-listen = \"192.0.2.1:0\"\n", 5, "metrics-listen"),
        (
            "dangerous-metrics-any-address = true\n",
            5,
            "dangerous-metrics-any-address",
        ),
        (
            "client-revocation-lists = [\"x.crl\"]\n",
            5,
            "client-revocation-lists",
        ),
        ("realm = \"\"\n", 5, "realm"),
        (
            "[[base64-layout-for]]\nuser-agent = \"\"\nlayout = \"single-line\"\n",
            6,
            "user-agent",
        ),
        ("[csr-attributes]\nenforce = true\n", 6, "csr-attributes.enforce"),
        (
            "[server-key-generation]\nkinds = []\n",
            6,
            "server-key-generation.kinds",
        ),
        ("[full-cmc]\nkey = \"k\"\n", 6, "full-cmc.key"),
        (
            "[authentication]\nrequire = [\"digest\"]\n",
            6,
            "authentication.require",
        ),
        (
            "[authentication]\nrequire = [\"certificate\"]\n",
            6,
            "authentication.require",
        ),
        ("name = \"x\"\n", 5, "name"),
        (
            "[[label]]\nname = \"x\"\nca-passphrase-file = \"p\"\n",
            7,
            "label \"x\": ca-passphrase-file",
        ),
        (
            "[[label]]\nname = \"x\"\n[label.policy.queue]\nwaits-days = 0\n",
            8,
            "label \"x\": policy.queue.waits-days",
        ),
        (
            "[[label]]\nname = \"x\"\n[label.command]\nprogram = \"p\"\ncertificates = []\ntime = 9.0\n",
            10,
            "label \"x\": command.time",
        ),
        (
            "[[label]]\nname = \"x\"\n[label.command]\nprogram = \"p\"\ncertificates = []\nconcurrent = 0\n",
            10,
            "command.concurrent",
        ),
        (
            "[[label]]\nname = \"x\"\n[label.command]\nprogram = \"p\"\ncertificates = []\nretry-after = 0\n",
            10,
            "command.retry-after",
        ),
    ];

    /// Behind the seven keys of [`CERTSRV`], which end in line 11.
    const NONSENSE_OF_CERTSRV: &[(&str, &str)] = &[
        ("certificate = \"c.pem\"\n", "certsrv.certificate"),
        (
            "password-file = \"p\"\npassword-variable = \"P\"\n",
            "certsrv.password-variable",
        ),
        ("renewal = \"oldest\"\n", "certsrv.renewal"),
        ("login-time = 3.0\n", "certsrv.login-time"),
        (
            "wrong-logins = 0\nchecks-passwords = true\n",
            "certsrv.wrong-logins",
        ),
        ("answer-time = 9.5\n", "certsrv.answer-time"),
        (
            "answer-time = 6.0\nchecks-passwords = true\n",
            "certsrv.answer-time",
        ),
        ("connect-time = 0.0\n", "certsrv.connect-time"),
        ("connections = 0\n", "certsrv.connections"),
        ("pending-retry = 0\n", "certsrv.pending-retry"),
        ("rest = -1.0\n", "certsrv.rest"),
    ];

    const CERTSRV: &str = "[[label]]\nname = \"x\"\n[label.certsrv]\nurl = \"https://ca.example.com/certsrv\"\n\
                           template = \"CiscoRA\"\ntrust-anchors = [\"r.pem\"]\naccount = \"ra\"\n";

    #[cfg(feature = "adcs")]
    #[test]
    fn every_value_of_certsrv_that_makes_no_sense_is_told_with_file_line_and_key() {
        everything(&format!("{GOOD}{CERTSRV}")).unwrap();
        for (text, key) in NONSENSE_OF_CERTSRV {
            let error = everything(&format!("{GOOD}{CERTSRV}{text}"))
                .unwrap_err()
                .to_string();
            let found = ["est.toml:12: label \"x\": ", "est.toml:13: label \"x\": "];
            assert!(
                found.iter().any(|place| error.contains(&format!("{place}{key}"))),
                "{text:?}: {error}"
            );
        }
        let without = |key: &str| {
            let kept: Vec<&str> = CERTSRV.lines().filter(|line| !line.starts_with(key)).collect();
            everything(&format!("{GOOD}{}\n", kept.join("\n")))
                .unwrap_err()
                .to_string()
        };
        assert!(without("account").contains("est.toml:7: label \"x\": certsrv.account"));
        assert!(without("url").contains("missing field `url`"));
        let policy = format!("{GOOD}{CERTSRV}[label.policy]\nvalidity-days = 3\n");
        let config = ServeConfig::parse("est.toml", &policy).unwrap();
        let label = &config.labels[0];
        let source = config.source_of(label).unwrap();
        let refused = Authorities::default().authority(source, label, config.limits().unwrap().answer_time);
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("policy: AD CS decides"), "{error}");
    }

    #[cfg(not(feature = "adcs"))]
    #[test]
    fn a_program_without_the_feature_says_so() {
        assert!(!NONSENSE_OF_CERTSRV.is_empty());
        let error = everything(&format!("{GOOD}{CERTSRV}")).unwrap_err().to_string();
        assert!(
            error.contains("est.toml:7: label \"x\": certsrv") && error.contains("feature adcs"),
            "{error}"
        );
        assert!(error.contains("--features cli,adcs"), "{error}");
    }

    #[cfg(feature = "adcs")]
    #[test]
    fn the_configuration_in_the_guide_is_good() {
        let guide = include_str!("../../../docs/registration-authority.md");
        let (_, rest) = guide.split_once("```toml\n").unwrap();
        let (text, _) = rest.split_once("```").unwrap();
        everything(text).unwrap();
        let config = ServeConfig::parse("est.toml", text).unwrap();
        assert!(matches!(config.source(), Ok(Source::Certsrv(..))));
        assert!(config.top.certsrv_checks_passwords());
    }

    #[test]
    fn two_tables_do_not_share_a_file_of_open_requests() {
        let file = "open-requests = \"open\"\n";
        let other = CERTSRV.replace("\"x\"", "\"y\"");
        let text = format!("{GOOD}{CERTSRV}{file}{other}{file}");
        contradictions(&ServeConfig::parse("est.toml", &text).unwrap()).unwrap();
        let other = other.replace("CiscoRA", "Other");
        let text = format!("{GOOD}{CERTSRV}{file}{other}{file}");
        let error = contradictions(&ServeConfig::parse("est.toml", &text).unwrap()).unwrap_err();
        assert!(
            error.to_string().contains("label \"y\": certsrv.open-requests"),
            "{error}"
        );
    }

    /// All checks that need no other file.
    fn everything(text: &str) -> Result<(), CliError> {
        let config = ServeConfig::parse("est.toml", text)?;
        contradictions(&config)?;
        config.crl_settings()?;
        let limits = config.limits()?;
        config.all_labels().try_for_each(|label| {
            label.policy()?;
            config.label_settings(label)?;
            if let Some(command) = &label.command {
                command.settings(&label.place, limits.answer_time)?;
            }
            if let Some(certsrv) = &label.certsrv {
                return certsrv.check(&label.place, limits.answer_time);
            }
            Authorities::default().accounts(label).map(drop)
        })
    }

    #[test]
    fn every_value_that_makes_no_sense_is_told_with_file_line_and_key() {
        everything(GOOD).unwrap();
        for (text, line, key) in NONSENSE {
            let error = everything(&format!("{GOOD}{text}")).unwrap_err().to_string();
            let place = format!("est.toml:{line}: ");
            assert!(error.contains(&place) && error.contains(key), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_program_without_a_time_has_a_second_less_than_the_answer() {
        for (answer_time, expected) in [("9.0", 8.0), ("60.0", 8.0), ("4.0", 3.0), ("1.0", 0.5)] {
            let text = format!(
                "{GOOD}[limits]\nanswer-time = {answer_time}\n[[label]]\nname = \"x\"\n[label.command]\n\
                 program = \"p\"\ncertificates = []\n"
            );
            let config = ServeConfig::parse("est.toml", &text).unwrap();
            let (label, limits) = (&config.labels[0], config.limits().unwrap());
            let command = label.command.as_ref().unwrap();
            let settings = command.settings(&label.place, limits.answer_time).unwrap();
            assert_eq!(settings.time.as_secs_f64(), expected, "{answer_time}");
        }
    }
}
