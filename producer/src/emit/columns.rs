//! The columns of a snapshot: the values of each signal, and the reasons for missing ones.

use schemas::{Column, Missing};
use signals::{Definition, Signal};

use collector::measure::{Measured, Reason};

/// Columns under construction.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Filling>,
}

#[derive(Clone, Debug, Default)]
struct Filling {
    values: Vec<(i32, f32)>,
    missing: Vec<(Reason, i32)>,
}

impl Table {
    /// All columns, empty.
    pub fn new() -> Table {
        Table { columns: vec![Filling::default(); Signal::ALL.len()] }
    }

    /// Sets the value of a signal of a node, or the reason why it is missing. Call it at most once
    /// per node and signal.
    pub fn put(&mut self, signal: Signal, node: i32, measured: Measured) {
        let Some(column) = self.columns.get_mut(signal as usize) else { return };
        // A snapshot carries finite numbers only.
        match measured.map(|value| value as f32) {
            Ok(value) if value.is_finite() => column.values.push((node, value)),
            Ok(_) => column.missing.push((Reason::Unsupported, node)),
            Err(reason) => column.missing.push((reason, node)),
        }
    }

    /// The columns as records carry them, including empty ones.
    pub fn finish(self) -> Vec<Column> {
        self.columns.into_iter().zip(Signal::ALL).map(|(filling, signal)| filling.finish(*signal)).collect()
    }
}

impl Default for Table {
    fn default() -> Self {
        Table::new()
    }
}

impl Filling {
    fn finish(mut self, signal: Signal) -> Column {
        self.values.sort_by_key(|(node, _)| *node);
        self.values.dedup_by_key(|(node, _)| *node);
        self.missing.sort();
        let (nodes, values) = self.values.into_iter().unzip();
        let missing = self.missing.chunk_by(|(one, _), (other, _)| one == other).filter_map(|same| {
            let (reason, _) = same.first()?;
            Some(Missing { reason: reason.as_str().into(), nodes: same.iter().map(|(_, node)| *node).collect() })
        });
        let missing = missing.collect();
        let Definition { name, unit, form, .. } = signal.definition();
        Column { name: (*name).to_owned(), unit: unit.clone(), form: form.clone(), nodes, values, missing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_in_order_and_a_number_that_is_none_is_missing() {
        let mut table = Table::new();
        table.put(Signal::CpuPct, 3, Ok(1.5));
        table.put(Signal::CpuPct, 1, Ok(0.5));
        table.put(Signal::CpuPct, 2, Ok(f64::NAN));
        table.put(Signal::CpuPct, 5, Err(Reason::FirstSweep));
        let columns = table.finish();
        assert_eq!((columns[0].name.as_str(), columns[0].nodes.as_slice()), ("cpu_pct", [1, 3].as_slice()));
        let missing: Vec<_> =
            columns[0].missing.iter().map(|missing| (missing.reason.as_str(), &missing.nodes[..])).collect();
        assert_eq!(missing, [("unsupported", [2].as_slice()), ("first-sweep", [5].as_slice())]);
        assert_eq!(columns.len(), Signal::ALL.len());
    }
}
