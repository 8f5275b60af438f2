//! CPU time of scoring, blame and incidents in sweeps of hosts of different sizes, half of whose
//! nodes are abnormal. A time per node that stays the same shows linear cost.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::{machine, release, rounding::to_hundredth};

/// How large the hosts are, and how many sweeps.
#[derive(Args)]
pub struct ScorerArgs {
    /// How many nodes a host has; one measurement each.
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 5000, 50_000])]
    nodes: Vec<usize>,
    /// How many sweeps to measure; figures are medians.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(3..))]
    sweeps: u32,
}

/// Measures and prints.
///
/// # Errors
/// If the measuring program cannot be built or run.
pub fn run(args: &ScorerArgs, json: bool) -> anyhow::Result<()> {
    let program = release::build(&["--package", "evaluation", "--example", "sweep_cost"])?.join("examples/sweep_cost");
    let mut rows = Vec::new();
    for nodes in &args.nodes {
        eprintln!("measuring {nodes} nodes");
        let mut command = Command::new(&program);
        command.args([nodes.to_string(), args.sweeps.to_string()]).stderr(Stdio::inherit());
        let output = command.output().with_context(|| format!("cannot run `{}`", program.display()))?;
        ensure!(output.status.success(), "`{}` failed: {}", program.display(), output.status);
        let printed: Vec<Value> =
            serde_json::from_slice(&output.stdout).context("the measuring program did not print a JSON array")?;
        rows.extend(printed);
    }
    if json {
        println!("{}", json!({"machine": machine::describe(), "scorer": rows}));
        return Ok(());
    }
    println!("{}\n", machine::describe());
    println!(
        "| failure | nodes | score | blame | incidents and ranking | per node | events |\n|---|---|---|---|---|---|---|"
    );
    for row in &rows {
        let figure = |key: &str| to_hundredth(row[key].as_f64().unwrap_or_default());
        println!(
            "| {} | {} | {} ms | {} ms | {} ms | {} µs | {} |",
            row["failure"].as_str().unwrap_or_default(),
            row["nodes"],
            figure("score_ms"),
            figure("blame_ms"),
            figure("incidents_ms"),
            figure("us_per_node"),
            row["events"]
        );
    }
    Ok(())
}
