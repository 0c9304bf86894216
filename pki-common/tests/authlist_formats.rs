//! Import and export of authlists: the vendor's own texts, damaged texts, and every list there can be.

use pki_common::authlist::{
    AuthList, AuthListEntry, AuthListFormat, AuthListType, ImportError, ImportOptions, LineProblem,
    import_oracle,
};
use pki_common::{Diagnose as _, KeyHash, KeyHashParseError, MacAddr, Rung};
use proptest::prelude::*;

use AuthListFormat::{AireOs, Csv, IosXe, ServerAuthInfo, Toml};

const MAC: &str = "00:50:56:9c:34:89";
const SHA1: &str = "e0afbe2e2abeed5a2f9ffc75f059da6a1bf2bfa0";
const SHA256: &str = "6ab919e20afc103d025aaf210c2a9dda151af9403ef52e80a35ae1ecb6d3c177";
const DAMAGED: &str = "6ab919e20afc103d025aaf210c2a9dda151af9403ef52e35ae1ecb6d3c 177";

const SERVER_AUTH_INFO: &str = include_str!("../testdata/server-auth-info.txt");
const IOS_XE: &str = include_str!("../testdata/ios-xe.txt");
const IOS_XE_DAMAGED: &str = include_str!("../testdata/ios-xe-damaged.txt");

fn entry(list_type: AuthListType, mac: &str, key_hash: &str) -> AuthListEntry {
    let key_hash = (!key_hash.is_empty()).then(|| key_hash.parse().expect("test data"));
    AuthListEntry {
        mac: mac.parse().expect("test data"),
        list_type,
        key_hash,
    }
}

fn list(entries: &[AuthListEntry]) -> AuthList {
    let mut list = AuthList::new();
    for entry in entries {
        assert_eq!(list.insert(*entry), Ok(true));
    }
    list
}

/// Number and problem of each bad line.
fn bad_lines(format: AuthListFormat, text: &str) -> Vec<(usize, String)> {
    let error = AuthList::import(format, text).expect_err(text);
    error
        .bad_lines()
        .iter()
        .map(|bad| (bad.line, bad.problem.to_string()))
        .collect()
}

/// Asserts the number and a part of the problem of each bad line, in order, and that there are no others.
fn assert_bad_lines(format: AuthListFormat, text: &str, expected: &[(usize, &str)]) {
    let bad = bad_lines(format, text);
    let same = bad.len() == expected.len()
        && bad
            .iter()
            .zip(expected)
            .all(|((line, problem), (number, part))| line == number && problem.contains(part));
    assert!(same, "{text}\nfound {bad:#?}\nexpected {expected:#?}");
}

#[test]
fn reads_what_show_server_auth_info_prints() {
    let expected = list(&[
        entry(AuthListType::LbsSsc, MAC, SHA1),
        entry(AuthListType::Sha256LbsSsc, MAC, SHA256),
    ]);
    assert_eq!(AuthList::import(ServerAuthInfo, SERVER_AUTH_INFO), Ok(expected));
}

#[test]
fn reads_several_servers_through_a_terminal() {
    let lsc = SERVER_AUTH_INFO
        .replace("SSC", "LSC")
        .replace("34:89", "34:8A")
        .replace('\n', "\r\n");
    let pager = "--More--  \u{8}\u{8}\u{8}\u{8}        \u{8}\u{8}SHA2 Key Hash";
    let text = format!(
        "\u{feff}[root@mse ~]# cmdshell\r\n{}{lsc}",
        SERVER_AUTH_INFO.replace("SHA2 Key Hash", pager)
    );
    let imported = AuthList::import(ServerAuthInfo, &text).unwrap();
    assert_eq!(
        imported,
        list(&[
            entry(AuthListType::LbsSsc, MAC, SHA1),
            entry(AuthListType::Sha256LbsSsc, MAC, SHA256),
            entry(AuthListType::Lsc, "0050569c348a", SHA1),
            entry(AuthListType::Lsc, "0050569c348a", SHA256),
        ])
    );
}

#[test]
fn reads_and_writes_the_ios_xe_configuration_of_the_document() {
    let expected = list(&[entry(AuthListType::Sha256LbsSsc, MAC, SHA256)]);
    assert_eq!(AuthList::import(IosXe, IOS_XE).as_ref(), Ok(&expected));
    assert_eq!(expected.export(IosXe).unwrap(), IOS_XE);
}

#[test]
fn reads_aireos_commands_with_prompts_and_any_mac_form() {
    let text = format!(
        "(Cisco Controller) >config auth-list add lbs-ssc {MAC} {SHA1}\n\
         (Cisco Controller) >\n\
         \n\
         ! access points\n\
         config auth-list add mic 0014.6a1b.3744\n\
         CONFIG AUTH-LIST ADD LSC 00-14-6A-1B-37-45\n\
         --More-- or (q)uit??????config auth-list add sha256-lbs-ssc 0050569c3489 {}\n",
        SHA256.split_at(20).0.to_owned() + " " + SHA256.split_at(20).1
    );
    assert_eq!(
        AuthList::import(AireOs, &text),
        Ok(list(&[
            entry(AuthListType::LbsSsc, MAC, SHA1),
            entry(AuthListType::Mic, "00146a1b3744", ""),
            entry(AuthListType::Lsc, "00146a1b3745", ""),
            entry(AuthListType::Sha256LbsSsc, MAC, SHA256),
        ]))
    );
}

#[test]
fn joins_ios_xe_users_and_lists_in_any_order() {
    let text = format!(
        "!\naaa attribute list B\n attribute type password {SHA1}\n!\n\
         WLC(config)#username 0014.6a1b.3744 aaa attribute list A\n\
         ! certificate-type: LSC\n\
         username 00146a1b3745 aaa attribute list B\n\
         username 00146a1b3746 aaa attribute list B\n\
         aaa attribute list A\n  attribute type password {SHA256}\n exit\nend\n"
    );
    assert_eq!(
        AuthList::import(IosXe, &text),
        Ok(list(&[
            entry(AuthListType::Sha256LbsSsc, "00146a1b3744", SHA256),
            entry(AuthListType::Lsc, "00146a1b3745", SHA1),
            entry(AuthListType::LbsSsc, "00146a1b3746", SHA1),
        ]))
    );
}

#[test]
fn refuses_a_truncated_key_hash_and_names_the_sound_one() {
    let known = AuthList::import(ServerAuthInfo, SERVER_AUTH_INFO).unwrap();
    let error = AuthList::import_with_known(IosXe, IOS_XE_DAMAGED, &known).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "1 bad line in the iosxe authlist, nothing was taken:\n  line 3: the key hash has 61 hexadecimal digits, \
             expected 40 (SHA-1) or 64 (SHA-256); it looks like a truncated copy of {SHA256}: 46 leading and 15 \
             trailing digits agree: \" attribute type password {DAMAGED}\""
        )
    );
    // Nothing known: the same refusal without the comparison.
    let unknown = AuthList::import(IosXe, IOS_XE_DAMAGED).unwrap_err();
    assert_eq!(
        unknown.bad_lines()[0].problem,
        LineProblem::KeyHash(KeyHashParseError::WrongLength {
            found: 61,
            near_miss: None
        })
    );
    // A hash that is known without a MAC address.
    let options = ImportOptions {
        known_hashes: &[SHA256.parse().unwrap()],
        ..ImportOptions::default()
    };
    assert_eq!(AuthList::import_with(IosXe, IOS_XE_DAMAGED, &options), Err(error));
}

#[test]
fn compares_a_truncated_key_hash_with_the_other_entries_of_its_file() {
    let text = format!(
        "config auth-list add sha256-lbs-ssc {MAC} {DAMAGED}\n\
         config auth-list add ssc {MAC} {SHA256}\n\
         config auth-list add sha256-lbs-ssc 00146a1b3744 {DAMAGED}\n"
    );
    let bad = bad_lines(AireOs, &text);
    assert_eq!(bad.len(), 2);
    assert_eq!(bad[0].0, 1);
    assert!(
        bad[0].1.ends_with("46 leading and 15 trailing digits agree"),
        "{bad:?}"
    );
    // Another MAC address: its hash is none of this entry's business.
    assert_eq!(bad[1].0, 3);
    assert!(bad[1].1.ends_with("64 (SHA-256)"), "{bad:?}");
}

#[test]
fn a_mixed_or_damaged_file_reports_every_bad_line_and_is_not_taken() {
    let text = format!(
        "config auth-list add mic {MAC}\n\
         mac,type,key_hash\n\
         config auth-list add foo {MAC}\n\
         config auth-list add mic 00:50-56:9c:34:89\n\
         config auth-list add lbs-ssc {MAC}\n\
         config auth-list add lbs-ssc {MAC} {SHA256}\n\
         config auth-list add lsc {MAC} {SHA1}\n\
         config auth-list add lsc {MAC} {}\n\
         config auth-list add lsc {MAC} 12\u{1b}[2J\n\
         config auth-list add\n",
        SHA1.replace('e', "0")
    );
    let bad = bad_lines(AireOs, &text);
    let expected = [
        (
            2,
            "not understood, expected config auth-list add <type> <mac> [<key hash>]",
        ),
        (
            3,
            "unknown type \"foo\", expected mic, ssc, lsc, lbs-ssc or sha256-lbs-ssc",
        ),
        (
            4,
            "'-' at position 6 of the MAC address: expected the separator ':'",
        ),
        (5, "the lbs-ssc entry for 00:50:56:9c:34:89 has no key hash"),
        (
            6,
            "the lbs-ssc entry for 00:50:56:9c:34:89 has a SHA-256 key hash (64 digits), expected SHA-1 (40 digits)",
        ),
        (8, "the entry \"lsc 00:50:56:9c:34:89 00afb020"),
        (9, r"'\u{1b}' at position 3 of the key hash"),
        (10, "unknown type \"\", expected"),
    ];
    assert_eq!(
        bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(),
        expected.map(|(line, _)| line),
        "{bad:#?}"
    );
    for ((line, problem), (_, expected)) in bad.iter().zip(expected) {
        assert!(problem.starts_with(expected), "line {line}: {problem}");
    }
    let error = AuthList::import(AireOs, &text).unwrap_err();
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
    let failure = error.diagnose();
    assert_eq!(failure.rung, Rung::Local);
    assert!(
        failure
            .cause
            .starts_with("The aireos authlist has 8 bad lines, the first is line 2: "),
        "{failure}"
    );
}

#[test]
fn reports_bad_lines_of_server_auth_info() {
    for (text, expected) in [
        (
            SERVER_AUTH_INFO.replace("Certificate Type: SSC\n", ""),
            (8, "no Certificate Type line"),
        ),
        (
            SERVER_AUTH_INFO.replace("SSC", "XSC"),
            (11, "unknown type \"XSC\", expected MIC, SSC or LSC"),
        ),
        (
            SERVER_AUTH_INFO.replace("34:89", "34"),
            (8, "10 hexadecimal digits, expected 12"),
        ),
        (
            SERVER_AUTH_INFO.replace(SHA1, SHA256),
            (9, "SHA-1 key hash must have 40 hexadecimal digits, found 64"),
        ),
        (
            SERVER_AUTH_INFO.replace("SHA1 Key Hash", "SHA2 Key Hash"),
            (10, "appears twice"),
        ),
        (
            SERVER_AUTH_INFO.replace("MAC Address", "MAC"),
            (8, "not understood"),
        ),
        (
            SERVER_AUTH_INFO.replace(SHA256, DAMAGED),
            (10, "61 hexadecimal digits"),
        ),
        (
            format!("{SERVER_AUTH_INFO}username x secret y\n"),
            (12, "not understood"),
        ),
    ] {
        let bad = bad_lines(ServerAuthInfo, &text);
        assert!(
            bad.iter()
                .any(|(line, problem)| *line == expected.0 && problem.contains(expected.1)),
            "{bad:?}"
        );
    }
}

#[test]
fn reports_ios_xe_users_and_lists_that_do_not_fit_together() {
    for (text, expected) in [
        (
            IOS_XE.replacen("list NMSP", "list NSMP", 1),
            vec![(1, "no \"aaa attribute list NSMP\""), (2, "no username uses")],
        ),
        (
            IOS_XE.replace(" attribute type password", "! "),
            vec![(1, "the attribute list NMSP has no \"attribute type password\"")],
        ),
        (
            IOS_XE.replace("aaa attribute list NMSP\n attr", "attr"),
            vec![(1, "there is no"), (2, "must stand in an aaa attribute list")],
        ),
        (
            format!("{IOS_XE}username 0050.569c.3489 aaa attribute list B\n"),
            vec![(5, "line 1 gives this username another")],
        ),
        (
            format!("{IOS_XE}aaa attribute list NMSP\n attribute type password {SHA1}\n"),
            vec![(6, "line 3 gives this attribute list another password")],
        ),
    ] {
        assert_bad_lines(IosXe, &text, &expected);
    }
}

#[test]
fn reports_ios_xe_lines_that_are_bad_by_themselves() {
    for (text, expected) in [
        (
            IOS_XE.replace("wcm_loc_serv_cert", "wcm"),
            vec![(4, "expected \"aaa authorization")],
        ),
        (
            IOS_XE.replace("3489 aaa", "348 aaa"),
            vec![(1, "11 hexadecimal digits"), (2, "no username uses")],
        ),
        (
            format!("{IOS_XE}! certificate-type: lsc\n"),
            vec![(5, "no username line follows")],
        ),
        (
            format!("! certificate-type: x\n{IOS_XE}"),
            vec![(1, "unknown type \"x\"")],
        ),
        (
            format!("! certificate-type: mic\n! certificate-type: lsc\n{IOS_XE}"),
            vec![(1, "no username line follows")],
        ),
        (
            format!("! certificate-type: lbs-ssc\n{IOS_XE}"),
            vec![(4, "expected SHA-1 (40 digits)")],
        ),
        (
            format!("{IOS_XE}aaa attribute list A B\n"),
            vec![(5, "expected one word")],
        ),
        (
            format!("{IOS_XE}hostname x\n"),
            vec![(5, "not understood, expected username <mac>")],
        ),
    ] {
        assert_bad_lines(IosXe, &text, &expected);
    }
}

#[test]
fn reports_bad_lines_of_csv() {
    let text = format!(
        "mac;type;key_hash\n\
         {MAC},mic\n\
         \"{MAC}\",  lsc ,\"{SHA1}\"\n\
         {MAC},lsc,{SHA256},x\n\
         # comment\n\
         \n\
         {MAC},,{SHA256}\n\
         {MAC},sha256-lbs-ssc,{DAMAGED}\n\
         {MAC},\"lsc,\n\
         {MAC},lsc,\r{MAC},lsc,\n"
    );
    let expected = [
        (1, "expected the header mac,type,key_hash"),
        (2, "expected 3 fields (mac,type,key_hash), found 2"),
        (4, "expected 3 fields (mac,type,key_hash), found 4"),
        (7, "unknown type \"\""),
        (8, "61 hexadecimal digits"),
        (9, "a quote is not closed"),
        (10, "a carriage return stands inside the line"),
    ];
    assert_bad_lines(Csv, &text, &expected);
}

#[test]
fn reports_bad_lines_of_toml() {
    let text = format!(
        "title = \"x\"\n\
         [[entry]]\n\
         mac = \"{MAC}\"\n\
         type = \"lbs\"\n\
         [[entry]]\n\
         type = \"mic\"\n\
         colour = 1\n\
         [[entry]]\n\
         mac = 5\n\
         type = \"lsc\"\n\
         key_hash = \"{SHA1}x\"\n\
         [[entry]]\n\
         mac = \"{MAC}\"\n\
         type = \"sha256-lbs-ssc\"\n\
         key_hash = \"{DAMAGED}\"\n"
    );
    let expected = [
        (1, "unknown key, expected [[entry]] tables only"),
        (4, "unknown type \"lbs\""),
        (5, "the entry has no mac"),
        (7, "unknown key, expected mac, type and key_hash"),
        (9, "mac must be a string, found integer"),
        (15, "61 hexadecimal digits"),
    ];
    assert_bad_lines(Toml, &text, &expected);
    for (text, line) in [
        ("[[entry]]\nmac = \n", 2),
        ("[[entry]\n", 1),
        ("entry = 1\n", 1),
        ("entry = [1]", 1),
    ] {
        assert!(bad_lines(Toml, text).iter().any(|bad| bad.0 == line), "{text:?}");
    }
}

#[test]
fn a_report_does_not_repeat_the_secrets_of_unrelated_lines() {
    let text =
        format!("{IOS_XE}username admin privilege 15 password 0 hunter2\nsnmp-server community hunter2 RO\n");
    let error = AuthList::import(IosXe, &text).unwrap_err();
    assert_eq!(error.bad_lines().len(), 2);
    assert_eq!(
        error.bad_lines()[0].excerpt,
        "username admin privilege 15 password"
    );
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn bounds_what_it_reads_and_reports() {
    let options = ImportOptions {
        max_bytes: 100,
        max_lines: 3,
        ..ImportOptions::default()
    };
    assert_eq!(
        AuthList::import_with(AireOs, &"x".repeat(101), &options),
        Err(ImportError::TooLarge { bytes: 101, max: 100 })
    );
    assert_eq!(
        AuthList::import_with(AireOs, "\n\n\n\n", &options),
        Err(ImportError::TooManyLines { lines: 4, max: 3 })
    );
    let long = AuthList::import(AireOs, &"x".repeat(1_000_000)).unwrap_err();
    assert!(long.to_string().len() < 400, "{long}");
}

#[test]
fn texts_that_nest_or_repeat_without_end_are_refused() {
    let repeated = |part: &str| part.repeat(60_000 / part.len());
    for text in [
        repeated("["),
        format!("a = {}", repeated("[")),
        format!("a = {}", repeated("{a=")),
        format!("{} = 1", repeated("a.").trim_end_matches('.')),
        format!("[{}]", repeated("a.").trim_end_matches('.')),
        repeated("[[entry]]\n"),
        repeated("entry.a=1\n"),
        repeated("\""),
        repeated("--More--"),
        repeated("username 0 aaa attribute list x\n"),
    ] {
        import_oracle(&text);
        assert!(AuthList::import(Toml, &text).is_err());
    }
}

#[test]
fn guesses_the_format_by_the_first_telling_line() {
    for (text, expected) in [
        (SERVER_AUTH_INFO, Some(ServerAuthInfo)),
        (IOS_XE, Some(IosXe)),
        ("MAC Address: 00", Some(ServerAuthInfo)),
        (
            "# our list\n\n(Cisco Controller) >config auth-list add mic x",
            Some(AireOs),
        ),
        ("\u{feff}MAC,Type,Key_Hash\r\n", Some(Csv)),
        ("# x\n[[entry]]\n", Some(Toml)),
        ("hello\n", None),
        ("", None),
    ] {
        assert_eq!(AuthListFormat::detect(text), expected, "{text}");
    }
    for format in AuthListFormat::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
        let list = list(&[
            entry(AuthListType::Lsc, MAC, SHA1),
            entry(AuthListType::Lsc, MAC, SHA256),
        ]);
        if let Ok(text) = list.export(format) {
            assert_eq!(AuthListFormat::detect(&text), Some(format), "{text}");
        }
    }
}

#[test]
fn an_export_says_which_entry_it_cannot_carry() {
    for (format, entries, refused, reason) in [
        (
            IosXe,
            vec![entry(AuthListType::Mic, MAC, "")],
            0,
            "has no key hash",
        ),
        (
            IosXe,
            vec![
                entry(AuthListType::LbsSsc, MAC, SHA1),
                entry(AuthListType::Sha256LbsSsc, MAC, SHA256),
            ],
            1,
            "more than one entry",
        ),
        (
            ServerAuthInfo,
            vec![entry(AuthListType::LbsSsc, MAC, SHA1)],
            0,
            "both a SHA-1 and a SHA-256",
        ),
        (
            ServerAuthInfo,
            vec![entry(AuthListType::Lsc, MAC, "")],
            0,
            "always have key hashes",
        ),
        (
            ServerAuthInfo,
            vec![entry(AuthListType::Ssc, MAC, SHA1)],
            0,
            "no word for the ssc",
        ),
    ] {
        let error = list(&entries).export(format).unwrap_err();
        assert_eq!((error.format, error.entry), (format, entries[refused]));
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.to_string().contains(MAC), "{error}");
    }
}

fn any_entry() -> impl Strategy<Value = AuthListEntry> {
    // Few MAC addresses, so that several entries meet on one.
    let key_hash = prop_oneof![
        Just(None),
        any::<[u8; 20]>().prop_map(|digest| Some(KeyHash::Sha1(digest))),
        any::<[u8; 32]>().prop_map(|digest| Some(KeyHash::Sha256(digest))),
    ];
    (
        0_u8..6,
        prop::sample::select(AuthListType::ALL.to_vec()),
        key_hash,
    )
        .prop_map(|(mac, list_type, key_hash)| AuthListEntry {
            mac: MacAddr::from([0, 0x50, 0x56, 0, 0, mac]),
            list_type,
            key_hash,
        })
}

fn any_list() -> impl Strategy<Value = AuthList> {
    prop::collection::vec(any_entry(), 0..12).prop_map(|entries| {
        let mut list = AuthList::new();
        for entry in entries {
            // What does not fit is left out; the rest is a valid list.
            let _taken = list.insert(entry);
        }
        list
    })
}

/// Texts that come close to a format: its own lines, damaged, mixed and shuffled.
fn nearly_a_list() -> impl Strategy<Value = String> {
    let lines: Vec<String> = [SERVER_AUTH_INFO, IOS_XE, IOS_XE_DAMAGED]
        .into_iter()
        .flat_map(str::lines)
        .map(str::to_owned)
        .chain([
            format!("config auth-list add lsc {MAC} {SHA1}"),
            format!("config auth-list add mic {MAC}"),
            "mac,type,key_hash".to_owned(),
            format!("{MAC},sha256-lbs-ssc,{SHA256}"),
            "[[entry]]".to_owned(),
            format!("mac = \"{MAC}\""),
            "type = \"lsc\"".to_owned(),
            format!("key_hash = \"{SHA1}\""),
            "! certificate-type: lsc".to_owned(),
            "--More--??".to_owned(),
            String::new(),
        ])
        .collect();
    let line = prop_oneof![4 => prop::sample::select(lines), 1 => "[ -~\\t]{0,20}", 1 => any::<String>()];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn a_list_survives_export_and_import(list in any_list()) {
        for format in AuthListFormat::ALL {
            match list.export(format) {
                Ok(text) => prop_assert_eq!(AuthList::import(format, &text), Ok(list.clone()), "{}", text),
                Err(_) => prop_assert!(matches!(format, IosXe | ServerAuthInfo)),
            }
        }
    }

    #[test]
    fn a_list_that_ios_xe_can_carry_survives(list in any_list()) {
        let mut list = list;
        let mut seen = std::collections::HashSet::new();
        list.retain(|entry| entry.key_hash.is_some() && seen.insert(entry.mac));
        let text = list.export(IosXe).unwrap();
        prop_assert_eq!(AuthList::import(IosXe, &text), Ok(list), "{}", text);
    }

    #[test]
    fn a_list_that_server_auth_info_can_carry_survives(hashes: Vec<(u8, [u8; 20], [u8; 32], bool)>) {
        let mut list = AuthList::new();
        for (mac, sha1, sha256, lsc) in hashes {
            let mac = MacAddr::from([0, 0, 0, 0, 0, mac]);
            if !list.entries(mac).is_empty() {
                continue;
            }
            let of = |server| if lsc { AuthListType::Lsc } else { server };
            for (list_type, hash) in [
                (of(AuthListType::LbsSsc), KeyHash::Sha1(sha1)),
                (of(AuthListType::Sha256LbsSsc), KeyHash::Sha256(sha256)),
            ] {
                list.insert(AuthListEntry { mac, list_type, key_hash: Some(hash) }).unwrap();
            }
        }
        let text = list.export(ServerAuthInfo).unwrap();
        prop_assert_eq!(AuthList::import(ServerAuthInfo, &text), Ok(list), "{}", text);
    }

    #[test]
    fn any_text_meets_the_oracle(text: String) {
        import_oracle(&text);
    }

    #[test]
    fn any_text_that_is_nearly_a_list_meets_the_oracle(text in nearly_a_list()) {
        import_oracle(&text);
    }
}
