//! The output of a deployment's command on its way to a reader.

use std::io::Write;

use super::error::Error;
use crate::text;

/// How much of a line is held back until its end comes, in bytes.
const LINE_MAX: usize = 64 * 1024;

/// The output of a deployment's command on its way to a reader.
pub(super) struct OutputLines {
    /// Whether the bytes go through unchanged.
    is_raw: bool,
    /// What is put before each line.
    prefix: String,
    /// The beginning of a line whose end has not come yet.
    pending: Vec<u8>,
    /// Whether the bytes that went through unchanged ended with the end of a line.
    is_at_line_start: bool,
}

impl OutputLines {
    /// For a file or another program. They get the bytes unchanged.
    pub(super) fn raw() -> Self {
        Self {
            is_raw: true,
            prefix: String::new(),
            pending: Vec::new(),
            is_at_line_start: true,
        }
    }

    /// For a terminal or a pusher. They get whole lines, without characters that can deceive.
    pub(super) fn escaped(prefix: String) -> Self {
        Self {
            is_raw: false,
            prefix,
            ..Self::raw()
        }
    }

    /// Whether the next output begins a line.
    pub(super) fn is_at_line_start(&self) -> bool {
        self.is_at_line_start
    }

    /// Writes a piece of output.
    pub(super) fn write(&mut self, output: &mut impl Write, bytes: &[u8]) -> Result<(), Error> {
        if self.is_raw {
            let last = bytes.last();
            self.is_at_line_start = last.map_or(self.is_at_line_start, |last| *last == b'\n');
            return put(output, bytes);
        }

        let mut shown = String::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            self.pending.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.pending);
            self.show(&mut shown, &line);
            if shown.len() > LINE_MAX {
                put(output, shown.as_bytes())?;
                shown.clear();
            }
        }

        self.pending.extend_from_slice(rest);
        if self.pending.len() > LINE_MAX {
            let unfinished = self.pending.split_off(text::output_boundary(&self.pending));
            let line = std::mem::replace(&mut self.pending, unfinished);
            self.show(&mut shown, &line);
        }
        put(output, shown.as_bytes())
    }

    /// Writes what is left of an unfinished line.
    pub(super) fn end(&mut self, output: &mut impl Write) -> Result<(), Error> {
        let line = std::mem::take(&mut self.pending);
        if line.is_empty() {
            return Ok(());
        }

        let mut shown = String::new();
        self.show(&mut shown, &line);
        put(output, shown.as_bytes())
    }

    fn show(&self, shown: &mut String, line: &[u8]) {
        let mut text = String::new();
        text::push_output_line(&mut text, line);
        for line in text.split('\n') {
            shown.push_str(&self.prefix);
            shown.push_str(line);
            shown.push('\n');
        }
    }
}

fn put(output: &mut impl Write, bytes: &[u8]) -> Result<(), Error> {
    let written = output.write_all(bytes).and_then(|()| output.flush());
    written.map_err(Error::Output)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reader gets of some pieces of output, and whether the next output begins a line.
    fn read(mut lines: OutputLines, pieces: &[&[u8]]) -> (String, bool) {
        let mut output = Vec::new();
        for piece in pieces {
            lines.write(&mut output, piece).unwrap();
        }
        lines.end(&mut output).unwrap();
        let text = String::from_utf8(output).unwrap();
        (text, lines.is_at_line_start())
    }

    #[test]
    fn raw_output_is_unchanged() {
        let pieces: [&[u8]; 2] = [b"a\x1b[31", b"mb"];
        let text = "a\x1b[31mb".to_owned();
        assert_eq!(read(OutputLines::raw(), &pieces), (text, false));
        assert_eq!(read(OutputLines::raw(), &[b"a\n"]), ("a\n".into(), true));
    }

    #[test]
    fn escaped_output_is_whole_lines_with_a_prefix() {
        let escaped = || OutputLines::escaped("web | ".to_owned());
        let pieces: [&[u8]; 3] = [b"one\ntw", b"o\x1b]0;t\x07", b"\nrest"];
        let text = "web | one\nweb | two\\u{1b}]0;t\\u{7}\nweb | rest\n".to_owned();
        assert_eq!(read(escaped(), &pieces), (text, true));
    }

    #[test]
    fn very_long_line_is_not_cut_inside_of_a_character_or_a_colour() {
        let piece = "\u{1f600}\x1b[31m\u{20ac}\x1b[0m".as_bytes();
        for first in 0..piece.len() {
            let (text, _) = read(
                OutputLines::escaped(String::new()),
                &[
                    &piece.repeat(10_000)[..150_000 + first],
                    &piece.repeat(10)[first..],
                ],
            );
            let mut text = text.replace('\n', "");
            text.retain(|c| !matches!(c, '\u{1f600}' | '\u{20ac}'));
            assert!(text.len() < 20, "{first}: {text}");
        }
    }

    #[test]
    fn many_short_lines_take_time_in_proportion_to_their_length() {
        let begin = std::time::Instant::now();
        let (text, _) = read(
            OutputLines::escaped("web | ".to_owned()),
            &[&b"\n".repeat(1024 * 1024)],
        );
        assert_eq!(text.len(), 7 * 1024 * 1024);
        assert!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
    }

    #[test]
    fn very_long_line_is_not_held_back() {
        let mut output = Vec::new();
        let mut lines = OutputLines::escaped(String::new());
        lines.write(&mut output, &vec![b'x'; LINE_MAX]).unwrap();
        assert_eq!(output.len(), 0);
        lines.write(&mut output, b"x").unwrap();
        assert_eq!(output.len(), LINE_MAX + 2);
    }
}
