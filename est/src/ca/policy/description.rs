//! A policy in words, and the version that follows from them.

use std::fmt::{Debug, Display, Write as _};

use sha2::{Digest as _, Sha256};

use super::{
    AddedExtensions, AlternativeNamePolicy, Approval, ApprovalSettings, AttributePolicy, ExtensionPolicy,
    IssuancePolicy, KeyPolicy, SubjectPolicy, ValidityPolicy,
};

impl IssuancePolicy {
    /// All rules, one to a line, `name = value`: the same text for the same rules, in every build of this version.
    pub fn description(&self) -> String {
        // Every field by its name: one that is added and forgotten here does not compile.
        let Self {
            key,
            subject,
            validity,
            alternative_names,
            attributes: AttributePolicy { forbidden },
            extensions,
            added,
            requester,
            approval,
        } = self;
        let mut text = Lines::default();
        text.key(key);
        let SubjectPolicy {
            max_length,
            allow_empty,
        } = subject;
        text.line("subject.max-length", max_length);
        text.line("subject.allow-empty", allow_empty);
        text.validity(validity);
        text.alternative_names(alternative_names);
        text.list("attributes.forbidden", forbidden);
        text.extensions(extensions);
        text.added(added);
        text.line("requester", format_args!("{requester:?}"));
        text.approval(approval);
        text.0
    }

    /// The first 16 hexadecimal digits of the SHA-256 of [`Self::description`]: what the log notes beside every
    /// request, so that it can be told later which rules were in force.
    pub fn version(&self) -> String {
        let digest = Sha256::digest(self.description().as_bytes());
        digest.iter().take(8).fold(String::new(), |mut text, octet| {
            // Writing to a String does not fail.
            write!(text, "{octet:02x}").unwrap_or_default();
            text
        })
    }
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn line(&mut self, name: &str, value: impl Display) {
        // Writing to a String does not fail.
        writeln!(self.0, "{name} = {value}").unwrap_or_default();
    }

    fn list<T: Display>(&mut self, name: &str, values: &[T]) {
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        self.line(name, format_args!("{values:?}"));
    }

    fn option(&mut self, name: &str, value: Option<impl Debug>) {
        match value {
            Some(value) => self.line(name, format_args!("{value:?}")),
            None => self.line(name, "none"),
        }
    }

    fn key(&mut self, policy: &KeyPolicy) {
        let KeyPolicy {
            ec_p256,
            ec_p384,
            ec_p521,
            ed25519,
            rsa,
            rsa_pss,
            min_rsa_bits,
            max_rsa_bits,
            dangerous_allow_rsa_1024,
        } = policy;
        self.line("key.ec-p256", ec_p256);
        self.line("key.ec-p384", ec_p384);
        self.line("key.ec-p521", ec_p521);
        self.line("key.ed25519", ed25519);
        self.line("key.rsa", rsa);
        self.line("key.rsa-pss", rsa_pss);
        self.line("key.min-rsa-bits", min_rsa_bits);
        self.line("key.max-rsa-bits", max_rsa_bits);
        self.line("key.dangerous-allow-rsa-1024", dangerous_allow_rsa_1024);
    }

    fn validity(&mut self, policy: &ValidityPolicy) {
        let ValidityPolicy {
            validity,
            backdate,
            minimum,
            maximum,
            latest_end,
        } = policy;
        self.line("validity.seconds", validity.as_secs());
        self.line("validity.backdate", backdate.as_secs());
        self.line("validity.minimum", minimum.as_secs());
        self.option("validity.maximum", maximum.map(|most| most.as_secs()));
        self.option("validity.latest-end", *latest_end);
    }

    fn alternative_names(&mut self, policy: &AlternativeNamePolicy) {
        let AlternativeNamePolicy {
            dns,
            dns_wildcards,
            ip,
            email,
            uri,
            other_name,
            directory_name,
            max_names,
            required,
            dns_domains,
            ip_networks,
            email_domains,
            uri_prefixes,
        } = policy;
        self.line("alternative-names.dns", dns);
        self.line("alternative-names.dns-wildcards", dns_wildcards);
        self.line("alternative-names.ip", ip);
        self.line("alternative-names.email", email);
        self.line("alternative-names.uri", uri);
        self.line("alternative-names.other-name", other_name);
        self.line("alternative-names.directory-name", directory_name);
        self.line("alternative-names.max-names", max_names);
        self.line("alternative-names.required", required);
        self.list("alternative-names.dns-domains", dns_domains);
        self.list("alternative-names.ip-networks", ip_networks);
        self.list("alternative-names.email-domains", email_domains);
        self.list("alternative-names.uri-prefixes", uri_prefixes);
    }

    fn extensions(&mut self, policy: &ExtensionPolicy) {
        let ExtensionPolicy {
            extended_key_usages,
            copied,
            required,
            forbidden,
            unlisted,
            max_length,
        } = policy;
        self.list("extensions.extended-key-usages", extended_key_usages);
        self.list("extensions.copied", copied);
        self.list("extensions.required", required);
        self.list("extensions.forbidden", forbidden);
        self.line("extensions.unlisted", format_args!("{unlisted:?}"));
        self.line("extensions.max-length", max_length);
    }

    fn added(&mut self, added: &AddedExtensions) {
        let AddedExtensions {
            crl_distribution_points,
            ca_issuers,
            ocsp,
            certificate_policies,
        } = added;
        self.list("added.crl-distribution-points", crl_distribution_points);
        self.list("added.ca-issuers", ca_issuers);
        self.list("added.ocsp", ocsp);
        self.list("added.certificate-policies", certificate_policies);
    }

    fn approval(&mut self, approval: &Approval) {
        let ApprovalSettings {
            retry_after,
            waits,
            pick_up,
            max_entries,
            max_per_requester,
            reenroll_at_once,
        } = match approval {
            Approval::Automatic => return self.line("approval", "automatic"),
            Approval::Operator(settings) => settings,
        };
        self.line("approval", "operator");
        self.line("approval.retry-after", retry_after.as_secs());
        self.line("approval.waits", waits.as_secs());
        self.line("approval.pick-up", pick_up.as_secs());
        self.line("approval.max-entries", max_entries);
        self.line("approval.max-per-requester", max_per_requester);
        self.line("approval.reenroll-at-once", reenroll_at_once);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_changes_with_a_rule_and_only_then() {
        let policy = IssuancePolicy::default();
        assert_eq!(policy.version(), IssuancePolicy::default().version());
        assert_eq!(policy.version().len(), 16);
        let mut other = policy.clone();
        other.extensions.forbidden.push(super::super::ID_KP_CLIENT_AUTH);
        assert_ne!(policy.version(), other.version());
        let mut other = policy.clone();
        other.approval = Approval::Operator(ApprovalSettings::default());
        assert_ne!(policy.version(), other.version());
        assert!(other.description().contains("approval = operator\n"));
    }
}
