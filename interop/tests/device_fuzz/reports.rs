//! The reports are well-formed whatever is in them.

use std::path::Path;
use std::process::Command;

use interop::device_fuzz::case::{Case, Layer, Step, Transport};
use interop::device_fuzz::report;
use interop::device_fuzz::resume::{Finding, State};
use interop::device_fuzz::verdict::{Harm, Verdict};
use interop::peers::find_or_skip;

use crate::support::small_budget;

/// A run with everything in it, and markup where texts stand.
fn state() -> State {
    let identity = interop::device_fuzz::resume::Identity {
        grammar: "nmsp".to_owned(),
        target: "<device> & \"friends\"".to_owned(),
        seed: 3,
        case_budget: small_budget(),
        first_cases: String::new(),
    };
    let mut state = State::new(identity, vec!["nmsp".to_owned(), "it's".to_owned()]);
    let case = Case {
        index: 8,
        seed: 3,
        layer: Layer::Framing,
        name: "a <length> & more: \"x\" \u{1}".to_owned(),
        script: vec![
            Step::Open {
                transport: Transport::Tls,
            },
            Step::send([0xde, 0xad, 0xbe, 0xef]),
            Step::send_raw([1]),
            Step::HalfClose,
        ],
    };
    state.question = "an echo <is> answered".to_owned();
    state.next = 2;
    state.count(&case, Verdict::Recovered);
    let harmless = Case {
        name: "harmless".to_owned(),
        ..case.clone()
    };
    state.count(&harmless, Verdict::Accepted);
    state.findings.push(Finding {
        number: 1,
        harm: Harm::Recovered {
            symptom: "it said </pre><script>alert(1)</script>".to_owned(),
            after_milliseconds: 1234,
        },
        minimal: Some(case.clone()),
        case,
        minimisation: "Nothing more can be taken away; 9 trials.".to_owned(),
        seen: vec!["0 bytes came, the device closed the connection".to_owned()],
        repeated: 4,
    });
    state
}

/// Lets Python read a file; `None` without Python.
fn python(program: &str, file: &Path) -> Option<String> {
    let output = Command::new(find_or_skip("python3")?)
        .args(["-c", program])
        .arg(file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn junit_is_xml_in_which_the_mutation_with_a_finding_has_failed() {
    const READ: &str = "import sys, xml.etree.ElementTree as t\n\
        root = t.parse(sys.argv[1]).getroot()\n\
        print(root.tag, root.get('tests'), root.get('failures'))\n\
        for case in root.iter('testcase'): print(case.get('name'), len(case.findall('failure')))\n\
        print(root.find('.//failure').text)";
    let folder = tempfile::tempdir().unwrap();
    report::write(&state(), folder.path()).unwrap();
    let Some(read) = python(READ, &folder.path().join(report::JUNIT_FILE)) else {
        return;
    };
    let expected = [
        "testsuites 2 1\n",
        "a <length> & more 1\n",
        "harmless 0\n",
        "deadbeef",
        "interop fuzz replay ",
    ];
    for part in expected {
        assert!(read.contains(part), "{part:?} is not in {read}");
    }
}

#[test]
fn html_has_every_tag_closed_and_no_markup_from_outside() {
    const READ: &str = "import sys, html.parser\n\
        class P(html.parser.HTMLParser):\n\
        \x20   open, tags = [], []\n\
        \x20   def handle_starttag(self, tag, attrs):\n\
        \x20       self.tags.append(tag)\n\
        \x20       for name, value in attrs: assert name not in ('src', 'href', 'onclick'), name\n\
        \x20       if tag != 'meta': self.open.append(tag)\n\
        \x20   def handle_endtag(self, tag): assert self.open.pop() == tag, tag\n\
        p = P(convert_charrefs=True)\n\
        p.feed(open(sys.argv[1], encoding='utf-8').read()); p.close()\n\
        assert not p.open, p.open\n\
        print(' '.join(p.tags))";
    let folder = tempfile::tempdir().unwrap();
    report::write(&state(), folder.path()).unwrap();
    let file = folder.path().join(report::HTML_FILE);
    let text = std::fs::read_to_string(&file).unwrap();
    for part in [
        "<html lang=\"en\">",
        "<caption>",
        "scope=\"col\"",
        "deadbeef",
        "interop fuzz replay",
        "&lt;script&gt;",
    ] {
        assert!(text.contains(part), "{part:?} is missing");
    }
    let Some(tags) = python(READ, &file) else {
        return;
    };
    assert!(
        !tags
            .split(' ')
            .any(|tag| tag.contains("script") || tag.trim() == "img"),
        "{tags}"
    );
}
