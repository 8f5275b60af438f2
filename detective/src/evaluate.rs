//! `detective evaluate`: how well root causes are found, on cases with a known answer.

use std::path::PathBuf;

use clap::Args;
use evaluation::{
    evaluate_cases,
    experiment::{Plan, run_experiment},
    settings::EvaluationSettings,
    table,
};
use service::Hint;

use crate::{config::Config, output::print};

/// Flags of `evaluate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  detective evaluate cases
  detective evaluate cases --hint           rankers know which node shows the symptom
  detective evaluate cases --json --pictures pictures
  detective evaluate trial --plan deploy/demo/plan.toml
                                            start a shop, learn, inject every fault, and evaluate")]
pub struct EvaluateArgs {
    /// Directory with `cases.json` and a file of snapshots for each case: lines of JSON, or
    /// recordings.
    pub directory: PathBuf,
    /// First execute this plan on this host, and record it into the directory, which must be new or
    /// empty.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Seed of the order of a plan's faults.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "plan")]
    pub seed: u64,
    /// Give rankers the node that shows the symptom, if a case names it.
    #[arg(long)]
    pub hint: bool,
    /// Print one JSON object, and nothing else on standard output.
    #[arg(long)]
    pub json: bool,
    /// Write figures, and the scores around each recorded fault (200 at most), to this folder as
    /// SVG.
    #[arg(long, value_name = "FOLDER")]
    pub pictures: Option<PathBuf>,
    /// Evaluate only these cases.
    #[arg(long, value_name = "CASE", value_delimiter = ',')]
    pub only: Vec<String>,
}

/// Executes a plan, if there is one, then evaluates the cases of the directory and prints the
/// results.
///
/// # Errors
/// If the plan cannot be executed, a case cannot be read or judged, or a signal comes before the
/// end.
pub async fn run(config: Config, args: &EvaluateArgs) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    if let Some(plan) = &args.plan {
        let mut producer = config.producer();
        producer.own_paths.push(std::path::absolute(&args.directory)?);
        run_experiment(&Plan::read(plan)?, args.seed, &args.directory, producer, shutdown.clone()).await?;
        if shutdown.is_cancelled() {
            return Err(anyhow::anyhow!("the experiment was interrupted"))
                .hint("run it again without `--plan` to evaluate what was recorded");
        }
    }
    let settings = EvaluationSettings { training: config.training, alarm: config.alarm };
    let evaluation = tokio::task::spawn_blocking({
        let settings = settings.clone();
        let directory = args.directory.clone();
        let only = args.only.clone();
        let pictures = args.pictures.clone();
        move || evaluate_cases(&settings, &directory, &only, pictures, &shutdown)
    });
    let results = evaluation.await??;
    if args.hint && !results.has_symptoms() {
        eprintln!("no case has a symptom: all figures are without it");
    }
    if args.json {
        print(&format!("{}\n", results.to_json(&settings, args.hint)))
    } else {
        print(&table::render(&results, args.hint))
    }
}
