//! How good the detective is, over cases whose answers are known: beside the original, a score without a model, and chance.
//!
//! **Promises:** those who rank are given questions, and only the judge has what is true: [`cases`] tells the two apart, and no more
//! than a [`cases::Question`] comes to [`lesson`] and [`exam`]. The same cases give the same figures.
//!
//! **Never:** it prints no results, and scores nothing while it records.
//!
//! - [`live`]: a plan played on this host, which makes such cases
//! - [`cases`]: the list of a directory, in one of two forms
//! - [`stream`]: a file's snapshots, [`lines`] of JSON by the table of [`columns`], or a [`recording`]
//! - [`rankers`]: what is at work, and other ways to score and to rank
//! - [`lesson`]: learning from a healthy stream; [`exam`]: what each ranker answers
//! - [`judge`]: answers held against what is true, by [`places`]; [`figures`] of many, with [`intervals`]
//! - [`report`]: for programs; [`table`]: for people; [`pictures`]: to look at

pub mod cases;
pub mod columns;
pub mod exam;
pub mod figures;
pub mod intervals;
pub mod judge;
pub mod lesson;
pub mod lines;
pub mod live;
pub mod pictures;
pub mod places;
pub mod rankers;
pub mod recording;
pub mod report;
pub mod stream;
pub mod table;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::bail;

use cases::Case;
use lesson::{School, Watches};
use report::Results;

/// Judges the cases of a directory; with a folder for them, draws pictures too.
///
/// # Errors
/// If a case cannot be read or judged, or all is to end.
pub fn judge_all(
    school: &School,
    folder: &Path,
    only: &[String],
    pictures: Option<PathBuf>,
) -> anyhow::Result<Results> {
    let cases = cases::read(folder, only)?;
    let pictures = pictures.map(pictures::Folder::create).transpose()?;
    let mut results = Results { left_out: cases::left_out(folder)?, ..Results::default() };
    for of_stream in by_healthy_stream(&cases) {
        judge_stream(school, &of_stream, pictures.as_ref(), &mut results)?;
    }
    let place = |name: &str| cases.iter().position(|case| case.name == name);
    results.judged.sort_by_key(|judged| place(&judged.case.name));
    if let Some(pictures) = pictures {
        pictures.draw_figures(&results)?;
    }
    Ok(results)
}

/// Cases that learn from one stream stand together, so that the models of one stream are held at a time.
fn by_healthy_stream(cases: &[Case]) -> Vec<Vec<&Case>> {
    let mut groups: Vec<Vec<&Case>> = Vec::new();
    for case in cases {
        match groups.iter_mut().find(|group| group[0].question.learned_from() == case.question.learned_from()) {
            Some(group) => group.push(case),
            None => groups.push(vec![case]),
        }
    }
    groups
}

fn judge_stream(
    school: &School,
    cases: &[&Case],
    pictures: Option<&pictures::Folder>,
    results: &mut Results,
) -> anyhow::Result<()> {
    let Some(first) = cases.first() else { return Ok(()) };
    let began = Instant::now();
    let learned = school.learn(&first.question)?;
    let name = first.question.learned_from();
    eprintln!("learned from `{name}` in {:.1} s; {}", began.elapsed().as_secs_f64(), table::cases(cases.len()));
    results.quiet.extend(learned.quiet.map(|quiet| (first.truth.system.clone(), quiet.to_vec())));
    let mut going_on: Option<Watches> = None;
    for case in cases {
        if school.shutdown.is_cancelled() {
            bail!("interrupted before all cases were judged");
        }
        // What is harmless was recorded without a break: an alarm that goes on from one to the next is one alarm.
        let begun = going_on.take().filter(|_| case.truth.is_harmless);
        let mut watches = begun.unwrap_or_else(|| exam::begin(school, case.question.form, &learned));
        let answers = exam::sit(&case.question, &learned, &mut watches)?;
        going_on = case.truth.is_harmless.then_some(watches);
        let judged = judge::judge(case, &answers);
        if let Some(pictures) = pictures {
            pictures.draw_timeline(case, &answers)?;
        }
        results.judged.push(judged);
    }
    Ok(())
}
