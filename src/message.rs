//! The trailers `Deploy-…` in the message of a commit. Pure.
//!
//! As in git-interpret-trailers(1), a trailer is a line `Name: value`, lines below it that begin
//! with white space continue it, and the first paragraph is the title and has none. Two things are
//! different. Trailers count in every paragraph that consists of trailers, and not only in the last
//! one: a merge button adds paragraphs of its own. And every line of the paragraph must be a
//! trailer, so prose, quotations, lists and code give no reason.
//!
//! What no tool shows gives no reason either: a message ends at its first NUL, and one in an
//! encoding in which letters have other bytes than in ASCII is not read.

use std::fmt;
use std::ops::Range;

use crate::text;
use crate::trailer_slip::trailer_slip;

/// The longest value that is kept, in characters.
const VALUE_MAX: usize = 500;

/// The longest name of a trailer that is shown, in characters.
const NAME_MAX: usize = 40;

/// The longest title that is kept, in characters.
const SUBJECT_MAX: usize = 200;

/// How many bytes of the lines that continue a value are read.
const VALUE_BYTES_MAX: usize = 4 * VALUE_MAX;

/// How many lines that do not count are named for one message.
const UNCOUNTED_MAX: usize = 10;

/// In how many lines of one message slips are looked for.
const SLIP_LINES_MAX: usize = 1000;

/// The names of the trailers that give a reason or an approval, in lower case and without
/// `deploy-`. For these it is said where one stands that does not count.
const REASONS: [&str; 5] = ["rollback", "release", "override", "alone", "approve"];

/// The name of the trailer that declares a need, as [`Trailer::name`].
const NEED: &str = "after";

/// The encodings in which ASCII letters have their own bytes, in lower case. A name in this list
/// can be followed by more digits and dashes.
const LIKE_ASCII: [&str; 9] = [
    "utf-8",
    "utf8",
    "us-ascii",
    "ascii",
    "iso-8859-",
    "latin",
    "windows-125",
    "cp125",
    "koi8-",
];

/// A trailer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    /// Its name in lower case, without `deploy-`.
    pub name: String,
    /// Its value, in one line of at most 500 characters. It can contain any of them.
    pub value: String,
}

/// A line that looks like a trailer, and is none or says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UncountedTrailer {
    /// The name, as [`Trailer::name`]. For a slip it is the name that was probably meant.
    pub name: String,
    /// The line of the message, from 1.
    pub line: usize,
    /// Why it does not count.
    pub why: WhyUncounted,
}

/// Why a line that looks like a trailer does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyUncounted {
    /// It is in the title.
    InTitle,
    /// White space is in front of it.
    Indented,
    /// Other characters are in front of it: a quotation, a list.
    Marked,
    /// This line of the same paragraph is no trailer.
    AmongOthers(usize),
    /// There is no letter or digit in its value, or only a placeholder.
    NoValue,
    /// The message has this encoding, escaped.
    Encoded(String),
    /// It is behind a NUL byte.
    BehindNul,
    /// It is written like this, escaped.
    Misspelt(String),
    /// It is a trailer with this name, which this program does not know, escaped.
    Unknown(String),
}

impl fmt::Display for WhyUncounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InTitle => f.write_str("it is in the title, and not in a paragraph of its own"),
            Self::Indented => f.write_str("it is indented"),
            Self::Marked => f.write_str("it does not begin its line"),
            Self::AmongOthers(line) => write!(
                f,
                "line {line} of the same paragraph is no trailer; \
                 empty lines around the trailer make a paragraph of its own"
            ),
            Self::NoValue => f.write_str("it gives no reason"),
            Self::Encoded(encoding) => write!(f, "the message has the encoding {encoding}"),
            Self::BehindNul => f.write_str("it is behind a NUL byte, where git shows nothing"),
            Self::Misspelt(written) | Self::Unknown(written) => write!(f, "it is spelt {written}"),
        }
    }
}

/// The trailers of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeclaredTrailers {
    /// Those that count, in their order.
    pub counted: Vec<Trailer>,
    /// Reasons that do not count, and trailers that this program does not know, at most 10 of them.
    pub uncounted: Vec<UncountedTrailer>,
}

/// The trailers `Deploy-…` of a message, which its commit says to have an encoding.
#[must_use]
pub fn trailers(message: &[u8], encoding: Option<&[u8]>) -> DeclaredTrailers {
    let end = message.iter().position(|byte| *byte == 0);
    let (shown, hidden) = message.split_at(end.unwrap_or(message.len()));
    let lines: Vec<&[u8]> = shown.split(|byte| *byte == b'\n').collect();

    let mut declared = DeclaredTrailers::default();
    for (number, paragraph) in paragraphs(&lines).enumerate() {
        if number == 0 {
            declared.miss(&lines, paragraph, |_| WhyUncounted::InTitle);
        } else {
            declared.read_paragraph(&lines, paragraph);
        }
    }

    if let Some(encoding) = encoding.filter(|encoding| !is_like_ascii(encoding)) {
        let encoding = text::escape(encoding, 40);
        declared.counted.clear();
        declared.uncounted.clear();
        declared.miss(&lines, 0..lines.len(), |_| {
            WhyUncounted::Encoded(encoding.clone())
        });
    } else {
        declared.find_slips(&lines);
    }
    let hidden: Vec<&[u8]> = hidden.split(|byte| matches!(byte, b'\n' | 0)).collect();
    let count = declared.uncounted.len();
    declared.miss(&hidden, 0..hidden.len(), |_| WhyUncounted::BehindNul);
    for miss in &mut declared.uncounted[count..] {
        miss.line = lines.len();
    }
    declared
}

/// The title of a message in one line, as git shows it (git-log(1), `%s`): its first paragraph, at
/// most 200 characters of it. `None`: it has none.
#[must_use]
pub fn subject(message: &[u8]) -> Option<String> {
    let shown = message.split(|byte| *byte == 0).next().unwrap_or_default();
    let shown = shown.trim_ascii_start();
    // No character has more than four bytes.
    let shown = &shown[..shown.len().min(4 * SUBJECT_MAX)];

    let lines = shown.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let title: Vec<&[u8]> = lines.take_while(|line| !line.is_empty()).collect();
    let title = text::decode(&title.join(&b' '), SUBJECT_MAX);
    (!title.is_empty()).then_some(title)
}

/// The lines of each paragraph. Paragraphs are separated by lines with nothing but white space, and
/// by lines of dashes, as merge buttons draw them.
fn paragraphs(lines: &[&[u8]]) -> impl Iterator<Item = Range<usize>> {
    let separates = |line: &[u8]| {
        let line = line.trim_ascii();
        line.is_empty() || line.len() >= 3 && line.iter().all(|byte| *byte == b'-')
    };
    let groups = lines.chunk_by(move |one, next| separates(one) == separates(next));
    let ranges = groups.scan(0, |end, group| {
        *end += group.len();
        Some((*end - group.len()..*end, group))
    });
    ranges.filter_map(move |(range, group)| {
        let is_text = group.first().is_some_and(|line| !separates(line));
        is_text.then_some(range)
    })
}

impl DeclaredTrailers {
    /// Reads a paragraph that is not the title.
    fn read_paragraph(&mut self, lines: &[&[u8]], paragraph: Range<usize>) {
        let mut found: Vec<(usize, &[u8], Vec<u8>)> = Vec::new();
        for at in paragraph.clone() {
            let line = lines[at];
            if let Some((name, value)) = trailer(line) {
                found.push((at, name, value.to_vec()));
            } else if let (true, Some((_, _, value))) = (
                line.starts_with(b" ") || line.starts_with(b"\t"),
                found.last_mut(),
            ) {
                self.miss(lines, at..at + 1, |_| WhyUncounted::Indented);
                let left = VALUE_BYTES_MAX.saturating_sub(value.len());
                value.push(b' ');
                value.extend(line.trim_ascii().iter().take(left));
            } else if !line.starts_with(b"(cherry picked from commit ") {
                self.read_others(lines, paragraph, at + 1);
                return;
            }
        }

        for (at, written, value) in found {
            let Some(name) = deploy_name(written) else {
                continue;
            };
            if !is_known(&name) {
                let name = text::decode(name.as_bytes(), NAME_MAX);
                let written = text::escape(written, NAME_MAX);
                self.note(at + 1, name, WhyUncounted::Unknown(written));
                continue;
            }
            let value = text::decode(value.trim_ascii(), VALUE_MAX);
            let is_placeholder = value.starts_with('<') && value.ends_with('>');
            if value.chars().any(char::is_alphanumeric) && !is_placeholder {
                self.counted.push(Trailer { name, value });
            } else {
                self.miss(lines, at..at + 1, |_| WhyUncounted::NoValue);
            }
        }
    }

    /// Reads a paragraph of which one line, with this number, is no trailer. A need is no reason:
    /// it makes a rule stricter, so it counts there too.
    fn read_others(&mut self, lines: &[&[u8]], paragraph: Range<usize>, other: usize) {
        for (name, value) in lines[paragraph.clone()]
            .iter()
            .filter_map(|line| trailer(line))
        {
            if let Some(name) = deploy_name(name).filter(|name| name == NEED) {
                let value = text::decode(value, VALUE_MAX);
                self.counted.push(Trailer { name, value });
            }
        }
        self.miss(lines, paragraph, |line| {
            why_no_trailer(line).unwrap_or(WhyUncounted::AmongOthers(other))
        });
    }

    /// Notes the reasons in some lines, which do not count.
    fn miss(&mut self, lines: &[&[u8]], some: Range<usize>, why: impl Fn(&[u8]) -> WhyUncounted) {
        for (at, line) in lines.iter().enumerate().take(some.end).skip(some.start) {
            let name = trailer(without_marks(line)).and_then(|(name, _)| deploy_name(name));
            if let Some(name) = name.filter(|name| REASONS.contains(&name.as_str())) {
                self.note(at + 1, name, why(line));
            }
        }
    }

    /// Notes the lines that may have been meant to give a reason, and that are spelt otherwise.
    fn find_slips(&mut self, lines: &[&[u8]]) {
        for (at, line) in lines.iter().enumerate().take(SLIP_LINES_MAX) {
            let line = without_marks(line);
            let name = trailer(line).and_then(|(name, _)| deploy_name(name));
            if name.is_some_and(|name| is_known(&name)) {
                continue;
            }
            let Some(slip) = trailer_slip(line, &REASONS) else {
                continue;
            };

            let mut noted = self.uncounted.iter_mut();
            match noted.find(|noted| noted.line == at + 1) {
                Some(noted) => slip.meant.clone_into(&mut noted.name),
                None => {
                    let why = WhyUncounted::Misspelt(slip.written);
                    self.note(at + 1, slip.meant.to_owned(), why);
                }
            }
        }
    }

    /// Notes what does not count.
    fn note(&mut self, line: usize, name: String, why: WhyUncounted) {
        if self.uncounted.len() < UNCOUNTED_MAX {
            self.uncounted.push(UncountedTrailer { name, line, why });
        }
    }
}

/// Whether this program knows the trailer `Deploy-<name>`.
fn is_known(name: &str) -> bool {
    name == NEED || REASONS.contains(&name)
}

/// The name and the value of a line `Name: value`.
fn trailer(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line[..colon].trim_ascii_end();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let is_trailer = !name.is_empty() && name.iter().all(is_name);
    is_trailer.then(|| (name, line[colon + 1..].trim_ascii()))
}

/// The name of a trailer in lower case, without `deploy-`. `None`: it is another trailer.
fn deploy_name(name: &[u8]) -> Option<String> {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    name.strip_prefix("deploy-").map(str::to_owned)
}

/// A line without what quotations, lists and code have in front.
fn without_marks(line: &[u8]) -> &[u8] {
    let is_mark = |byte: &u8| byte.is_ascii_whitespace() || b">*-+`|#\"'_".contains(byte);
    let start = line.iter().position(|byte| !is_mark(byte));
    &line[start.unwrap_or(line.len())..]
}

/// What is in front of a line that would be a trailer without that; `None`: nothing.
fn why_no_trailer(line: &[u8]) -> Option<WhyUncounted> {
    let marks = line.len() - without_marks(line).len();
    match &line[..marks] {
        [] => None,
        marks if marks.trim_ascii().is_empty() => Some(WhyUncounted::Indented),
        _ => Some(WhyUncounted::Marked),
    }
}

/// Whether ASCII letters have their own bytes in an encoding.
fn is_like_ascii(encoding: &[u8]) -> bool {
    let encoding = encoding.trim_ascii().to_ascii_lowercase();
    LIKE_ASCII.iter().any(|known| {
        encoding.strip_prefix(known.as_bytes()).is_some_and(|rest| {
            let is_number = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'r' | b'u');
            rest.len() <= 3 && rest.iter().all(is_number)
        })
    })
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
