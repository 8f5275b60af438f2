//! Writes SVG.

use std::fmt::{Display, Write};

/// A picture. Its background is white, so that it is readable in a dark page too.
pub struct Canvas {
    width: f64,
    height: f64,
    title: String,
    description: String,
    body: String,
}

/// Style of a line.
#[derive(Clone, Copy)]
pub struct Pen {
    /// Colour, as in CSS.
    pub colour: &'static str,
    /// Width in pixels.
    pub width: f64,
    /// Lengths of dashes and gaps. Empty: a solid line.
    pub dashes: &'static str,
}

/// Point of a text that its position refers to.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

impl Canvas {
    /// An empty picture. Screen readers read its title and description.
    pub fn new(width: f64, height: f64, title: &str, description: &str) -> Canvas {
        Canvas { width, height, title: title.to_owned(), description: description.to_owned(), body: String::new() }
    }

    /// Draws a straight line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), pen: Pen) {
        self.path(&[from, to], pen);
    }

    /// Draws a line through points.
    pub fn path(&mut self, points: &[(f64, f64)], pen: Pen) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let Pen { colour, width, dashes } = pen;
        let dashes = if dashes.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dashes}""#) };
        self.push(format_args!(
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="{width}"{dashes}/>"#,
            points.join(" ")
        ));
    }

    /// Draws a filled polygon.
    pub fn area(&mut self, corners: &[(f64, f64)], colour: &str) {
        let corners: Vec<String> = corners.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.push(format_args!(r#"<polygon points="{}" fill="{colour}"/>"#, corners.join(" ")));
    }

    /// Draws a filled rectangle.
    pub fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
        self.area(&[(x, y), (x + width, y), (x + width, y + height), (x, y + height)], colour);
    }

    /// Draws a line of text.
    pub fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, size: u32, text: impl Display) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(&text.to_string());
        self.push(format_args!(
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size}">{text}</text>"#
        ));
    }

    /// The content of the SVG file.
    pub fn finish(self) -> String {
        let Canvas { width, height, body, .. } = &self;
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" aria-labelledby="title description" font-family="sans-serif" fill="#222">
<title id="title">{}</title>
<desc id="description">{}</desc>
<rect width="{width}" height="{height}" fill="#fff"/>
{body}</svg>
"##,
            escape(&self.title),
            escape(&self.description)
        )
    }

    fn push(&mut self, element: std::fmt::Arguments) {
        let _ = writeln!(self.body, "{element}");
    }
}

/// Escapes text for XML. Drops characters that XML does not allow.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            letter if letter.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&letter) => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut canvas = Canvas::new(10.0, 10.0, "a & b", "x < y");
        canvas.text((1.0, 2.0), Anchor::End, 12, "</text><script>\u{1}\u{ffff}");
        let picture = canvas.finish();
        assert!(picture.contains("<title id=\"title\">a &amp; b</title>") && picture.contains("x &lt; y"));
        assert!(picture.contains(">&lt;/text&gt;&lt;script&gt;</text>"), "{picture}");
    }
}
