//! A policy as a configuration file has it.

use std::time::Duration;

use const_oid::ObjectIdentifier;
use pki_common::{Diagnose, Failure, Rung};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::added::KEY_PLACE;
use super::{
    Approval, ApprovalSettings, DEFAULT_MAX_RSA_BITS, DEFAULT_MIN_RSA_BITS, ID_KP_CLIENT_AUTH,
    ID_KP_SERVER_AUTH, IssuancePolicy, KeyPolicy, RequesterRule, Template, UnlistedExtensions,
};

/// A policy as a configuration file has it: what is left out is as in the template, an unknown key is an error.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(feature = "cli")] {
/// let config: est::ca::policy::PolicyConfig = toml::from_str(r#"
///     template = "server"               # client, server, client-and-server
///     validity-days = 90
///     max-validity-days = 398
///     not-after = "2030-01-01T00:00:00Z"
///     keys = ["ec-p256", "ec-p384", "ed25519", "rsa"]    # also: ec-p521, rsa-pss
///     min-rsa-bits = 3072
///     extended-key-usages = ["serverAuth", "1.3.6.1.5.5.7.3.17"]
///     copied-extensions = ["1.3.6.1.5.5.7.1.24"]
///     required-extensions = ["2.5.29.17"]
///     forbidden-extensions = ["1.3.6.1.4.1.311.20.2"]
///     forbidden-attributes = ["1.2.840.113549.1.9.2"]    # in the subject or beside it
///     drop-unlisted-extensions = false
///     crl-distribution-points = ["http://est.example/ca.crl"]
///     ca-issuers = ["http://est.example/ca.cer"]
///     certificate-policies = ["1.3.6.1.4.1.32473.1"]
///     requester = "any-name"            # anyone, common-name, any-name
///     approval = "operator"             # automatic, operator
///
///     [alternative-names]
///     dns-domains = ["example.com"]
///     ip-networks = ["192.0.2.0/24"]
///
///     [queue]
///     retry-after = 60                  # seconds
///     waits-days = 7
/// "#)?;
/// let policy = config.policy()?;
/// assert_eq!(policy.key.min_rsa_bits, 3072);
/// # }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct PolicyConfig {
    template: Option<Template>,
    validity_days: Option<u32>,
    max_validity_days: Option<u32>,
    not_after: Option<String>,
    keys: Option<Vec<String>>,
    min_rsa_bits: Option<usize>,
    max_rsa_bits: Option<usize>,
    dangerous_allow_rsa_1024: bool,
    allow_empty_subject: Option<bool>,
    extended_key_usages: Option<Vec<String>>,
    copied_extensions: Vec<String>,
    required_extensions: Vec<String>,
    forbidden_extensions: Vec<String>,
    forbidden_attributes: Vec<String>,
    drop_unlisted_extensions: bool,
    crl_distribution_points: Vec<String>,
    ca_issuers: Vec<String>,
    ocsp: Vec<String>,
    certificate_policies: Vec<String>,
    requester: RequesterRule,
    approval: ApprovalConfig,
    alternative_names: AlternativeNames,
    queue: Queue,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ApprovalConfig {
    #[default]
    Automatic,
    Operator,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct AlternativeNames {
    dns: Option<bool>,
    dns_wildcards: Option<bool>,
    ip: Option<bool>,
    email: Option<bool>,
    uri: Option<bool>,
    other_name: Option<bool>,
    directory_name: Option<bool>,
    max_names: Option<usize>,
    required: Option<bool>,
    dns_domains: Vec<String>,
    ip_networks: Vec<String>,
    email_domains: Vec<String>,
    uri_prefixes: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Queue {
    retry_after: Option<u32>,
    waits_days: Option<u32>,
    pick_up_days: Option<u32>,
    max_entries: Option<u32>,
    max_per_requester: Option<u32>,
    reenroll_at_once: bool,
}

/// A policy that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("policy.{key}: {problem}")]
pub struct PolicyConfigError {
    /// The key, as the file has it.
    pub key: &'static str,
    /// What is wrong with its value.
    pub problem: String,
}

impl PolicyConfigError {
    fn new(key: &'static str, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { key, problem }
    }
}

impl Diagnose for PolicyConfigError {
    fn diagnose(&self) -> Failure {
        let remedy = "Correct the value in the configuration file.";
        Failure::new(Rung::Local, self.to_string(), remedy)
    }
}

impl PolicyConfig {
    /// The policy.
    ///
    /// # Errors
    /// [`PolicyConfigError`] for a value that makes no sense.
    pub fn policy(&self) -> Result<IssuancePolicy, PolicyConfigError> {
        let mut policy = IssuancePolicy::of(self.template.unwrap_or(Template::ClientAndServer));
        self.keys(&mut policy)?;
        self.validity(&mut policy)?;
        self.extensions(&mut policy)?;
        self.alternative_names.apply(&mut policy)?;
        if let Some(allow) = self.allow_empty_subject {
            policy.subject.allow_empty = allow;
        }
        policy.requester = self.requester;
        // Checked also where it is not used yet.
        let queue = self.queue.settings()?;
        policy.approval = match self.approval {
            ApprovalConfig::Automatic => Approval::Automatic,
            ApprovalConfig::Operator => Approval::Operator(queue),
        };
        Ok(policy)
    }

    fn keys(&self, policy: &mut IssuancePolicy) -> Result<(), PolicyConfigError> {
        let rules = &mut policy.key;
        if let Some(keys) = &self.keys {
            let mut flags = [
                ("ec-p256", &mut rules.ec_p256),
                ("ec-p384", &mut rules.ec_p384),
                ("ec-p521", &mut rules.ec_p521),
                ("ed25519", &mut rules.ed25519),
                ("rsa", &mut rules.rsa),
                ("rsa-pss", &mut rules.rsa_pss),
            ];
            for (name, flag) in &mut flags {
                **flag = keys.iter().any(|key| key == name);
            }
            if keys.is_empty() {
                return Err(PolicyConfigError::new(
                    "keys",
                    "without a kind of key, nothing can be issued",
                ));
            }
            if let Some(unknown) = keys.iter().find(|key| flags.iter().all(|(name, _)| name != key)) {
                let known: Vec<&str> = flags.iter().map(|(name, _)| *name).collect();
                let problem = format!("{unknown:?} is no kind of key; there are {}", known.join(", "));
                return Err(PolicyConfigError { key: "keys", problem });
            }
        }
        rules.min_rsa_bits = self.min_rsa_bits.unwrap_or(rules.min_rsa_bits);
        rules.max_rsa_bits = self.max_rsa_bits.unwrap_or(rules.max_rsa_bits);
        rules.dangerous_allow_rsa_1024 = self.dangerous_allow_rsa_1024;
        self.check_rsa_bits(rules)
    }

    fn check_rsa_bits(&self, rules: &KeyPolicy) -> Result<(), PolicyConfigError> {
        if rules.min_rsa_bits > rules.max_rsa_bits {
            let (least, most) = (rules.min_rsa_bits, rules.max_rsa_bits);
            return Err(if self.min_rsa_bits.is_some() {
                PolicyConfigError::new(
                    "min-rsa-bits",
                    format!("{least} is more than max-rsa-bits, {most}"),
                )
            } else {
                PolicyConfigError::new(
                    "max-rsa-bits",
                    format!("{most} is less than min-rsa-bits, {least}"),
                )
            });
        }
        let least = if rules.dangerous_allow_rsa_1024 {
            1024
        } else {
            DEFAULT_MIN_RSA_BITS
        };
        if rules.min_rsa_bits < least {
            let problem = format!(
                "{} is less than {least}, below which no RSA key is certified; dangerous-allow-rsa-1024 = true goes \
                 down to 1024",
                rules.min_rsa_bits
            );
            return Err(PolicyConfigError::new("min-rsa-bits", problem));
        }
        if rules.dangerous_allow_rsa_1024 && rules.min_rsa_bits >= DEFAULT_MIN_RSA_BITS {
            let problem = "it has no effect without a min-rsa-bits below 2048; lower that, or leave this out";
            return Err(PolicyConfigError::new("dangerous-allow-rsa-1024", problem));
        }
        if rules.max_rsa_bits > DEFAULT_MAX_RSA_BITS {
            let problem = format!("no longer RSA key than {DEFAULT_MAX_RSA_BITS} bits can be verified");
            return Err(PolicyConfigError::new("max-rsa-bits", problem));
        }
        Ok(())
    }

    fn validity(&self, policy: &mut IssuancePolicy) -> Result<(), PolicyConfigError> {
        let rules = &mut policy.validity;
        if let Some(validity) = positive_days("validity-days", self.validity_days)? {
            rules.validity = validity;
        }
        rules.maximum = positive_days("max-validity-days", self.max_validity_days)?;
        if self.validity_days.is_some() && rules.maximum.is_some_and(|maximum| rules.validity > maximum) {
            let problem =
                "it is more than max-validity-days, which would cut it; lower the one or raise the other";
            return Err(PolicyConfigError::new("validity-days", problem));
        }
        if let Some(text) = &self.not_after {
            let wrong = || PolicyConfigError {
                key: "not-after",
                problem: format!("{text:?} is no time; write it like 2030-01-01T00:00:00Z"),
            };
            let end = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wrong())?;
            rules.latest_end = Some(u64::try_from(end.unix_timestamp()).map_err(|_| wrong())?);
        }
        Ok(())
    }

    fn extensions(&self, policy: &mut IssuancePolicy) -> Result<(), PolicyConfigError> {
        let rules = &mut policy.extensions;
        if let Some(usages) = &self.extended_key_usages {
            rules.extended_key_usages = identifiers("extended-key-usages", usages)?;
        }
        rules.copied = identifiers("copied-extensions", &self.copied_extensions)?;
        rules.required = identifiers("required-extensions", &self.required_extensions)?;
        rules.forbidden = identifiers("forbidden-extensions", &self.forbidden_extensions)?;
        policy.attributes.forbidden = identifiers("forbidden-attributes", &self.forbidden_attributes)?;
        let rules = &mut policy.extensions;
        if let Some(both) = rules.required.iter().find(|oid| rules.forbidden.contains(oid)) {
            let problem = format!("{both} is forbidden as well: nothing could be issued");
            return Err(PolicyConfigError {
                key: "required-extensions",
                problem,
            });
        }
        if self.drop_unlisted_extensions {
            rules.unlisted = UnlistedExtensions::Drop;
        }
        let added = &mut policy.added;
        added.crl_distribution_points = uris("crl-distribution-points", &self.crl_distribution_points)?;
        added.ca_issuers = uris("ca-issuers", &self.ca_issuers)?;
        added.ocsp = uris("ocsp", &self.ocsp)?;
        added.certificate_policies = identifiers("certificate-policies", &self.certificate_policies)?;
        Ok(())
    }
}

impl AlternativeNames {
    fn apply(&self, policy: &mut IssuancePolicy) -> Result<(), PolicyConfigError> {
        let rules = &mut policy.alternative_names;
        for (given, rule) in [
            (self.dns, &mut rules.dns),
            (self.dns_wildcards, &mut rules.dns_wildcards),
            (self.ip, &mut rules.ip),
            (self.email, &mut rules.email),
            (self.uri, &mut rules.uri),
            (self.other_name, &mut rules.other_name),
            (self.directory_name, &mut rules.directory_name),
            (self.required, &mut rules.required),
        ] {
            *rule = given.unwrap_or(*rule);
        }
        rules.max_names = self.max_names.unwrap_or(rules.max_names);
        self.check_that_rules_apply()?;
        let any_kind =
            rules.dns || rules.ip || rules.email || rules.uri || rules.other_name || rules.directory_name;
        if rules.required && (rules.max_names == 0 || !any_kind) {
            let problem = "a name is required, and none is certified: nothing could be issued";
            return Err(PolicyConfigError::new("alternative-names.required", problem));
        }
        rules.dns_domains.clone_from(&self.dns_domains);
        rules.email_domains.clone_from(&self.email_domains);
        rules.uri_prefixes.clone_from(&self.uri_prefixes);
        rules.ip_networks = self
            .ip_networks
            .iter()
            .map(|text| {
                text.parse()
                    .map_err(|error: super::IpNetworkError| PolicyConfigError {
                        key: "alternative-names.ip-networks",
                        problem: error.to_string(),
                    })
            })
            .collect::<Result<_, _>>()?;
        Ok(())
    }
}

impl AlternativeNames {
    /// A rule for names of a kind that is switched off never applies.
    fn check_that_rules_apply(&self) -> Result<(), PolicyConfigError> {
        let off = |kind: Option<bool>| kind == Some(false);
        for (never, key) in [
            (
                off(self.dns) && !self.dns_domains.is_empty(),
                "alternative-names.dns-domains",
            ),
            (
                off(self.dns) && self.dns_wildcards == Some(true),
                "alternative-names.dns-wildcards",
            ),
            (
                off(self.ip) && !self.ip_networks.is_empty(),
                "alternative-names.ip-networks",
            ),
            (
                off(self.email) && !self.email_domains.is_empty(),
                "alternative-names.email-domains",
            ),
            (
                off(self.uri) && !self.uri_prefixes.is_empty(),
                "alternative-names.uri-prefixes",
            ),
        ] {
            if never {
                let problem = "names of this kind are switched off beside it; keep one of the two";
                return Err(PolicyConfigError::new(key, problem));
            }
        }
        Ok(())
    }
}

impl Queue {
    fn settings(&self) -> Result<ApprovalSettings, PolicyConfigError> {
        for (value, key, problem) in [
            (
                self.retry_after,
                "queue.retry-after",
                "with 0 s, clients ask again without pause; give at least 1",
            ),
            (
                self.waits_days,
                "queue.waits-days",
                "0 leaves no time for a decision; give at least 1 day",
            ),
            (
                self.pick_up_days,
                "queue.pick-up-days",
                "0 leaves no time to fetch a certificate; give at least 1 day",
            ),
            (
                self.max_entries,
                "queue.max-entries",
                "0 leaves no room for a request; give at least 1",
            ),
            (
                self.max_per_requester,
                "queue.max-per-requester",
                "0 leaves no room for a request; give at least 1",
            ),
        ] {
            if value == Some(0) {
                return Err(PolicyConfigError::new(key, problem));
            }
        }
        if let (Some(all), Some(one)) = (self.max_entries, self.max_per_requester)
            && one > all
        {
            let problem = format!("{one} is more than max-entries, {all}, leaves room for");
            return Err(PolicyConfigError::new("queue.max-per-requester", problem));
        }
        let usual = ApprovalSettings::default();
        let days = |days: u32| Duration::from_secs(u64::from(days) * 86_400);
        Ok(ApprovalSettings {
            retry_after: self
                .retry_after
                .map_or(usual.retry_after, |seconds| Duration::from_secs(seconds.into())),
            waits: self.waits_days.map_or(usual.waits, days),
            pick_up: self.pick_up_days.map_or(usual.pick_up, days),
            max_entries: self.max_entries.unwrap_or(usual.max_entries),
            max_per_requester: self.max_per_requester.unwrap_or(usual.max_per_requester),
            reenroll_at_once: self.reenroll_at_once,
        })
    }
}

fn positive_days(key: &'static str, days: Option<u32>) -> Result<Option<Duration>, PolicyConfigError> {
    match days {
        Some(0) => Err(PolicyConfigError {
            key,
            problem: "0 makes certificates that are over when they arrive; give at least 1 day".to_owned(),
        }),
        Some(days) => Ok(Some(Duration::from_secs(u64::from(days) * 86_400))),
        None => Ok(None),
    }
}

/// Object identifiers, in dotted numbers or, for the two usual key purposes, by name.
fn identifiers(key: &'static str, texts: &[String]) -> Result<Vec<ObjectIdentifier>, PolicyConfigError> {
    texts
        .iter()
        .map(|text| match text.as_str() {
            "clientAuth" => Ok(ID_KP_CLIENT_AUTH),
            "serverAuth" => Ok(ID_KP_SERVER_AUTH),
            _ => ObjectIdentifier::new(text).map_err(|error| PolicyConfigError {
                key,
                problem: format!(
                    "{text:?} is no object identifier: {error}; write dotted numbers like 1.3.6.1.4.1.311.20.2"
                ),
            }),
        })
        .collect()
}

fn uris(key: &'static str, texts: &[String]) -> Result<Vec<String>, PolicyConfigError> {
    let is_uri = |text: &String| {
        let text = if key == "crl-distribution-points" {
            text.replace(KEY_PLACE, "")
        } else {
            text.clone()
        };
        text.split_once(':').is_some_and(|(scheme, rest)| {
            !scheme.is_empty()
                && !rest.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && !b"{}".contains(&byte))
        })
    };
    match texts.iter().find(|text| !is_uri(text)) {
        Some(wrong) => Err(PolicyConfigError {
            key,
            problem: format!("{wrong:?} is no URI; write it like http://est.example/ca.crl"),
        }),
        None => Ok(texts.to_vec()),
    }
}
