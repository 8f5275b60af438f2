//! A timeline of the scores around one fault: of the root cause, the most affected node, and the
//! most suspect of all others.

use schemas::{Suspect, Timestamp};

use super::svg::{Anchor, Canvas, Pen};
use crate::{
    case::{Case, NodeLabel},
    case_run::CaseRun,
    judge::{display_name, first_alarm},
    rankers::SweepReport,
};

const LEFT: f64 = 50.0;
const TOP: f64 = 80.0;
const WIDTH: f64 = 700.0;
const HEIGHT: f64 = 240.0;

const ROOT_CAUSE: Pen = Pen { colour: "#0072b2", width: 2.5, dashes: "" };
const AFFECTED: Pen = Pen { colour: "#d55e00", width: 2.0, dashes: "7 4" };
const OTHER: Pen = Pen { colour: "#767676", width: 2.0, dashes: "2 3" };
const AXIS: Pen = Pen { colour: "#222", width: 1.0, dashes: "" };

/// The highest scores of one sweep. `None`: no such node is a suspect.
#[derive(Clone, Copy, Default)]
struct Scores {
    root_cause: Option<f64>,
    affected: Option<f64>,
    other: Option<f64>,
}

/// Draws the scores around a fault as SVG. `None`: the case has no fault, or the fault's time is
/// not known to the second.
pub fn draw(case: &Case, run: &CaseRun) -> Option<String> {
    case.truth.fault.as_ref()?;
    let (begin, end) = case.truth.fault_interval?;
    let sweeps = run.rankers.first()?.sweeps.as_ref()?;
    let scores: Vec<Scores> = sweeps.iter().map(|sweep| highest_scores(case, sweep)).collect();
    let chart = Chart::new(sweeps, &scores, begin)?;
    let alarm = first_alarm(&case.truth, sweeps);
    let title = format!("{}: scores of the detective", case.name);
    let mut canvas = Canvas::new(LEFT + WIDTH + 30.0, TOP + HEIGHT + 60.0, &title, &describe(case, alarm, begin));
    canvas.text((LEFT, 24.0), Anchor::Start, 15, &title);
    draw_legend(&mut canvas, case);
    chart.draw_axes(&mut canvas, end);
    let mut draw_line = |pen, score: fn(&Scores) -> Option<f64>| {
        let points: Vec<_> = sweeps.iter().zip(&scores).map(|(sweep, scores)| (sweep.time, score(scores))).collect();
        chart.draw_line(&mut canvas, &points, pen);
    };
    draw_line(OTHER, |scores| scores.other);
    draw_line(AFFECTED, |scores| scores.affected);
    draw_line(ROOT_CAUSE, |scores| scores.root_cause);
    if let Some(alarm) = alarm {
        chart.draw_alarm(&mut canvas, alarm.time);
    }
    Some(canvas.finish())
}

fn highest_scores(case: &Case, sweep: &SweepReport) -> Scores {
    let affected = case.truth.affected.as_deref().unwrap_or_default();
    let mut scores = Scores::default();
    for suspect in &sweep.suspects {
        let highest = if case.truth.is_root_cause(suspect) {
            &mut scores.root_cause
        } else if affected.iter().any(|label| label.matches(suspect)) {
            &mut scores.affected
        } else {
            &mut scores.other
        };
        *highest = Some(highest.map_or(suspect.score, |score: f64| score.max(suspect.score)));
    }
    scores
}

fn describe(case: &Case, alarm: Option<&SweepReport>, begin: Timestamp) -> String {
    let fault = case.truth.fault.as_deref().unwrap_or("no fault");
    match alarm {
        Some(alarm) => {
            let delay = alarm.time.millis_since(begin) as f64 / 1000.0;
            format!("Fault: {fault}. The first alarm came {delay:.1} s after it began.")
        }
        None => format!("Fault: {fault}. There was no alarm during it."),
    }
}

fn draw_legend(canvas: &mut Canvas, case: &Case) {
    let root_cause = case.truth.root_causes.first().and_then(|cause| cause.first()).map(label_name);
    let entries = [
        (ROOT_CAUSE, format!("root cause: {}", root_cause.as_deref().unwrap_or("none"))),
        (AFFECTED, "most affected node".to_owned()),
        (OTHER, "most suspect of all others".to_owned()),
    ];
    let mut left = LEFT;
    for (pen, text) in entries {
        canvas.line((left, 48.0), (left + 28.0, 48.0), pen);
        canvas.text((left + 34.0, 52.0), Anchor::Start, 12, &text);
        left += 60.0 + 6.6 * text.chars().count() as f64;
    }
}

fn label_name(label: &NodeLabel) -> String {
    match label {
        NodeLabel::Id(id) => id.clone(),
        NodeLabel::HostNode(node) => display_name(&Suspect {
            pid: node.pid.map(i64::from),
            path: node.path.clone(),
            endpoint: node.endpoint.clone(),
            ..Suspect::unscored(node.kind.as_str().into(), &node.name, "")
        }),
    }
}

/// Converts times and scores to coordinates.
struct Chart {
    fault_begin: Timestamp,
    first: Timestamp,
    span_ms: f64,
    max_score: f64,
}

impl Chart {
    fn new(sweeps: &[SweepReport], scores: &[Scores], fault_begin: Timestamp) -> Option<Chart> {
        let first = sweeps.first()?.time;
        let last = sweeps.last()?.time;
        let all = scores.iter().flat_map(|scores| [scores.root_cause, scores.affected, scores.other]).flatten();
        let max_score = all.fold(1.2, f64::max) * 1.05;
        Some(Chart { fault_begin, first, span_ms: last.millis_since(first).max(1) as f64, max_score })
    }

    fn x(&self, time: Timestamp) -> f64 {
        LEFT + WIDTH * (time.millis_since(self.first) as f64 / self.span_ms).clamp(0.0, 1.0)
    }

    fn y(&self, score: f64) -> f64 {
        TOP + HEIGHT * (1.0 - score / self.max_score)
    }

    fn draw_axes(&self, canvas: &mut Canvas, fault_end: Timestamp) {
        let begin = self.x(self.fault_begin);
        let end = self.x(fault_end);
        canvas.rectangle((begin, TOP), (end - begin, HEIGHT), "#f1f1f1");
        let bottom = TOP + HEIGHT;
        canvas.line((LEFT, bottom), (LEFT + WIDTH, bottom), AXIS);
        canvas.line((LEFT, TOP), (LEFT, bottom), AXIS);
        for (x, text) in [(begin, "fault begins"), (end, "fault ends")] {
            canvas.line((x, TOP), (x, bottom), AXIS);
            canvas.text((x, TOP - 5.0), Anchor::Middle, 11, text);
        }
        canvas.line((LEFT, self.y(1.0)), (LEFT + WIDTH, self.y(1.0)), Pen { dashes: "10 3 2 3", ..AXIS });
        canvas.text((LEFT + WIDTH, self.y(1.0) - 5.0), Anchor::End, 11, "alarm threshold");
        for score in [0.0, 1.0, self.max_score / 1.05] {
            canvas.text((LEFT - 8.0, self.y(score) + 4.0), Anchor::End, 12, format_args!("{score:.1}"));
        }
        self.draw_seconds(canvas);
    }

    /// Draws about ten ticks, a round number of seconds apart, counted from the begin of the fault.
    fn draw_seconds(&self, canvas: &mut Canvas) {
        let steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600];
        let step = steps.into_iter().find(|step| self.span_ms / 1000.0 <= f64::from(*step) * 12.0).unwrap_or(7200);
        let before = self.fault_begin.millis_since(self.first) / 1000 / i64::from(step);
        let mut second = -before * i64::from(step);
        while self.fault_begin.0 + second * 1000 <= self.first.0 + self.span_ms as i64 {
            let x = self.x(Timestamp(self.fault_begin.0 + second * 1000));
            canvas.line((x, TOP + HEIGHT), (x, TOP + HEIGHT + 5.0), AXIS);
            canvas.text((x, TOP + HEIGHT + 20.0), Anchor::Middle, 12, format_args!("{second} s"));
            second += i64::from(step);
        }
    }

    /// Draws a line of scores. It is interrupted where there is no score.
    fn draw_line(&self, canvas: &mut Canvas, points: &[(Timestamp, Option<f64>)], pen: Pen) {
        for segment in points.split(|(_, score)| score.is_none()) {
            let segment: Vec<(f64, f64)> =
                segment.iter().filter_map(|(time, score)| Some((self.x(*time), self.y((*score)?)))).collect();
            if !segment.is_empty() {
                canvas.path(&segment, pen);
            }
        }
    }

    fn draw_alarm(&self, canvas: &mut Canvas, time: Timestamp) {
        let x = self.x(time);
        let y = TOP + HEIGHT;
        canvas.area(&[(x, y - 12.0), (x - 6.0, y), (x + 6.0, y)], "#222");
        let seconds = time.millis_since(self.fault_begin) as f64 / 1000.0;
        canvas.text((x, y + 38.0), Anchor::Middle, 12, format_args!("first alarm after {seconds:.1} s"));
    }
}
