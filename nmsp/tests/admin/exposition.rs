//! The two text formats, read strictly by our own rules, and by Python's parser where it is installed.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use nmsp::admin::AdminConfig;

use crate::support::Lab;
use crate::{Admin, http, peers};

type Labels = Vec<(String, String)>;

/// What an exposition says: samples by name and labels.
pub(crate) struct Exposition(HashMap<String, Vec<(Labels, u64)>>);

impl Exposition {
    /// Takes only what both formats allow of what we write: a family has HELP and TYPE before its samples, once; names
    /// and labels are made of the allowed characters; no sample comes twice; values are whole numbers.
    pub(crate) fn parse(text: &str) -> Self {
        let (mut samples, mut helped, mut types) = (HashMap::new(), HashSet::new(), HashMap::new());
        let mut current = String::new();
        assert!(text.ends_with('\n'));
        let text = text.strip_suffix("# EOF\n").unwrap_or(text);
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                assert!(helped.insert(name.to_owned()) && !help.is_empty(), "{line}");
                name.clone_into(&mut current);
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                assert_eq!(name, current, "TYPE follows its HELP");
                assert!(["counter", "gauge", "info"].contains(&kind), "{line}");
                assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{line}");
            } else {
                let (name, labels, value) = sample(line);
                assert!(
                    name == current
                        || name
                            .strip_prefix(&current)
                            .is_some_and(|suffix| ["_total", "_info"].contains(&suffix)),
                    "{line}"
                );
                let values: &mut Vec<(Labels, u64)> = samples.entry(name).or_default();
                assert!(values.iter().all(|(known, _)| *known != labels), "twice: {line}");
                values.push((labels, value));
            }
        }
        assert!(types.len() > 20 && types.len() == helped.len());
        Self(samples)
    }

    /// The one sample that has these labels, whatever others it has.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        let samples = self.0.get(name).unwrap_or_else(|| panic!("no metric {name}"));
        let matching: Vec<u64> = samples
            .iter()
            .filter(|(own, _)| {
                labels
                    .iter()
                    .all(|(key, value)| own.iter().any(|(k, v)| k == key && v == value))
            })
            .map(|(_, value)| *value)
            .collect();
        assert_eq!(matching.len(), 1, "{name} {labels:?}: {samples:?}");
        matching[0]
    }
}

fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_lowercase())
        && characters.all(|each| each.is_ascii_lowercase() || each.is_ascii_digit() || each == '_')
}

fn sample(line: &str) -> (String, Labels, u64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = match series.split_once('{') {
        Some((name, rest)) => (name, rest.strip_suffix('}').unwrap()),
        None => (series, ""),
    };
    assert!(is_name(name), "{line}");
    let mut read = Vec::new();
    let mut rest = labels;
    while !rest.is_empty() {
        let (key, after) = rest.split_once("=\"").unwrap();
        assert!(is_name(key), "{line}");
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next().unwrap() {
                (_, '\\') => value.push(match characters.next().unwrap().1 {
                    'n' => '\n',
                    escaped @ ('\\' | '"') => escaped,
                    other => panic!("escape {other}: {line}"),
                }),
                (end, '"') => break end,
                (_, plain) => value.push(plain),
            }
        };
        read.push((key.to_owned(), value));
        rest = &after[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    (name.to_owned(), read, value.parse().unwrap())
}

const PYTHON: &str = "
import sys
text = sys.stdin.read()
if sys.argv[1] == 'openmetrics':
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
else:
    from prometheus_client.parser import text_string_to_metric_families as parse
for family in parse(text):
    for sample in family.samples:
        print(family.type, sample.name, sorted(sample.labels.items()), int(sample.value))
";

#[tokio::test]
async fn both_formats_say_the_same_and_are_read_by_the_parser_of_prometheus_client_for_python() {
    let lab = Lab::start(|_| {}).await;
    let admin = Admin::start(&lab.handle, AdminConfig::default()).await;
    let client = lab.connect().await;
    client.close().await.unwrap();
    crate::support::until("the connection is gone", || {
        lab.handle.status().iter().all(|status| !status.active)
    })
    .await;
    let text = admin.get("/metrics").await;
    let accept = [("Accept", "application/openmetrics-text")];
    let open = http::get(admin.address, "/metrics", &accept).await;
    lab.stop().await;
    let (plain, open_samples) = (Exposition::parse(text.text()), Exposition::parse(open.text()));
    assert_eq!(plain.0, open_samples.0);
    assert!(open.text().ends_with("# EOF\n") && !text.text().contains("EOF"));

    let Some(python) = peers::find_python_module_or_skip("prometheus_client") else {
        return;
    };
    for (format, exposition, samples) in [("text", &text, &plain), ("openmetrics", &open, &open_samples)] {
        let mut parser = Command::new(&python)
            .args(["-c", PYTHON, format])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        parser.stdin.take().unwrap().write_all(&exposition.body).unwrap();
        let output = parser.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{format}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let lines = String::from_utf8(output.stdout).unwrap();
        let expected: usize = samples.0.values().map(Vec::len).sum();
        assert_eq!(lines.lines().count(), expected, "{format}: {lines}");
        let success = "counter nmsp_ssl_stats_accept_success_total [] 1";
        assert!(lines.lines().any(|line| line == success), "{format}: {lines}");
    }
}
