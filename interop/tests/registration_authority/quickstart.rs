//! `interop quickstart --adcs`

use std::process::Command;

use interop::adcs_sim::LogLine;
use interop::quickstart::Options;
use interop::quickstart::adcs::{PHONES, run};

/// Method, path, status, sub-status, Win32 code and user: what is compared with Cisco document 214396.
type Columns = (&'static str, &'static str, u16, u16, u32, &'static str);

const USER: &str = "MICHAMEN\\ciscora";
const NO_CREDENTIALS: u32 = 2_148_074_254;

/// F002-29, without the user that some of its lines do not give here: IIS has the account on each line behind a login.
const ONE_PHONE: [Columns; 7] = [
    ("GET", "/certsrv", 401, 1, NO_CREDENTIALS, "-"),
    ("GET", "/certsrv", 301, 0, 0, USER),
    ("GET", "/certsrv/certrqxt.asp", 200, 0, 0, USER),
    ("GET", "/certsrv", 401, 1, NO_CREDENTIALS, "-"),
    ("GET", "/certsrv", 301, 0, 0, USER),
    ("POST", "/certsrv/certfnsh.asp", 200, 0, 0, USER),
    ("GET", "/certsrv/certnew.cer", 200, 0, 0, USER),
];

fn columns(lines: &[LogLine]) -> Vec<(String, String, u16, u16, u32, String)> {
    lines
        .iter()
        .map(|line| {
            (
                line.method.clone(),
                line.stem.clone(),
                line.status,
                line.substatus,
                line.win32,
                line.user.clone().unwrap_or_else(|| "-".to_owned()),
            )
        })
        .collect()
}

fn expected(lines: &[Columns]) -> Vec<(String, String, u16, u16, u32, String)> {
    lines
        .iter()
        .map(|(method, stem, status, substatus, win32, user)| {
            (
                (*method).to_owned(),
                (*stem).to_owned(),
                *status,
                *substatus,
                *win32,
                (*user).to_owned(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_of_the_web_server_is_that_of_the_source_document() {
    let mut narration = Vec::new();
    let shown = run(&Options::default(), &mut narration).await;
    let narration = String::from_utf8(narration).unwrap();
    let shown = shown.unwrap_or_else(|failed| panic!("{failed}\n{narration}"));

    // The first phone: the login that checks the presented credentials, then the login that enrols.
    assert_eq!(columns(&shown.phones[0]), expected(&ONE_PHONE), "{narration}");
    assert_eq!(shown.phones[0][6].query.to_lowercase(), "reqid=10&enc=b64");
    let referer = shown.phones[0][5].referer.as_deref().unwrap();
    assert!(referer.ends_with("/certsrv/certrqxt.asp"), "{referer}");
    for line in shown.phones.iter().flatten().chain(&shown.start_up) {
        assert_eq!(line.user_agent.as_deref(), Some("CiscoRA 1.0"));
    }
    // The password of the phone service is remembered: the second enrols at once, by one login.
    assert_eq!(
        columns(&shown.phones[1]),
        expected(&ONE_PHONE[3..]),
        "{narration}"
    );
    // Denied and pending: a login and one submission. Behind a denial the list of templates is looked at again.
    for number in [2, 3] {
        let mut found = columns(&shown.phones[number]);
        let expected = expected(&ONE_PHONE[3..6]);
        assert_eq!(found[..2], expected[..2], "{narration}");
        found.retain(|(_, stem, ..)| stem.ends_with("certfnsh.asp"));
        assert_eq!(found, expected[2..], "submitted once: {narration}");
    }
    // What was approved is asked for by its number, and not submitted again.
    let last = columns(&shown.picked_up).pop();
    assert_eq!(last, expected(&ONE_PHONE[6..]).pop(), "{narration}");
    assert!(
        shown
            .picked_up
            .iter()
            .all(|line| !line.stem.ends_with("certfnsh.asp")),
        "{narration}"
    );
    // F002-17: the first request is answered by the challenge, the second is redirected.
    assert_eq!(
        columns(&shown.start_up)[..2],
        expected(&ONE_PHONE[..2]),
        "{narration}"
    );
}

#[test]
fn the_command_tells_of_four_phones_and_ends_with_status_0() {
    let output = Command::new(env!("CARGO_BIN_EXE_interop"))
        .args(["quickstart", "--adcs"])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}\n{errors}");
    let [first, second, denied, pending] = PHONES.map(|(name, _)| name);
    let in_order = [
        "login_to_certsrv_ca: Secure connection".to_owned(),
        "/certsrv/certnew.p7b".to_owned(),
        format!("{first}: Enrollment rv = 0 (EST_ERR_NONE) with pkcs7 length = "),
        format!("{second}: issued by "),
        format!("{denied}: Enrollment rv = 25 (EST_ERR_CA_ENROLL_FAIL)"),
        "0x80094800".to_owned(),
        format!("{pending}: pending, ask again in 60 s"),
        "approves request 13".to_owned(),
        format!("{pending}: issued by "),
    ];
    let mut rest = shown.as_ref();
    for part in in_order {
        let at = rest
            .find(&part)
            .unwrap_or_else(|| panic!("{part:?} is not where it should be in\n{shown}"));
        rest = &rest[at..];
    }
}
