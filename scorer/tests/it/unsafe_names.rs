//! Names on a host can contain anything. What people read of them cannot.

use graph::HostGraph;
use schemas::{EventKind, Evidence, RootCauseEvent, text::clean};
use scorer::{
    AlarmConfig,
    host::Host,
    incident::IncidentTracker,
    render::{Colour, render_event, render_explanation},
};
use serde_json::Value;

use crate::fixture::scored_graph;

/// Clears the screen, breaks the line and reverses the direction of writing.
const UNSAFE: &str = "\u{1b}[2J\n\u{202e}\u{200b}";

const SWEEP: &str = "\
    process db lock_wait_ms=2\n\
    process loop\n\
    file data\n\
    db > data waits-lock 900\n\
    loop > data holds-lock\n\
    db > loop waits-for 900";

/// The event of an incident on a host where every name is unsafe.
fn unsafe_event() -> RootCauseEvent {
    let mut host = Host::new(IncidentTracker::new(AlarmConfig::default(), []), "c");
    let mut events = Vec::new();
    for sequence in 0..5 {
        let mut scored = scored_graph(sequence, SWEEP);
        let mut snapshot = scored.graph.snapshot().clone();
        for node in &mut snapshot.nodes {
            node.name += UNSAFE;
            node.role += UNSAFE;
            node.path = node.path.take().map(|path| path + UNSAFE);
        }
        let nodes = (0..3).collect();
        snapshot.evidence.push(Evidence { source: UNSAFE.into(), text: UNSAFE.into(), nodes });
        scored.graph = HostGraph::new(snapshot).unwrap();
        events.extend(host.process(scored).0.into_iter().map(|change| change.event));
    }
    events.remove(0)
}

fn check_all_text_is_clean(value: &Value) {
    match value {
        Value::String(text) => assert_eq!(clean(text), text.as_str()),
        Value::Array(values) => values.iter().for_each(check_all_text_is_clean),
        Value::Object(fields) => fields.values().for_each(check_all_text_is_clean),
        _ => {}
    }
}

#[test]
fn all_text_of_an_event_is_safe_to_show() {
    let event = unsafe_event();
    assert_eq!(event.event, EventKind::Opened);
    assert!(event.summary.contains("loop\\x1b[2J\\x0a\\xe2\\x80\\xae"), "{}", event.summary);
    assert!(event.initiating.as_ref().unwrap().why.len() > 1);
    check_all_text_is_clean(&serde_json::to_value(&event).unwrap());
}

#[test]
fn all_fields_of_an_event_from_elsewhere_are_cleaned_when_it_is_printed() {
    let mut event = unsafe_event();
    for text in [&mut event.incident, &mut event.host, &mut event.summary] {
        *text += UNSAFE;
    }
    event.previous = Some(UNSAFE.to_owned());
    event.initiating.as_mut().unwrap().kind = UNSAFE.into();
    for text in [render_event(&event, Colour::Off), render_explanation(&event, Colour::Off)] {
        for line in text.lines() {
            assert_eq!(clean(line), line);
        }
        assert!(text.contains("\\x1b[2J\\x0a"), "{text}");
    }
}
