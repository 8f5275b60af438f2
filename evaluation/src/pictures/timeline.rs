//! The scores around one fault, sweep by sweep: of who started it, of who suffers most, and of the most suspect of all others.

use schemas::{Suspect, Timestamp};

use super::svg::{Anchor, Canvas, Pen};
use crate::{
    cases::{Case, Label},
    exam::Answers,
    judge::{first_alarm, name},
    rankers::Sweep,
};

const LEFT: f64 = 50.0;
const TOP: f64 = 80.0;
const WIDTH: f64 = 700.0;
const HEIGHT: f64 = 240.0;

const CULPRIT: Pen = Pen { colour: "#0072b2", width: 2.5, dashes: "" };
const VICTIM: Pen = Pen { colour: "#d55e00", width: 2.0, dashes: "7 4" };
const OTHER: Pen = Pen { colour: "#767676", width: 2.0, dashes: "2 3" };
const MARK: Pen = Pen { colour: "#222", width: 1.0, dashes: "" };

/// The scores of one sweep, those of whom it tells.
#[derive(Clone, Copy, Default)]
struct Scores {
    culprit: Option<f64>,
    victim: Option<f64>,
    other: Option<f64>,
}

/// The picture, if something happens in the case that has a beginning and an end.
pub fn draw(case: &Case, answers: &Answers) -> Option<String> {
    case.truth.fault.as_ref()?;
    let (from, until) = case.truth.lasted?;
    let sweeps = answers.of.first()?.sweeps.as_ref()?;
    let scores: Vec<Scores> = sweeps.iter().map(|sweep| scores(case, sweep)).collect();
    let frame = Frame::around(sweeps, &scores, from)?;
    let alarm = first_alarm(&case.truth, sweeps);
    let title = format!("{}: scores of the detective", case.name);
    let mut canvas = Canvas::new(LEFT + WIDTH + 30.0, TOP + HEIGHT + 60.0, &title, &description(case, alarm, from));
    canvas.text((LEFT, 24.0), Anchor::Start, 15, &title);
    draw_legend(&mut canvas, case);
    frame.draw(&mut canvas, until);
    let mut draw_line = |pen, of: fn(&Scores) -> Option<f64>| {
        let points: Vec<_> = sweeps.iter().zip(&scores).map(|(sweep, scores)| (sweep.time, of(scores))).collect();
        frame.draw_line(&mut canvas, &points, pen);
    };
    draw_line(OTHER, |scores| scores.other);
    draw_line(VICTIM, |scores| scores.victim);
    draw_line(CULPRIT, |scores| scores.culprit);
    if let Some(alarm) = alarm {
        frame.draw_alarm(&mut canvas, alarm.time);
    }
    Some(canvas.finish())
}

fn scores(case: &Case, sweep: &Sweep) -> Scores {
    let victims = case.truth.victims.as_deref().unwrap_or_default();
    let mut scores = Scores::default();
    for suspect in &sweep.suspects {
        let held = match (case.truth.is_cause(suspect), victims.iter().any(|label| label.is(suspect))) {
            (true, _) => &mut scores.culprit,
            (false, true) => &mut scores.victim,
            (false, false) => &mut scores.other,
        };
        *held = Some(held.map_or(suspect.score, |most: f64| most.max(suspect.score)));
    }
    scores
}

fn description(case: &Case, alarm: Option<&Sweep>, from: Timestamp) -> String {
    let what = case.truth.fault.as_deref().unwrap_or("nothing");
    match alarm {
        Some(alarm) => {
            let after = alarm.time.millis_since(from) as f64 / 1000.0;
            format!("Of {what}; the first alarm came {after:.1} s after it began.")
        }
        None => format!("Of {what}; there was no alarm while it lasted."),
    }
}

fn draw_legend(canvas: &mut Canvas, case: &Case) {
    let culprit = case.truth.causes.first().and_then(|cause| cause.first()).map(label);
    let entries = [
        (CULPRIT, culprit.map_or("culprit: none".to_owned(), |name| format!("culprit: {name}"))),
        (VICTIM, "worst victim".to_owned()),
        (OTHER, "most suspect of all others".to_owned()),
    ];
    let mut left = LEFT;
    for (pen, text) in entries {
        canvas.line((left, 48.0), (left + 28.0, 48.0), pen);
        canvas.text((left + 34.0, 52.0), Anchor::Start, 12, &text);
        left += 60.0 + 6.6 * text.chars().count() as f64;
    }
}

fn label(label: &Label) -> String {
    match label {
        Label::Id(id) => id.clone(),
        Label::Form(form) => name(&Suspect {
            pid: form.pid.map(i64::from),
            path: form.path.clone(),
            endpoint: form.endpoint.clone(),
            ..Suspect::unjudged(form.kind.as_str().into(), &form.name, "")
        }),
    }
}

/// From times and scores to places.
struct Frame {
    began: Timestamp,
    first: Timestamp,
    span_ms: f64,
    most: f64,
}

impl Frame {
    fn around(sweeps: &[Sweep], scores: &[Scores], began: Timestamp) -> Option<Frame> {
        let (first, last) = (sweeps.first()?.time, sweeps.last()?.time);
        let all = scores.iter().flat_map(|scores| [scores.culprit, scores.victim, scores.other]).flatten();
        let most = all.fold(1.2, f64::max) * 1.05;
        Some(Frame { began, first, span_ms: last.millis_since(first).max(1) as f64, most })
    }

    fn x(&self, time: Timestamp) -> f64 {
        LEFT + WIDTH * (time.millis_since(self.first) as f64 / self.span_ms).clamp(0.0, 1.0)
    }

    fn y(&self, score: f64) -> f64 {
        TOP + HEIGHT * (1.0 - score / self.most)
    }

    fn draw(&self, canvas: &mut Canvas, until: Timestamp) {
        let (from, until) = (self.x(self.began), self.x(until));
        canvas.rectangle((from, TOP), (until - from, HEIGHT), "#f1f1f1");
        let bottom = TOP + HEIGHT;
        canvas.line((LEFT, bottom), (LEFT + WIDTH, bottom), MARK);
        canvas.line((LEFT, TOP), (LEFT, bottom), MARK);
        for (x, text) in [(from, "it begins"), (until, "it ends")] {
            canvas.line((x, TOP), (x, bottom), MARK);
            canvas.text((x, TOP - 5.0), Anchor::Middle, 11, text);
        }
        canvas.line((LEFT, self.y(1.0)), (LEFT + WIDTH, self.y(1.0)), Pen { dashes: "10 3 2 3", ..MARK });
        canvas.text((LEFT + WIDTH, self.y(1.0) - 5.0), Anchor::End, 11, "alarm threshold");
        for score in [0.0, 1.0, self.most / 1.05] {
            canvas.text((LEFT - 8.0, self.y(score) + 4.0), Anchor::End, 12, format_args!("{score:.1}"));
        }
        self.draw_seconds(canvas);
    }

    /// About ten ticks, a round number of seconds apart, counted from the beginning of the fault.
    fn draw_seconds(&self, canvas: &mut Canvas) {
        let steps = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 3600];
        let step = steps.into_iter().find(|step| self.span_ms / 1000.0 <= f64::from(*step) * 12.0).unwrap_or(7200);
        let before = self.began.millis_since(self.first) / 1000 / i64::from(step);
        let mut second = -before * i64::from(step);
        while self.began.0 + second * 1000 <= self.first.0 + self.span_ms as i64 {
            let x = self.x(Timestamp(self.began.0 + second * 1000));
            canvas.line((x, TOP + HEIGHT), (x, TOP + HEIGHT + 5.0), MARK);
            canvas.text((x, TOP + HEIGHT + 20.0), Anchor::Middle, 12, format_args!("{second} s"));
            second += i64::from(step);
        }
    }

    /// Where a score is not told, the line is interrupted.
    fn draw_line(&self, canvas: &mut Canvas, points: &[(Timestamp, Option<f64>)], pen: Pen) {
        for part in points.split(|(_, score)| score.is_none()) {
            let part: Vec<(f64, f64)> =
                part.iter().filter_map(|(time, score)| Some((self.x(*time), self.y((*score)?)))).collect();
            if !part.is_empty() {
                canvas.path(&part, pen);
            }
        }
    }

    fn draw_alarm(&self, canvas: &mut Canvas, time: Timestamp) {
        let (x, y) = (self.x(time), TOP + HEIGHT);
        canvas.area(&[(x, y - 12.0), (x - 6.0, y), (x + 6.0, y)], "#222");
        let seconds = time.millis_since(self.began) as f64 / 1000.0;
        canvas.text((x, y + 38.0), Anchor::Middle, 12, format_args!("first alarm after {seconds:.1} s"));
    }
}
