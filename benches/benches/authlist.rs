//! An authlist of a large network: how long a look-up takes, and how long the import of a file.
//!
//! The baselines do the part that no authlist can do without: the bare hash map look-up, and taking the same text apart
//! into lines and hexadecimal digits.

#![allow(missing_docs, reason = "a benchmark has no documented interface")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hint::black_box;

use benches::Comparison;
use criterion::{BatchSize, Throughput};
use pki_common::MacAddr;
use pki_common::authlist::{AuthList, AuthListFormat};

const ENTRIES: u32 = 100_000;

fn main() {
    let mut criterion = benches::criterion();
    let text = text();
    let list = AuthList::import(AuthListFormat::AireOs, &text).expect("a valid list");
    assert_eq!(
        list.len(),
        usize::try_from(ENTRIES).expect("small"),
        "every line is an entry"
    );
    let asked: Vec<MacAddr> = (0..1024).map(|number| mac(number * 97)).collect();

    let bare: HashMap<MacAddr, usize> = (0..ENTRIES).map(mac).zip(0..).collect();
    let mut group = criterion.benchmark_group("authlist-look-up");
    group.throughput(Throughput::Elements(1));
    let mut next = asked.iter().cycle();
    group.bench_function("ours", |b| {
        b.iter_batched(
            || *next.next().expect("endless"),
            |mac| list.entries(black_box(mac)).len(),
            BatchSize::SmallInput,
        );
    });
    group.bench_function("hash map", |b| {
        b.iter_batched(
            || *next.next().expect("endless"),
            |mac| bare.get(&black_box(mac)).copied(),
            BatchSize::SmallInput,
        );
    });
    group.finish();

    let mut group = criterion.benchmark_group("authlist-import");
    group.throughput(Throughput::Elements(u64::from(ENTRIES)));
    group.bench_function("ours", |b| {
        b.iter(|| AuthList::import(AuthListFormat::AireOs, black_box(&text)).map(|list| list.len()));
    });
    group.bench_function("lines and digits", |b| {
        b.iter(|| lines_and_digits(black_box(&text)));
    });
    group.finish();
    criterion.final_summary();

    Comparison {
        group: "authlist-look-up",
        ours: "ours",
        baseline: "hash map",
        what: "authlist look-up, 100,000 entries",
    }
    .report();
    Comparison {
        group: "authlist-import",
        ours: "ours",
        baseline: "lines and digits",
        what: "authlist import, 100,000 entries",
    }
    .report();
}

fn mac(number: u32) -> MacAddr {
    let [a, b, c, d] = (number % ENTRIES).to_be_bytes();
    MacAddr::from([0x02, 0x50, a, b, c, d])
}

fn text() -> String {
    let mut text = String::new();
    for number in 0..ENTRIES {
        let hash = format!("{:064x}", u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        writeln!(text, "config auth-list add sha256-lbs-ssc {} {hash}", mac(number)).expect("a string");
    }
    text
}

fn lines_and_digits(text: &str) -> usize {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().rev();
            let hash = words.next()?;
            let mac: MacAddr = words.next()?.parse().ok()?;
            let digits = hash.bytes().filter(u8::is_ascii_hexdigit).count();
            Some((mac, digits))
        })
        .count()
}
