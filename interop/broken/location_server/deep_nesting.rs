//! `deep-nesting`: recursion without a limit.
//!
//! The device indexes the elements of each message before it uses them. For elements inside an element the function calls
//! itself. It runs in a task with a small stack, as tasks have it on an appliance; enough levels use it up, and the process
//! dies.

use std::hint::black_box;
use std::net::SocketAddr;
use std::thread;

use super::connect_again;
use crate::lab::{Failed, Lab};
use crate::message::HEADER;

/// The stack of the task that indexes, in bytes.
const STACK: usize = 64 * 1024;

/// What each level notes about the element it is in, in bytes.
const NOTES: usize = 1024;

/// Runs the device.
pub(crate) fn stay_connected(controller: SocketAddr, lab: &Lab) -> Result<(), Failed> {
    connect_again(controller, &lab.location_server_tls()?, |message| {
        let body = message.get(HEADER..).unwrap_or_default();
        let task = thread::Builder::new().name("index".to_owned()).stack_size(STACK);
        thread::scope(|scope| {
            // A machine without a thread to spare has no index either.
            drop(task.spawn_scoped(scope, || index(body, 0)));
        });
    })
}

/// Notes the elements of a value, and those inside them; how many there are.
fn index(value: &[u8], level: usize) -> usize {
    let mut notes = [0_u8; NOTES];
    let mut count = 0;
    for (place, element) in elements(value).into_iter().flatten().enumerate() {
        if let Some(note) = notes.get_mut(place) {
            *note = u8::try_from(level).unwrap_or(u8::MAX);
        }
        // The planted defect: nothing says how deep it may go.
        count += 1 + index(element, level + 1);
    }
    black_box(&notes);
    count
}

/// The values of a run of elements; `None` if this is something else.
fn elements(mut value: &[u8]) -> Option<Vec<&[u8]>> {
    let mut elements = Vec::new();
    while !value.is_empty() {
        let (head, rest) = value.split_first_chunk::<4>()?;
        let [_, _, high, low] = *head;
        let (element, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
        elements.push(element);
        value = rest;
    }
    Some(elements)
}
