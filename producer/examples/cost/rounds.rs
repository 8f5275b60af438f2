//! Interleaved rounds of everything that is compared, so that background load affects all alike.

use producer::Sweeper;
use rustix::time::{ClockId, clock_gettime};
use schemas::GraphSnapshot;
use serde_json::{Value, json};

use crate::{
    floor::Floor,
    producer,
    questions::{Files, Recorded},
    theirs::Theirs,
};

/// Rounds that are not counted.
const WARMING_UP: usize = 2;
/// What each round measures.
const NAMES: [&str; 4] = ["floor_ms", "full_sweep_ms", "procfs_ms", "usual_sweep_ms"];

/// Measures CPU milliseconds: for each name one value per round.
///
/// # Errors
/// If this host cannot be swept.
pub fn measure(rounds: usize) -> anyhow::Result<Value> {
    let mut recorded = Recorded::new(producer(true))?;
    let theirs = Theirs::new(&Files::from_reads(&recorded.questions()?));
    let [mut full, mut usual] = [Sweeper::new(producer(true))?, Sweeper::new(producer(false))?];
    let root = producer(true).sweep.proc;
    let mut milliseconds = NAMES.map(|_| Vec::new());
    for round in 0..WARMING_UP + rounds {
        // Prepared again for each round, because processes come and go.
        let mut floor = Floor::new(&recorded.questions()?, &recorded.opened, &root)?;
        // The order rotates: what runs later finds some of its data in the caches, or less of it.
        for which in (0..NAMES.len()).map(|at| (round + at) % NAMES.len()) {
            let took = match which {
                0 => timed(|| floor.sweep()),
                1 => timed(|| drop(full.sweep())),
                2 => timed(|| theirs.sweep()),
                _ => timed(|| drop(usual.sweep())),
            };
            if round >= WARMING_UP {
                milliseconds[which].push(took);
            }
        }
    }
    let last = usual.sweep()?;
    let mut answer = json!({
        "processes": last.nodes.iter().filter(|node| node.kind == "process").count(),
        "fds": sum(&last, "fds"),
        "not_in_procfs": theirs.without,
    });
    for (name, values) in NAMES.into_iter().zip(milliseconds) {
        answer[name] = json!(values);
    }
    Ok(answer)
}

/// CPU milliseconds of all threads; wall time would include background load.
fn timed(work: impl FnOnce()) -> f64 {
    let used = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
    };
    let before = used();
    work();
    used() - before
}

fn sum(snapshot: &GraphSnapshot, column: &str) -> f64 {
    let column = snapshot.columns.iter().find(|known| known.name == column);
    column.map_or(0.0, |column| column.values.iter().copied().map(f64::from).sum())
}
