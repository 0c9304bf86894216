//! Logins, in the columns of the log.

use interop::adcs_sim::{FIELDS, Fault, Logins, Settings};

use crate::lab::{CISCO_RA, Lab, columns};

/// Cisco document 214396 (F002-17): the first request has the NTLM message of type 1 in it already, so there is no 401.2.
#[tokio::test(flavor = "multi_thread")]
async fn the_login_of_curl_is_logged_as_that_of_the_vendor() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let login = [
        "--ntlm",
        "--user",
        "MICHAMEN\\ciscora:cisco",
        "--user-agent",
        CISCO_RA,
    ];
    assert_eq!(lab.anonymous(&login, "/certsrv").code, 0);
    let log = lab.simulator.log();
    assert_eq!(
        columns(&log),
        [
            "GET /certsrv - - 401 1 2148074254",
            "GET /certsrv - MICHAMEN\\ciscora 301 0 0",
        ]
    );
    let line = log[1].to_string();
    assert!(line.contains(" 127.0.0.1 CiscoRA+1.0 - 301 0 0 "), "{line}");
    assert_eq!(line.split(' ').count(), FIELDS.split(' ').count());
}

/// The whole page is 163 bytes long with a host name of that length (F002-19).
#[tokio::test(flavor = "multi_thread")]
async fn the_redirect_is_the_one_of_the_vendors_log() {
    let name = "lab-dc-iis.michamen.com";
    let settings = Settings {
        host_names: vec![name.to_owned()],
        ..Settings::default()
    };
    let Some(lab) = Lab::start(settings).await else {
        return;
    };
    let address = lab.simulator.address();
    let mut curl = lab.curl();
    curl.args([
        "--user",
        "ciscora:cisco",
        "--write-out",
        "\n%{size_download} %{redirect_url}",
    ]);
    curl.args([
        "--connect-to",
        &format!("{name}:443:{}:{}", address.ip(), address.port()),
    ]);
    let output = curl.arg(format!("https://{name}/certsrv")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.ends_with(&format!("\n163 https://{name}/certsrv/")),
        "{text}"
    );
    assert!(
        text.contains(&format!("<a HREF=\"https://{name}/certsrv/\">here</a>")),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_and_strangers_are_refused_with_their_codes() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let cases: [(&[&str], &[&str]); 6] = [
        (&[], &["- 401 2 5"]),
        (
            &["--ntlm", "--user", "ciscora:wrong"],
            &["- 401 1 2148074254", "- 401 1 2148074252"],
        ),
        (
            &["--ntlm", "--user", "nobody:cisco"],
            &["- 401 1 2148074254", "- 401 1 2148074252"],
        ),
        (
            &["--ntlm", "--user", "OTHER\\ciscora:cisco"],
            &["- 401 1 2148074254", "- 401 1 2148074252"],
        ),
        (
            &["--basic", "--user", "ciscora:wrong"],
            &["ciscora 401 1 2147943726"],
        ),
        // An answer to no challenge of this connection.
        (
            &["--header", "Authorization: NTLM TlRMTVNTUAADAAAA"],
            &["- 401 1 2148074248"],
        ),
    ];
    for (arguments, expected) in cases {
        let before = lab.simulator.log().len();
        let answer = lab.anonymous(
            &[arguments, &["--output", "-", "--write-out", "%{http_code}"]].concat(),
            "/certsrv/",
        );
        assert!(answer.text().ends_with("401"), "{arguments:?}");
        let found = columns(&lab.simulator.log()[before..]);
        let expected: Vec<String> = expected
            .iter()
            .map(|line| format!("GET /certsrv/ - {line}"))
            .collect();
        assert_eq!(found, expected, "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_the_users_name_logs_in() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let cases = [
        ("--ntlm", "ciscora", "MICHAMEN\\ciscora"),
        ("--ntlm", "michamen\\CiscoRA", "MICHAMEN\\CiscoRA"),
        ("--ntlm", "ciscora@michamen.com", "ciscora@michamen.com"),
        ("--basic", "ciscora", "ciscora"),
        ("--basic", "MICHAMEN\\ciscora", "MICHAMEN\\ciscora"),
        ("--basic", "ciscora@michamen.com", "ciscora@michamen.com"),
    ];
    for (way, user, logged) in cases {
        let answer = lab.anonymous(&[way, "--fail", "--user", &format!("{user}:cisco")], "/certsrv/");
        assert_eq!(answer.code, 0, "{way} {user}: {}", answer.errors);
        let last = lab.simulator.log().pop().unwrap();
        assert_eq!(last.user.as_deref(), Some(logged), "{way} {user}");
    }
}

/// Two pages over one connection with one login, then another connection, which has to log in anew.
#[tokio::test(flavor = "multi_thread")]
async fn ntlm_holds_for_its_connection_only() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let mut curl = lab.curl();
    curl.args([
        "--ntlm",
        "--user",
        "ciscora:cisco",
        &lab.url("/certsrv/"),
        &lab.url("/certsrv/certcarc.asp"),
    ]);
    assert!(curl.output().unwrap().status.success());
    lab.anonymous(&[], "/certsrv/");
    assert_eq!(
        columns(&lab.simulator.log()),
        [
            "GET /certsrv/ - - 401 1 2148074254",
            "GET /certsrv/ - MICHAMEN\\ciscora 200 0 0",
            "GET /certsrv/certcarc.asp - MICHAMEN\\ciscora 200 0 0",
            "GET /certsrv/ - - 401 2 5",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_offered_can_be_chosen() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let offered = || {
        let head = lab.anonymous(&["--head"], "/certsrv/").text();
        let lines = head
            .lines()
            .filter_map(|line| line.strip_prefix("Www-Authenticate: "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(offered(), ["Negotiate", "NTLM", "Basic realm=\"michamen.com\""]);
    lab.simulator.set_faults([Fault::NoNtlm]).unwrap();
    assert_eq!(offered(), ["Basic realm=\"michamen.com\""]);
    lab.simulator.set_faults([Fault::NoBasic]).unwrap();
    assert_eq!(offered(), ["Negotiate", "NTLM"]);
    lab.anonymous(&["--basic", "--user", "ciscora:cisco"], "/certsrv/");
    assert_eq!(
        columns(&lab.simulator.log()).pop().unwrap(),
        "GET /certsrv/ - - 401 2 5"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_authority_logs_its_user_in() {
    let settings = Settings {
        logins: Logins {
            negotiate: false,
            ntlm: false,
            basic: false,
            client_certificate: true,
        },
        ..Settings::default()
    };
    let Some(lab) = Lab::start(settings).await else {
        return;
    };
    for user in ["ciscora", "nobody"] {
        let identity = lab.simulator.client_identity(user).unwrap();
        identity
            .save(lab.file("client.pem"), lab.file("client.key.pem"))
            .unwrap();
        let mut curl = lab.curl();
        curl.arg("--cert").arg(lab.file("client.pem"));
        curl.arg("--key").arg(lab.file("client.key.pem"));
        assert!(curl.arg(lab.url("/certsrv/")).output().unwrap().status.success());
    }
    lab.anonymous(&[], "/certsrv/");
    assert_eq!(
        columns(&lab.simulator.log()),
        [
            "GET /certsrv/ - MICHAMEN\\ciscora 200 0 0",
            // A certificate of the authority, but of nobody who has an account.
            "GET /certsrv/ - - 403 7 5",
            "GET /certsrv/ - - 403 7 5",
        ]
    );
}

/// NTLM may be spoken under the name Negotiate; what is no NTLM in it, such as Kerberos, is refused.
#[tokio::test(flavor = "multi_thread")]
async fn negotiate_carries_ntlm_and_nothing_else() {
    let Some(lab) = Lab::with_faults(&[]).await else {
        return;
    };
    let ask = |token: &str| {
        let header = format!("Authorization: Negotiate {token}");
        lab.anonymous(&["--head", "--header", &header], "/certsrv/")
            .text()
    };
    // A NEGOTIATE with the flags of curl.
    let head = ask("TlRMTVNTUAABAAAABoIIAAAAAAAAAAAAAAAAAAAAAAA=");
    assert!(
        head.contains("Www-Authenticate: Negotiate TlRMTVNTUAAC"),
        "{head}"
    );
    // The beginning of a SPNEGO token.
    let head = ask("YIIBhgYGKwYBBQUC");
    assert!(head.contains("Www-Authenticate: Negotiate\r\n"), "{head}");
    assert_eq!(
        columns(&lab.simulator.log()),
        [
            "HEAD /certsrv/ - - 401 1 2148074254",
            "HEAD /certsrv/ - - 401 1 2148074248",
        ]
    );
}
