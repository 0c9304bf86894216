//! What the policy lets through, and what it says when it does not.

use est::ca::PolicyRule;
use est::ca::policy::{
    AlternativeNamePolicy, ExtensionPolicy, ID_KP_CLIENT_AUTH, IssuancePolicy, KeyPolicy, UnlistedExtensions,
};

use crate::support::{issue_with, refusal};

#[test]
fn every_refusal_names_its_rule_and_what_it_is_about() {
    let table = [
        ("ca", PolicyRule::BasicConstraints, "CA:TRUE"),
        ("key-usage", PolicyRule::KeyUsage, "keyCertSign"),
        (
            "code-signing",
            PolicyRule::ExtendedKeyUsage,
            "codeSigning (1.3.6.1.5.5.7.3.3)",
        ),
        ("unknown-extension", PolicyRule::Extension, "1.3.6.1.4.1.55555.1"),
        (
            "other-name",
            PolicyRule::SubjectAlternativeName,
            "1.3.6.1.4.1.311.20.2.3",
        ),
        ("bad-dns", PolicyRule::SubjectAlternativeName, "\"not a name\""),
        (
            "wildcard",
            PolicyRule::SubjectAlternativeName,
            "\"*.example.com\"",
        ),
        ("empty", PolicyRule::Subject, "empty"),
        ("rsapss-key", PolicyRule::KeyType, "RSA-PSS-2048"),
    ];
    for (name, rule, text) in table {
        let refusal = refusal(issue_with(&IssuancePolicy::default(), name));
        assert_eq!(refusal.rule, rule, "{name}: {refusal}");
        assert!(refusal.text.contains(text), "{name}: {refusal}");
        assert!(
            refusal.to_string().contains(&rule.to_string()),
            "{name}: {refusal}"
        );
    }
}

#[test]
fn each_rule_can_be_opened() {
    let names = AlternativeNamePolicy {
        dns_wildcards: true,
        other_name: true,
        ..Default::default()
    };
    let copied = vec!["1.3.6.1.4.1.55555.1".parse().unwrap()];
    let code_signing = vec!["1.3.6.1.5.5.7.3.3".parse().unwrap()];
    let policy = IssuancePolicy {
        alternative_names: names,
        extensions: ExtensionPolicy {
            copied,
            extended_key_usages: code_signing,
            ..Default::default()
        },
        key: KeyPolicy {
            rsa_pss: true,
            ..Default::default()
        },
        ..Default::default()
    };
    for name in [
        "code-signing",
        "unknown-extension",
        "other-name",
        "wildcard",
        "empty-san",
        "rsapss-key",
    ] {
        let outcome = issue_with(&policy, name);
        assert!(outcome.is_ok(), "{name}: {outcome:?}");
    }
    // Nothing opens these.
    for name in ["ca", "key-usage", "empty", "bad-dns"] {
        refusal(issue_with(&policy, name));
    }
}

#[test]
fn each_rule_can_be_closed() {
    type Change = fn(&mut IssuancePolicy);
    let table: [(&str, PolicyRule, Change); 11] = [
        ("san", PolicyRule::SubjectAlternativeName, |policy| {
            policy.alternative_names.dns = false;
        }),
        ("san", PolicyRule::SubjectAlternativeName, |policy| {
            policy.alternative_names.ip = false;
        }),
        ("san", PolicyRule::SubjectAlternativeName, |policy| {
            policy.alternative_names.email = false;
        }),
        ("san", PolicyRule::SubjectAlternativeName, |policy| {
            policy.alternative_names.uri = false;
        }),
        ("san", PolicyRule::SubjectAlternativeName, |policy| {
            policy.alternative_names.max_names = 4;
        }),
        ("san", PolicyRule::Extension, |policy| {
            policy.extensions.max_length = 20;
        }),
        ("server", PolicyRule::ExtendedKeyUsage, |policy| {
            policy.extensions.extended_key_usages = vec![ID_KP_CLIENT_AUTH];
        }),
        ("p256", PolicyRule::Subject, |policy| {
            policy.subject.max_length = 20;
        }),
        ("empty-san", PolicyRule::Subject, |policy| {
            policy.subject.allow_empty = false;
        }),
        ("p256", PolicyRule::KeyType, |policy| {
            policy.key.ec_p256 = false;
        }),
        ("rsa2048", PolicyRule::KeyType, |policy| {
            policy.key.min_rsa_bits = 3072;
        }),
    ];
    for (name, rule, change) in table {
        let mut policy = IssuancePolicy::default();
        policy.alternative_names.dns_wildcards = true;
        assert!(issue_with(&policy, name).is_ok(), "{name}");
        change(&mut policy);
        assert_eq!(refusal(issue_with(&policy, name)).rule, rule, "{name}");
    }
}

#[test]
fn drops_an_unlisted_extension_only_when_told_to() {
    let extensions = ExtensionPolicy {
        unlisted: UnlistedExtensions::Drop,
        ..Default::default()
    };
    let policy = IssuancePolicy {
        extensions,
        ..Default::default()
    };
    let issued = issue_with(&policy, "unknown-extension").unwrap();
    // 1.3.6.1.4.1.55555.1
    let oid = [0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xb2, 0x03, 0x01];
    assert!(!issued.certificate.windows(oid.len()).any(|window| window == oid));

    let extensions = ExtensionPolicy {
        copied: vec!["1.3.6.1.4.1.55555.1".parse().unwrap()],
        ..ExtensionPolicy::default()
    };
    let policy = IssuancePolicy {
        extensions,
        ..Default::default()
    };
    let issued = issue_with(&policy, "unknown-extension").unwrap();
    assert!(issued.certificate.windows(oid.len()).any(|window| window == oid));
}
