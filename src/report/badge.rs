//! A small picture of what is deployed (SVG 1.1), for pages of others. Pure.

use super::published_row::{PublishedRow, PublishedState};
use crate::status::Status;

/// How wide a character is taken to be, and the space beside a text, in pixels.
const CHARACTER: usize = 7;
const SPACE: usize = 10;

/// The badge of an application: its name, what is deployed, and what became of the newest
/// deployment.
#[must_use]
pub(super) fn badge(row: &PublishedRow) -> String {
    let label = format!("{}/{}", row.environment, row.application);
    let deployed = row
        .deployed
        .as_ref()
        .map(|revision| revision.short().to_owned());
    let parts: Vec<String> = [deployed, row.remark()].into_iter().flatten().collect();
    let value = parts.join(", ");

    let colour = match row.state {
        _ if row.remark().is_none() => "#2a7d2e",
        PublishedState::Retired => "#6a6a6a",
        PublishedState::Ended(Status::Failed | Status::Interrupted) => "#b3261e",
        PublishedState::Pending | PublishedState::Ended(_) => "#8a6100",
    };
    svg(&label, &value, colour)
}

/// A picture of two texts side by side.
fn svg(label: &str, value: &str, colour: &str) -> String {
    let width = |text: &str| text.chars().count() * CHARACTER + 2 * SPACE;
    let (left, right) = (width(label), width(value));
    let (all, label, value) = (left + right, xml(label), xml(value));
    let text = |from: usize, width: usize, text: &str| {
        format!(
            "<text x=\"{}\" y=\"14\" textLength=\"{}\">{text}</text>\n",
            from + SPACE,
            width - 2 * SPACE
        )
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"20\" role=\"img\" \
         aria-label=\"{label}: {value}\">\n<title>{label}: {value}</title>\n\
         <rect width=\"{left}\" height=\"20\" fill=\"#444\"/>\n\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{colour}\"/>\n\
         <g fill=\"#fff\" font-family=\"monospace\" font-size=\"11\">\n{}{}</g>\n</svg>\n",
        text(0, left, &label),
        text(left, right, &value)
    )
}

/// Text as XML 1.0 has it, also inside of quotes.
fn xml(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_never_markup() {
        let picture = svg("a\"><script>", "&x", "#000");
        assert!(picture.contains("aria-label=\"a&quot;&gt;&lt;script&gt;: &amp;x\""));
        assert!(!picture.contains("<script>"));
    }
}
