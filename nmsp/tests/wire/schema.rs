//! The declarations, and the page that is made from them.

use nmsp::wire::schema::{Element, Kind};
use nmsp::wire::{MessageType, WireProfile};

#[test]
fn protocol_md_agrees_with_the_declarations() {
    let document = include_str!("../../PROTOCOL.md");
    let tables = WireProfile::built_in().describe();
    for table in tables.split("### ").filter(|table| !table.is_empty()) {
        let title = table.lines().next().unwrap();
        assert!(
            document.contains(table.trim_end()),
            "PROTOCOL.md differs in {title:?}; it should read:\n### {table}"
        );
    }
    for line in document.lines().filter(|line| line.starts_with("| 0x")) {
        assert!(tables.contains(line), "PROTOCOL.md has a line of its own: {line}");
    }
}

#[test]
fn every_element_is_used_and_no_list_is_longer_than_the_check_can_count() {
    let mut used = Vec::new();
    let lists = MessageType::ALL
        .iter()
        .map(|message| message.elements())
        .chain(Element::ALL.iter().map(|element| element.schema().children));
    for children in lists {
        assert!(children.len() <= 32);
        for (index, child) in children.iter().enumerate() {
            assert!(
                children[..index]
                    .iter()
                    .all(|other| other.element != child.element),
                "{} is declared twice in one list",
                child.element
            );
            used.push(child.element);
        }
    }
    for element in Element::ALL {
        assert!(used.contains(element), "nothing uses {element}");
    }
}

#[test]
fn every_declaration_says_what_it_means() {
    for element in Element::ALL {
        let schema = element.schema();
        assert!(schema.meaning.trim().ends_with('.'), "{element}");
        for field in schema.fields {
            assert!(field.meaning.trim().ends_with('.'), "{element}: {}", field.name);
        }
        let unbounded = |kind: &Kind| matches!(kind, Kind::Text | Kind::Octets | Kind::Civic);
        for field in schema.fields.iter().rev().skip(1) {
            assert!(
                !unbounded(&field.kind),
                "{element}: nothing can follow {}",
                field.name
            );
        }
    }
}

#[test]
fn recalled_identifiers_are_those_of_the_counters_and_ours_begin_at_128() {
    let recalled = [1, 2, 7, 13, 14, 15, 16, 17, 18, 20, 21, 22, 30, 31, 67];
    for message in MessageType::ALL {
        let number = message.built_in_number();
        let expected = if recalled.contains(&number) {
            nmsp::wire::Provenance::Recalled
        } else {
            assert!(number >= 128, "{message} has a number that the vendor may use");
            nmsp::wire::Provenance::Ours
        };
        assert_eq!(message.provenance(), expected, "{message}");
    }
}
