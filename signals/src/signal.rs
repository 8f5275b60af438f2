//! One row of the catalogue, and the search by name.

use std::{collections::HashMap, sync::LazyLock};

use schemas::{Form, Unit};

use crate::{
    Signal,
    class::Class,
    entity::Entity,
    scale::{LIMIT_USE, Scale, Side},
    source::Source,
};

/// What one signal is and means.
#[derive(Debug)]
pub struct Definition {
    /// The name of its column.
    pub name: &'static str,
    /// Names of its column in earlier versions, which old recordings and records carry.
    pub former_names: &'static [&'static str],
    /// The unit of its values.
    pub unit: Unit,
    /// How its values arise.
    pub form: Form,
    /// The entities that have it.
    pub entities: &'static [Entity],
    /// Its name in a reason: `LABEL: 98 %, normally 3 %`; of a flag the label alone.
    pub label: &'static str,
    /// Where it is read.
    pub source: Source,
    /// What an abnormal value means.
    pub class: Class,
    /// The side of the baseline on which a value is abnormal.
    pub side: Side,
    /// How its values are compared.
    pub scale: Scale,
    /// What it is, in one or two sentences.
    pub doc: &'static str,
}

/// What a row states only where it differs from what its unit implies.
pub(crate) struct Options {
    pub formerly: &'static [&'static str],
    pub side: Side,
    /// The least spread, in mapped units.
    pub floor: Option<f32>,
    /// Whether the value is a percentage of a limit.
    pub of_limit: bool,
}

impl Options {
    pub const DEFAULT: Options = Options { formerly: &[], side: Side::High, floor: None, of_limit: false };

    pub const fn scale(&self, unit: &Unit) -> Scale {
        let scale = match Scale::for_unit(unit) {
            _ if self.of_limit => LIMIT_USE,
            Some(scale) => scale,
            None => Scale::UNKNOWN,
        };
        match self.floor {
            Some(floor) => Scale { floor, ..scale },
            None => scale,
        }
    }
}

impl Signal {
    /// The signal of a column, by its present or a former name.
    pub fn from_name(name: &str) -> Option<Signal> {
        static BY_NAME: LazyLock<HashMap<&str, Signal>> = LazyLock::new(|| {
            let named = |signal: &Signal| {
                let Definition { name, former_names, .. } = signal.definition();
                let signal = *signal;
                [*name].into_iter().chain(former_names.iter().copied()).map(move |name| (name, signal))
            };
            Signal::ALL.iter().flat_map(named).collect()
        });
        BY_NAME.get(name).copied()
    }

    /// The name of its column.
    pub fn name(self) -> &'static str {
        self.definition().name
    }

    /// What an abnormal value means.
    pub fn class(self) -> Class {
        self.definition().class
    }
}

/// The present name of a column, if `name` is a former name of a signal in that unit.
pub fn present_name(name: &str, unit: &Unit) -> Option<&'static str> {
    let definition = Signal::from_name(name)?.definition();
    (definition.name != name && definition.unit == *unit).then_some(definition.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_present_or_former_belongs_to_one_signal() {
        let mut names = BTreeSet::new();
        for definition in Signal::ALL.iter().map(|signal| signal.definition()) {
            for name in [definition.name].iter().chain(definition.former_names) {
                assert!(names.insert(*name), "`{name}` names two signals");
            }
        }
    }

    #[test]
    fn a_former_name_finds_the_signal_and_its_present_name() {
        assert_eq!(Signal::from_name("owing_ms"), Some(Signal::RequestPendingMs));
        assert_eq!(present_name("owing_ms", &Unit::Milliseconds), Some("request_pending_ms"));
        assert_eq!(present_name("request_pending_ms", &Unit::Milliseconds), None);
        // A foreign graph may have a column of that name.
        assert_eq!(present_name("owing_ms", &Unit::Count), None);
    }

    #[test]
    fn rows_are_complete_and_consistent() {
        for definition in Signal::ALL.iter().map(|signal| signal.definition()) {
            let name = definition.name;
            assert!(!definition.label.is_empty() && !definition.source.path.is_empty(), "{name}");
            assert!(definition.doc.trim().ends_with('.'), "{name}");
            assert_eq!(definition.unit == Unit::Flag, definition.form == Form::Flag, "{name}");
            assert!(Scale::for_unit(&definition.unit).is_some() && definition.scale.floor > 0.0, "{name}");
        }
    }
}
