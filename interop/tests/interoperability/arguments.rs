//! The command line of the standard test harness, with any number of filters.

use libtest_mimic::Trial;

/// Options of `libtest_mimic::Arguments` that are followed by a value.
const WITH_VALUE: [&str; 6] = [
    "--color",
    "--format",
    "--logfile",
    "--skip",
    "--test-threads",
    "-Z",
];

/// The arguments without filters, and the filters.
pub(crate) fn split(arguments: impl IntoIterator<Item = String>) -> (Vec<String>, Vec<String>) {
    let (mut options, mut filters) = (Vec::new(), Vec::new());
    let mut is_value = false;
    for argument in arguments {
        if !is_value && !argument.starts_with('-') {
            filters.push(argument);
            continue;
        }
        is_value = !is_value && WITH_VALUE.contains(&argument.as_str());
        options.push(argument);
    }
    (options, filters)
}

/// Leaves those that one of the filters names; all without a filter.
pub(crate) fn select(trials: Vec<Trial>, filters: &[String], exact: bool) -> Vec<Trial> {
    let selected = |name: &str| {
        filters.is_empty()
            || filters.iter().any(|filter| {
                if exact {
                    name == filter
                } else {
                    name.contains(filter.as_str())
                }
            })
    };
    trials
        .into_iter()
        .filter(|trial| selected(trial.name()))
        .collect()
}
