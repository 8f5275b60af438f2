//! A bar chart of AC@k of all rankers, with intervals.

use std::fmt::Write;

use super::svg::{Anchor, Canvas, Pen};
use crate::{
    figures::Figures,
    results::{Results, ranker_names},
};

/// Colours of the rankers, from the palette of Okabe and Ito, which is distinguishable with any
/// kind of colour vision.
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#767676"];
/// The measures shown, by their names in the results: one group of bars each.
const MEASURES: [&str; 3] = ["AC@1", "AC@3", "AC@5"];

const LEFT: f64 = 50.0;
const TOP: f64 = 70.0;
const HEIGHT: f64 = 240.0;
const BAR_WIDTH: f64 = 36.0;
const GROUP_WIDTH: f64 = 200.0;

/// Draws the chart; `with_hint`: of the rankings given the symptom.
pub fn draw(results: &Results, with_hint: bool) -> String {
    let rankers: Vec<(&str, Figures)> =
        ranker_names().map(|(index, name)| (name, results.ranker_report(index, with_hint).all)).collect();
    let count = rankers.first().map_or(0, |(_, figures)| figures.n);
    let given = if with_hint { ", given the symptom" } else { "" };
    let title = format!("Root cause among the first k suspects, over {count} cases{given}");
    let width = LEFT + GROUP_WIDTH * MEASURES.len() as f64 + 20.0;
    let mut canvas = Canvas::new(width, TOP + HEIGHT + 50.0, &title, &description(&rankers));
    canvas.text((LEFT, 24.0), Anchor::Start, 15, &title);
    draw_legend(&mut canvas, &rankers);
    draw_scale(&mut canvas, width);
    for (group, key) in MEASURES.into_iter().enumerate() {
        let left = LEFT + GROUP_WIDTH * group as f64 + 20.0;
        for (index, (_, figures)) in rankers.iter().enumerate() {
            draw_bar(&mut canvas, left + BAR_WIDTH * index as f64, COLOURS[index % COLOURS.len()], figures, key);
        }
        canvas.text((left + BAR_WIDTH * 2.0, TOP + HEIGHT + 22.0), Anchor::Middle, 13, key);
    }
    canvas.text((LEFT, TOP + HEIGHT + 42.0), Anchor::Start, 11, "lines: 95 % intervals over cases, by bootstrap");
    canvas.finish()
}

fn figure(figures: &Figures, key: &str) -> Option<f64> {
    match key {
        "AC@1" => figures.ac_1,
        "AC@3" => figures.ac_3,
        _ => figures.ac_5,
    }
}

fn description(rankers: &[(&str, Figures)]) -> String {
    let mut text = String::new();
    for (name, figures) in rankers {
        for key in MEASURES {
            if let Some(value) = figure(figures, key) {
                let _ = write!(text, "{name} {key} {value:.2}; ");
            }
        }
    }
    text
}

fn y(value: f64) -> f64 {
    TOP + HEIGHT * (1.0 - value)
}

fn draw_legend(canvas: &mut Canvas, rankers: &[(&str, Figures)]) {
    for (index, (name, _)) in rankers.iter().enumerate() {
        let left = LEFT + 120.0 * index as f64;
        canvas.rectangle((left, 38.0), (12.0, 12.0), COLOURS[index % COLOURS.len()]);
        canvas.text((left + 17.0, 49.0), Anchor::Start, 13, name);
    }
}

fn draw_scale(canvas: &mut Canvas, width: f64) {
    for tenths in (0..=10).step_by(2) {
        let value = f64::from(tenths) / 10.0;
        let pen = Pen { colour: if tenths == 0 { "#222" } else { "#ddd" }, width: 1.0, dashes: "" };
        canvas.line((LEFT, y(value)), (width - 20.0, y(value)), pen);
        canvas.text((LEFT - 8.0, y(value) + 4.0), Anchor::End, 12, format_args!("{value:.1}"));
    }
}

fn draw_bar(canvas: &mut Canvas, left: f64, colour: &str, figures: &Figures, key: &str) {
    let Some(value) = figure(figures, key) else { return };
    canvas.rectangle((left + 2.0, y(value)), (BAR_WIDTH - 4.0, HEIGHT * value), colour);
    let middle = left + BAR_WIDTH / 2.0;
    let mut top = value;
    if let Some([low, high]) = figures.intervals.get(key) {
        let pen = Pen { colour: "#222", width: 1.5, dashes: "" };
        canvas.line((middle, y(*low)), (middle, y(*high)), pen);
        for end in [low, high] {
            canvas.line((middle - 4.0, y(*end)), (middle + 4.0, y(*end)), pen);
        }
        top = top.max(*high);
    }
    canvas.text((middle, y(top) - 5.0), Anchor::Middle, 11, format_args!("{value:.2}"));
}
