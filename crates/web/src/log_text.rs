//! The output of a command as text with colours. Pure.
//!
//! Colours and the like (SGR, ECMA-48, 8.3.117) become styles; every other deceptive character is
//! escaped, as on a terminal. What is kept between two pieces of an output is bounded.

use deploy_by_code::text::{output_boundary, push_output_line};
use serde::Serialize;

const BOLD: u8 = 1;
const DIM: u8 = 2;
const ITALIC: u8 = 4;
const UNDERLINED: u8 = 8;

/// How a part of the text looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Style {
    /// The bits of [`BOLD`] and the others.
    attributes: u8,
    /// One of 16 colours; `None`: the usual one.
    foreground: Option<u8>,
    background: Option<u8>,
}

impl Style {
    /// The names of its classes; empty: it is plain.
    pub(crate) fn classes(self) -> String {
        let words = [(BOLD, "b"), (DIM, "d"), (ITALIC, "i"), (UNDERLINED, "u")];
        let words = words
            .into_iter()
            .filter(|(bit, _)| self.attributes & bit != 0);
        let mut classes: Vec<String> = words.map(|(_, word)| word.to_owned()).collect();
        classes.extend(self.foreground.map(|colour| format!("f{colour}")));
        classes.extend(self.background.map(|colour| format!("g{colour}")));
        classes.join(" ")
    }

    /// Changes it by the parameters of a sequence. Colours that are none of the 16 are left out.
    fn change(&mut self, parameters: &str) {
        let mut numbers = parameters.split([';', ':']).map(|number| {
            if number.is_empty() {
                Some(0)
            } else {
                number.parse::<u8>().ok()
            }
        });
        while let Some(number) = numbers.next() {
            match number {
                Some(0) => *self = Self::default(),
                Some(1) => self.attributes |= BOLD,
                Some(2) => self.attributes |= DIM,
                Some(3) => self.attributes |= ITALIC,
                Some(4) => self.attributes |= UNDERLINED,
                Some(22) => self.attributes &= !(BOLD | DIM),
                Some(23) => self.attributes &= !ITALIC,
                Some(24) => self.attributes &= !UNDERLINED,
                Some(colour @ 30..=37) => self.foreground = Some(colour - 30),
                Some(colour @ 90..=97) => self.foreground = Some(colour - 82),
                Some(39) => self.foreground = None,
                Some(colour @ 40..=47) => self.background = Some(colour - 40),
                Some(colour @ 100..=107) => self.background = Some(colour - 92),
                Some(49) => self.background = None,
                Some(which @ (38 | 48)) => {
                    let colour = match numbers.next() {
                        Some(Some(5)) => numbers.next().flatten().filter(|colour| *colour < 16),
                        Some(Some(2)) => numbers.by_ref().take(3).last().and(None),
                        _ => None,
                    };
                    match which {
                        38 => self.foreground = colour,
                        _ => self.background = colour,
                    }
                }
                _ => {}
            }
        }
    }
}

/// A part of the text in one style.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) style: Style,
    pub(crate) text: String,
}

/// For a script: the text, and its classes.
impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.text, self.style.classes()).serialize(serializer)
    }
}

/// Makes text of an output that comes in pieces.
#[derive(Debug, Default)]
pub(crate) struct LogText {
    style: Style,
    /// The beginning of a character or of a sequence.
    rest: Vec<u8>,
}

impl LogText {
    /// The text of the next piece, without what is not complete at its end.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Vec<Span> {
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(piece);
        let end = output_boundary(&bytes);
        self.rest = bytes.split_off(end);
        self.spans(&bytes)
    }

    /// How many bytes at the end are not complete, and in no text yet.
    pub(crate) fn held(&self) -> u64 {
        self.rest.len() as u64
    }

    /// What was not complete at the end of the output.
    pub(crate) fn end(&mut self) -> Vec<Span> {
        let rest = std::mem::take(&mut self.rest);
        self.spans(&rest)
    }

    fn spans(&mut self, bytes: &[u8]) -> Vec<Span> {
        let (mut spans, mut rest) = (Vec::new(), bytes);
        loop {
            let found = next_sequence(rest);
            let (plain, after) = match &found {
                Some((at, _, end)) => (&rest[..*at], &rest[*end..]),
                None => (rest, &rest[rest.len()..]),
            };
            if !plain.is_empty() {
                let (style, text) = (self.style, plain_text(plain));
                spans.push(Span { style, text });
            }
            let Some((_, parameters, _)) = found else {
                return spans;
            };
            self.style.change(&parameters);
            rest = after;
        }
    }
}

/// The next sequence: where it begins, its parameters, and where it ends.
fn next_sequence(bytes: &[u8]) -> Option<(usize, String, usize)> {
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| *byte == 0x1b) {
        let at = from + at;
        let after = &bytes[at + 1..];
        let is_parameter = |byte: &u8| byte.is_ascii_digit() || b";:".contains(byte);
        if let Some(after) = after.strip_prefix(b"[") {
            let length = after.iter().take_while(|byte| is_parameter(byte)).count();
            if after.get(length) == Some(&b'm') {
                let parameters = String::from_utf8_lossy(&after[..length]).into_owned();
                return Some((at, parameters, at + 2 + length + 1));
            }
        }
        from = at + 1;
    }
    None
}

/// Bytes without sequences as text.
fn plain_text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                push_output_line(&mut text, line);
                text.push('\n');
            }
            None => push_output_line(&mut text, line),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text with the classes of each part in brackets.
    fn shown(spans: &[Span]) -> String {
        let one = |span: &Span| format!("[{}]{}", span.style.classes(), span.text);
        spans.iter().map(one).collect()
    }

    #[test]
    fn colours_become_classes_and_the_rest_is_text() {
        let table: [(&[u8], &str); 14] = [
            (b"plain\n", "[]plain\n"),
            (b"\x1b[31mred\x1b[0m ok", "[f1]red[] ok"),
            (b"\x1b[1;4;92mx\x1b[22;39my", "[b u f10]x[u]y"),
            (b"\x1b[2;3mx\x1b[23my\x1b[mz", "[d i]x[d]y[]z"),
            (b"\x1b[38;5;9mx", "[f9]x"),
            (b"\x1b[38;5;200mx", "[]x"),
            (b"\x1b[38;2;1;2;3;41mx", "[g1]x"),
            (b"\x1b[107mx\x1b[49my", "[g15]x[]y"),
            (b"\x1b[999999999999mx", "[]x"),
            (b"\x1b[2Jx\x1b]0;t\x07", "[]\\u{1b}[2Jx\\u{1b}]0;t\\u{7}"),
            (b"1\r2\r\n3\t4", "[]1\n2\n3\t4"),
            (b"<b>&\"'", "[]<b>&\"'"),
            (b"\xff\xe2\x80\xae\x00", "[]\\xff\\u{202e}\\u{0}"),
            (b"", ""),
        ];
        for (bytes, expect) in table {
            let mut text = LogText::default();
            let mut spans = text.push(bytes);
            spans.extend(text.end());
            assert_eq!(shown(&spans), expect);
        }
    }

    #[test]
    fn pieces_of_any_size_have_the_same_text() {
        let bytes = "a\x1b[1;31mé€😀\r\nb\x1b[0m\u{202e}\x1b[x c\r".as_bytes();
        let plain = |spans: Vec<Span>| -> Vec<(char, String)> {
            let mut all = Vec::new();
            for span in spans {
                let classes = span.style.classes();
                all.extend(span.text.chars().map(|c| (c, classes.clone())));
            }
            all
        };
        let mut whole = LogText::default();
        let mut expect = whole.push(bytes);
        expect.extend(whole.end());
        let expect = plain(expect);

        for size in 1..bytes.len() {
            let mut text = LogText::default();
            let mut spans: Vec<Span> = bytes.chunks(size).flat_map(|one| text.push(one)).collect();
            spans.extend(text.end());
            assert_eq!(plain(spans), expect, "{size}");
        }
    }
}
