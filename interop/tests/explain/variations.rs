//! What becomes of traces on their way to a reader: cut, mixed, in another order, with other line ends and names.

use interop::explain::{Gaps, Outcome, Source};

use super::{all_traces, endings, explain, trace};

const REFUSED: &str = "nmsp-authlist-refused.log";
const UP: &str = "nmsp-tunnel-up.log";

#[test]
fn line_ends_change_nothing() {
    for (name, text) in all_traces() {
        let expected = endings(&explain(&text));
        assert_eq!(endings(&explain(&text.replace('\n', "\r\n"))), expected, "{name}");
        assert_eq!(endings(&explain(text.trim_end())), expected, "{name}");
        let spaced = text.replace('\n', "\n\n");
        assert_eq!(endings(&explain(&spaced)), expected, "{name}");
    }
}

#[test]
fn names_addresses_and_hours_change_nothing() {
    for (name, text) in all_traces() {
        let expected: Vec<_> = endings(&explain(&text))
            .into_iter()
            .map(|(_, cause)| cause)
            .collect();
        let other = text
            .replace("14.48.31.128", "2001:db8::7")
            .replace("14.48.31.125", "192.0.2.99")
            .replace("lab-dc.michamen.com", "pki.example.org")
            .replace("lab-dcc.michamen.com", "pkii.example.org")
            .replace("SEP74A02FC0A675", "SEP0200000000AF")
            .replace("b3f8a8d0", "7f12cc004a10")
            .replace("590a6048", "0x55d0")
            .replace(" 2019-0", " 2024-0");
        let causes: Vec<_> = endings(&explain(&other))
            .into_iter()
            .map(|(_, cause)| cause)
            .collect();
        assert_eq!(causes, expected, "{name}");
    }
}

#[test]
fn a_trace_that_is_printed_newest_first_is_put_in_order() {
    for name in [REFUSED, UP, "capf-timed-out.log"] {
        let text = trace(name);
        let expected = endings(&explain(&text));
        // Lines of the same millisecond have an order only where the source numbers them.
        let reversed: String = match name {
            "capf-timed-out.log" => {
                let mut lines: Vec<_> = text.lines().collect();
                lines.sort_by_key(|line| std::cmp::Reverse(line[..12].to_owned()));
                lines.iter().map(|line| format!("{line}\n")).collect()
            }
            _ => text.lines().rev().map(|line| format!("{line}\n")).collect(),
        };
        assert_eq!(endings(&explain(&reversed)), expected, "{name}");
    }
}

#[test]
fn logs_of_several_kinds_in_one_file_are_told_apart() {
    let traces = all_traces();
    let mut expected = Vec::new();
    let mut rest: Vec<_> = Vec::new();
    // Two logs of the registration authority would be one, so there is one of each source.
    for (name, text) in &traces {
        if [
            REFUSED,
            "ces-template-not-offered.log",
            "capf-timed-out.log",
            "iis-phone.log",
            "access.log",
        ]
        .contains(&name.as_str())
        {
            expected.extend(endings(&explain(text)));
            rest.push(text.lines());
        }
    }
    let mut mixed = String::new();
    while !rest.is_empty() {
        rest.retain_mut(|lines| {
            lines
                .next()
                .map(|line| mixed.push_str(&format!("{line}\n")))
                .is_some()
        });
    }
    let report = explain(&mixed);
    let mut found = endings(&report);
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
    assert_eq!(report.files[0].sources.len(), Source::ALL.len());
    assert_eq!(report.files[0].not_understood(), 0);
}

#[test]
fn two_connections_at_a_time_are_told_apart() {
    // The refused one, on the clock and in the sequence of the other one, as its second connection.
    let refused = trace(REFUSED)
        .lines()
        .map(|line| {
            let (_, rest) = line.split_once("] ").unwrap();
            rest.replace("connection 0", "connection 1")
                .replace("conn 0", "conn 1")
                .replace("conn id 0", "conn id 1")
        })
        .collect::<Vec<_>>();
    let named = |line: &&String| line.contains("conn") && !line.contains("sslConnectionInit() success");
    let mut mixed = String::new();
    let mut refused_lines = refused.iter().filter(named);
    for line in trace(UP).lines() {
        let (head, text) = line.split_once("] ").unwrap();
        mixed.push_str(&format!("{head}] {text}\n"));
        // Lines that name their connection may stand anywhere.
        if text.contains("doSSLRecvLoop")
            && let Some(other) = refused_lines.next()
        {
            mixed.push_str(&format!("{head}] {other}\n"));
        }
        if text.contains("calling authlist")
            || text.contains("Authlist authentication")
            || text.contains("NMSP connection success")
        {
            for other in refused_lines.by_ref().take(3) {
                mixed.push_str(&format!("{head}] {other}\n"));
            }
        }
    }
    mixed.extend(refused_lines.map(|line| format!("[06/06/15 17:47:59.000 UTC 600 10205] {line}\n")));
    let report = explain(&mixed);
    assert_eq!(
        (report.succeeded, report.failed, report.sessions.len()),
        (1, 1, 2),
        "{report}"
    );
    let up = report
        .sessions
        .iter()
        .find(|session| session.verdict().is_none())
        .unwrap();
    assert_eq!(
        up.headline(),
        "tunnel up after 1.332 s, of which 1.000 s waiting for the authlist verdict"
    );
}

#[test]
fn a_refusal_is_recognised_by_what_is_left_of_its_trace() {
    let text = trace(REFUSED);
    let lines: Vec<_> = text.lines().collect();
    let verdict = lines
        .iter()
        .position(|line| line.contains("Authlist authentication failed"))
        .unwrap();
    for from in 0..=verdict {
        let rest: String = lines[from..].iter().map(|line| format!("{line}\n")).collect();
        let report = explain(&rest);
        let causes: Vec<_> = endings(&report)
            .into_iter()
            .filter_map(|(_, cause)| cause)
            .collect();
        assert_eq!(causes, ["authlist-refused"], "from line {from}: {report}");
    }
    for to in 0..verdict {
        let report = explain(
            &lines[..to]
                .iter()
                .map(|line| format!("{line}\n"))
                .collect::<String>(),
        );
        assert_eq!(report.failed, 0, "to line {to}");
        assert!(
            report
                .sessions
                .iter()
                .all(|session| matches!(session.outcome, Outcome::Unfinished(_)))
        );
    }
}

#[test]
fn a_trace_may_end_anywhere() {
    for (name, text) in all_traces() {
        // Every place of the last lines, and some of the others.
        let last_lines = text.len().saturating_sub(500);
        for end in (0..last_lines).step_by(61).chain(last_lines..text.len()) {
            let report = explain(&text[..end]);
            let file = &report.files[0];
            assert!(
                file.not_understood() <= 1,
                "{name} to byte {end}: {:?}",
                file.first_unknown
            );
        }
    }
}

#[test]
fn missing_lines_of_a_trace_are_counted() {
    let text = trace(UP);
    let kept: String = text
        .lines()
        .enumerate()
        .filter(|(line, _)| !(10..15).contains(line) && *line != 40)
        .map(|(_, line)| format!("{line}\n"))
        .collect();
    let report = explain(&kept);
    assert_eq!(
        report.files[0].gaps,
        Gaps {
            gaps: 2,
            missing: 6,
            first: Some(11),
            repeated: 0
        }
    );
    let twice = explain(
        &text
            .lines()
            .map(|line| format!("{line}\n{line}\n"))
            .collect::<String>(),
    );
    assert_eq!(
        twice.files[0].gaps.repeated,
        u64::try_from(text.lines().count()).unwrap()
    );
    assert_eq!(twice.files[0].gaps.gaps, 0);
}

#[test]
fn lines_that_are_not_known_are_kept_and_counted() {
    let noise = "something else\n[06/06/15 17:47:35.000 UTC 54a 10205] a message of a later release\n\
                 2019/03/05 12:31:21 [notice] 31067#0: signal process started\n12:38:04.779 | debug 5:SEP1:never seen\n\u{1b}[2Jlast\n";
    let report = explain(&format!("{}{noise}", trace(UP)));
    let file = &report.files[0];
    assert_eq!((file.not_understood(), file.unknown), (5, 2));
    assert_eq!(file.first_unknown.as_ref().unwrap().text, "something else");
    assert_eq!(file.last_unknown.as_ref().unwrap().text, "last");
    assert_eq!(file.sources[&Source::NmspTrace].unknown, 1);
}

#[test]
fn sessions_without_end_are_counted_and_the_first_are_told() {
    let one = trace(REFUSED);
    let mut many = String::new();
    for second in 0..60 {
        many.push_str(&one.replace("20:32:1", &format!("{:02}:{:02}:1", second / 60, second)));
    }
    let report = explain(&many);
    assert_eq!((report.failed, report.sessions.len()), (60, 20));
    assert_eq!((report.left_out.len(), report.left_out[0].count), (1, 40));
}

#[test]
fn windows_text_is_read() {
    for (name, text) in all_traces() {
        let mut utf16 = vec![0xff, 0xfe];
        utf16.extend(
            text.replace('\n', "\r\n")
                .encode_utf16()
                .flat_map(u16::to_le_bytes),
        );
        let report = super::explain_with(super::Settings::default(), &[("log", &utf16)]);
        assert_eq!(endings(&report), endings(&explain(&text)), "{name}");
    }
}
