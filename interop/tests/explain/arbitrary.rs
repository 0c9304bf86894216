//! Any bytes at all.

use std::collections::BTreeMap;

use interop::explain::{Report, Settings, Source};

use super::{all_traces, explain_with};

/// What holds for every input: no line is lost or counted twice, sessions are counted, and both renderings are possible.
fn holds(bytes: &[u8]) -> Report {
    let report = explain_with(Settings::default(), &[("first", bytes), ("second", bytes)]);
    for file in &report.files {
        let lines = bytes.split(|byte| *byte == b'\n').count()
            - usize::from(bytes.is_empty() || bytes.ends_with(b"\n"));
        assert_eq!(file.lines, u64::try_from(lines).unwrap());
        let understood: u64 = file.sources.values().map(|counts| counts.understood).sum();
        assert_eq!(file.lines, file.blank + understood + file.not_understood());
    }
    let left_out: u64 = report.left_out.iter().map(|left| left.count).sum();
    let told = u64::try_from(report.sessions.len()).unwrap();
    assert_eq!(
        report.succeeded + report.failed + report.unfinished,
        told + left_out
    );
    let text = report.to_string();
    assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    assert_eq!(
        report.to_json()["sessions"].as_array().unwrap().len(),
        report.sessions.len()
    );
    report
}

/// Lines of the traces, damaged ones among them, and lines of any bytes. The seed decides.
fn lines(random: &mut fastrand::Rng, known: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.usize(0..120) {
        let mut line = random.choice(known).unwrap().clone().into_bytes();
        match random.u8(0..9) {
            0..4 => {}
            4..6 => line.truncate(random.usize(0..=line.len())),
            6..8 => {
                let place = random.usize(0..line.len());
                line[place] = random.u8(..);
            }
            _ => line = (0..random.usize(0..80)).map(|_| random.u8(..)).collect(),
        }
        bytes.extend(line);
        bytes.extend_from_slice(random.choice([&b"\n"[..], b"\r\n", b""]).unwrap());
    }
    bytes
}

#[test]
fn any_lines_are_counted_and_none_panics() {
    let known: Vec<String> = all_traces()
        .iter()
        .flat_map(|(_, text)| text.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    for seed in 0..200 {
        println!("seed {seed}");
        holds(&lines(&mut fastrand::Rng::with_seed(seed), &known));
    }
}

#[test]
fn any_bytes_are_counted_and_none_panics() {
    for seed in 0..200 {
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let bytes: Vec<u8> = (0..random.usize(0..600)).map(|_| random.u8(..)).collect();
        holds(&bytes);
    }
}

#[test]
fn every_trace_with_any_byte_replaced_is_counted() {
    for (_, text) in all_traces() {
        for place in (0..text.len()).step_by(101) {
            for byte in [0, b'\n', b' ', b'9', 0xff] {
                let mut bytes = text.clone().into_bytes();
                bytes[place] = byte;
                holds(&bytes);
            }
        }
    }
}

#[test]
fn a_long_log_keeps_its_counts() {
    let mut log = String::new();
    for line in 0..20_000_u32 {
        let (minute, second) = (line / 60 % 60, line % 60);
        log.push_str(&format!(
            "[06/06/15 {:02}:{minute:02}:{second:02}.000 UTC {:x} 10205] sending NMSP_APP_MEAS_NOTIFY_MSG to LocServer {}\n",
            line / 3600,
            line + 1,
            line % 40
        ));
    }
    let report = holds(log.as_bytes());
    let counts: BTreeMap<_, _> = report.files[0]
        .sources
        .iter()
        .map(|(source, counts)| (*source, counts.understood))
        .collect();
    assert_eq!(counts, BTreeMap::from([(Source::NmspTrace, 20_000)]));
    assert_eq!(report.files[0].gaps.gaps, 0);
}
