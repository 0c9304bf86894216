use std::time::Duration;

use nmsp::proto::policy::{MAX_INTERVAL_SECONDS, MAX_THRESHOLD_DB, MIN_INTERVAL_SECONDS};
use nmsp::proto::{
    DEFAULT_CAPABILITY_TIMEOUT, DEFAULT_ECHO_INTERVAL, DEFAULT_IDLE_TIMEOUT, DEFAULT_MAX_PEER_REQUESTS,
    DEFAULT_MAX_PENDING_REQUESTS, DEFAULT_MAX_SUBSCRIPTION_ENTRIES, DEFAULT_MISSED_ECHO_LIMIT,
    DEFAULT_REQUEST_TIMEOUT, Exchange, LOWEST_PROTOCOL_VERSION, PROTOCOL_VERSION,
};
use nmsp::wire::{DEFAULT_MAX_MESSAGE_LENGTH, MessageType, Services};

const DOCUMENT: &str = include_str!("../../PROTOCOL.md");

/// The rows of the table under a heading.
fn rows(heading: &str) -> Vec<&'static str> {
    let (_, section) = DOCUMENT.split_once(&format!("\n### {heading}\n")).unwrap();
    let section = section.split("\n#").next().unwrap();
    section
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(2)
        .collect()
}

fn compare(heading: &str, expected: &[String]) {
    assert!(
        rows(heading) == expected,
        "PROTOCOL.md differs under {heading:?}; it should read:\n{}",
        expected.join("\n")
    );
}

fn services(services: Services, none: &str) -> String {
    match services.is_empty() {
        true => none.to_owned(),
        false => services.to_string(),
    }
}

#[test]
fn the_table_of_requests_is_that_of_the_code() {
    let row = |message: &MessageType| {
        let exchange = Exchange::of(*message);
        let belongs = match exchange {
            Exchange::Request { services: family, .. } => services(family, ""),
            _ => "the connection itself answers".to_owned(),
        };
        let (response, sender) = (exchange.response()?, message.sender());
        Some(format!("| {message} | {sender} | {response} | {belongs} |"))
    };
    let expected: Vec<_> = MessageType::ALL.iter().filter_map(row).collect();
    assert_eq!(expected.len(), 17);
    compare("Requests", &expected);
}

#[test]
fn the_table_of_notifications_is_that_of_the_code() {
    let row = |message: &MessageType| match Exchange::of(*message) {
        Exchange::Notification { services: family } => {
            let needs = services(family, "none needed");
            Some(format!("| {message} | {} | {needs} |", message.sender()))
        }
        _ => None,
    };
    let expected: Vec<_> = MessageType::ALL.iter().filter_map(row).collect();
    compare("Notifications", &expected);
}

#[test]
fn limits_and_times_are_those_of_the_code() {
    let seconds = |time: Duration| format!("{} s", time.as_secs());
    let table = [
        (
            "the location server sends an Echo Request every",
            seconds(DEFAULT_ECHO_INTERVAL),
        ),
        (
            "it gives up after this many in a row without any message",
            DEFAULT_MISSED_ECHO_LIMIT.to_string(),
        ),
        (
            "the controller gives up after this time without a complete message",
            seconds(DEFAULT_IDLE_TIMEOUT),
        ),
        (
            "time for the first Capability Notification",
            seconds(DEFAULT_CAPABILITY_TIMEOUT),
        ),
        (
            "time for a response, and for each further part of it",
            seconds(DEFAULT_REQUEST_TIMEOUT),
        ),
        (
            "own requests open at a time",
            DEFAULT_MAX_PENDING_REQUESTS.to_string(),
        ),
        (
            "requests of the peer open at a time",
            DEFAULT_MAX_PEER_REQUESTS.to_string(),
        ),
        (
            "groups and parameters in a subscription",
            DEFAULT_MAX_SUBSCRIPTION_ENTRIES.to_string(),
        ),
        (
            "bytes of a received message",
            DEFAULT_MAX_MESSAGE_LENGTH.to_string(),
        ),
    ];
    let expected = table.map(|(what, value)| format!("| {what} | {value} |"));
    compare("Limits and times", &expected);
    for sentence in [
        format!("There is one version: {PROTOCOL_VERSION}."),
        format!(
            "An interval other than 0 and {MIN_INTERVAL_SECONDS} to {MAX_INTERVAL_SECONDS} s, or a threshold above {MAX_THRESHOLD_DB} dB, is refused"
        ),
    ] {
        assert!(DOCUMENT.contains(&sentence), "{sentence}");
    }
    assert_eq!(LOWEST_PROTOCOL_VERSION, PROTOCOL_VERSION);
}
