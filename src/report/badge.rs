//! A small picture of what is deployed (SVG 1.1), for pages of others. Pure.

use super::cells::colour;
use super::published_row::{PublishedRow, PublishedState};
use super::status_line::StatusLine;
use super::status_rows::Standing;
use super::table::Colour;
use super::xml::xml;
use crate::id::Revision;
use crate::status::Status;

/// How wide a character is taken to be, and the space beside a text, in pixels.
const CHARACTER: usize = 7;
const SPACE: usize = 10;

/// A name, and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Badge {
    label: String,
    value: String,
    /// The colour behind the value, as SVG has it.
    colour: &'static str,
}

const GOOD: &str = "#2a7d2e";
const BAD: &str = "#b3261e";
const ATTENTION: &str = "#8a6100";
const NEUTRAL: &str = "#6a6a6a";

impl Badge {
    /// The badge of an application: its name, what is deployed, and what became of the newest
    /// deployment.
    #[must_use]
    pub fn of(line: &StatusLine) -> Self {
        let (words, colour) = match line.standing {
            None | Some(Standing::Deployment(Status::Succeeded)) => match line.is_due {
                Some(false) if line.standing.is_some() => (None, GOOD),
                Some(_) => (Some("not deployed".to_owned()), ATTENTION),
                None => (Some("not known what is wanted".to_owned()), ATTENTION),
            },
            Some(Standing::Retired) => (Some("retired".to_owned()), NEUTRAL),
            Some(Standing::Problem) => (Some("problem".to_owned()), BAD),
            Some(Standing::Pending) => (Some("pending".to_owned()), ATTENTION),
            Some(Standing::Deployment(status)) => {
                let behind = match colour(status) {
                    Colour::Good => GOOD,
                    Colour::Bad => BAD,
                    Colour::Attention | Colour::Plain => ATTENTION,
                };
                (Some(status.to_string()), behind)
            }
        };
        Self::new(
            line.target.to_string(),
            line.deployed.as_ref(),
            words,
            colour,
        )
    }

    /// The same for what is published.
    #[must_use]
    pub(super) fn published(row: &PublishedRow) -> Self {
        let colour = match row.state {
            _ if row.remark().is_none() => GOOD,
            PublishedState::Retired => NEUTRAL,
            PublishedState::Ended(Status::Failed | Status::Interrupted) => BAD,
            PublishedState::Pending | PublishedState::Ended(_) => ATTENTION,
        };
        let label = format!("{}/{}", row.environment, row.application);
        Self::new(label, row.deployed.as_ref(), row.remark(), colour)
    }

    /// The badge of something that is not known.
    #[must_use]
    pub fn unknown(label: String) -> Self {
        let value = Some("unknown".to_owned());
        Self::new(label, None, value, NEUTRAL)
    }

    fn new(
        label: String,
        deployed: Option<&Revision>,
        words: Option<String>,
        colour: &'static str,
    ) -> Self {
        let deployed = deployed.map(|revision| revision.short().to_owned());
        let parts: Vec<String> = [deployed, words].into_iter().flatten().collect();
        Self {
            label,
            value: parts.join(", "),
            colour,
        }
    }

    /// A picture of the two texts side by side.
    #[must_use]
    pub fn svg(&self) -> String {
        let width = |text: &str| text.chars().count() * CHARACTER + 2 * SPACE;
        let (left, right) = (width(&self.label), width(&self.value));
        let (all, colour) = (left + right, self.colour);
        let (label, value) = (xml(&self.label), xml(&self.value));
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_never_markup() {
        let badge = Badge {
            label: "a\"><script>".to_owned(),
            value: "&x".to_owned(),
            colour: GOOD,
        };
        let picture = badge.svg();
        assert!(picture.contains("aria-label=\"a&quot;&gt;&lt;script&gt;: &amp;x\""));
        assert!(!picture.contains("<script>"));
    }
}
