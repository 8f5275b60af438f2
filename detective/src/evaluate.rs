//! How good the detective is, over cases whose answers are known.

use std::path::PathBuf;

use clap::Args;
use evaluation::{judge_all, lesson::School, live, table};
use service::Hint;

use crate::{config::Config, output::print};

/// Flags of `evaluate`.
#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// A directory with `cases.json` and a file of snapshots for each case: lines of JSON, or recordings.
    pub directory: PathBuf,
    /// First play this plan on this host, into the directory, which must be new or empty.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Decides in which order a plan's faults come.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "plan")]
    pub seed: u64,
    /// Tell those who rank which node shows the symptom, where a case says so.
    #[arg(long)]
    pub hint: bool,
    /// One JSON object, and nothing else on standard output.
    #[arg(long)]
    pub json: bool,
    /// Draw the figures, and the scores around each fault of a recording, 200 of them at most, as SVG files into this folder.
    #[arg(long, value_name = "FOLDER")]
    pub pictures: Option<PathBuf>,
    /// Only these cases.
    #[arg(long, value_name = "CASE", value_delimiter = ',')]
    pub only: Vec<String>,
}

/// Plays a plan into the directory, if there is one; then judges the cases that are there, and prints what it found.
///
/// # Errors
/// If the plan cannot be played, a case cannot be read or judged, or a signal comes before all is judged.
pub async fn run(config: Config, args: &EvaluateArgs) -> anyhow::Result<()> {
    let shutdown = service::shutdown::on_signal()?;
    if let Some(plan) = &args.plan {
        let mut producer = config.producer();
        producer.own_paths.push(std::path::absolute(&args.directory)?);
        live::play(&live::Plan::read(plan)?, args.seed, &args.directory, producer, shutdown.clone()).await?;
        if shutdown.is_cancelled() {
            return Err(anyhow::anyhow!("the play was broken off"))
                .hint("without `--plan`, what was played so far is judged");
        }
    }
    let (folder, only, pictures) = (args.directory.clone(), args.only.clone(), args.pictures.clone());
    let school = School { training: config.training, alarm: config.alarm, shutdown };
    let judging = tokio::task::spawn_blocking(move || {
        let results = judge_all(&school, &folder, &only, pictures);
        results.map(|results| (school, results))
    });
    let (school, results) = judging.await??;
    if args.hint && !results.has_symptoms() {
        eprintln!("no case tells a symptom: all figures are without");
    }
    match args.json {
        true => print(&format!("{}\n", results.to_json(&school, args.hint))),
        false => print(&table::render(&results, args.hint)),
    }
}
