//! A log that is read from some byte on, as events for a browser.
//!
//! Protocol: an event has the number of the byte after the last one that it shows. Bytes that may
//! be the beginning of a character or of a colour are read, but belong to the next event. So a
//! browser that comes back with the number of its last event misses none of them.

use std::io;
use std::path::PathBuf;

use axum::body::Bytes;
use deploy_by_code::report::{Tail, to_json_line};

use crate::limits::PIECE_MAX;
use crate::log_text::{LogText, Span};

/// How much of a log is in one event at most, in bytes.
pub(crate) const EVENT_BYTES: u64 = 8 * 1024;

/// How long the text of an event may become: with its other parts, it fits into a piece.
const EVENT_TEXT: usize = PIECE_MAX - 1024;

/// A piece of a log.
pub(crate) struct Output {
    /// Its first byte in the file.
    pub(crate) start: u64,
    /// The one after its last.
    pub(crate) end: u64,
    /// The event that has it.
    pub(crate) event: Bytes,
}

/// See the head of the file.
pub(crate) struct LogReader {
    tail: Tail,
    text: LogText,
    /// What was read, and is in no event yet.
    bytes: Vec<u8>,
    /// Up to which byte of the file the events go.
    end: u64,
}

impl LogReader {
    /// A log from a byte of its file on.
    pub(crate) fn after(file: PathBuf, from: u64) -> Self {
        Self {
            tail: Tail::after(file, from),
            text: LogText::default(),
            bytes: Vec::new(),
            end: from,
        }
    }

    /// Up to which byte the file was read.
    pub(crate) fn offset(&self) -> u64 {
        self.tail.offset()
    }

    /// Reads some more bytes of the file, at most `most`. Returns whether there were any.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn read(&mut self, most: u64) -> io::Result<bool> {
        let bytes = self.tail.read_at_most(most)?;
        self.bytes.extend_from_slice(&bytes);
        Ok(!bytes.is_empty())
    }

    /// The next piece of what was read; `None`: there is none.
    pub(crate) fn next(&mut self) -> Option<Output> {
        while !self.bytes.is_empty() {
            let rest = self.bytes.split_off(fitting(&self.bytes));
            let piece = std::mem::replace(&mut self.bytes, rest);
            let spans = self.text.push(&piece);
            let output = self.output(&spans);
            if output.is_some() {
                return output;
            }
        }
        None
    }

    /// What is not complete at the end of what was read; `None`: everything is.
    pub(crate) fn rest(&mut self) -> Option<Output> {
        let spans = self.text.end();
        self.output(&spans)
    }

    /// The piece with some text, which ends where the text ends that has become events.
    fn output(&mut self, spans: &[Span]) -> Option<Output> {
        let start = self.end;
        let left = self.bytes.len() as u64 + self.text.held();
        // Where a part of the file was left out, there are words for it, which are not in the file.
        self.end = self.tail.offset().saturating_sub(left).max(start);
        if spans.is_empty() && self.end == start {
            return None;
        }
        let event = event("output", Some(self.end), to_json_line(&spans).as_str());
        Some(Output {
            start,
            end: self.end,
            event,
        })
    }
}

/// How many of the first bytes fit into one event: a byte that is no text becomes several
/// characters.
fn fitting(bytes: &[u8]) -> usize {
    let mut length = 0;
    let fits = bytes.iter().take_while(|byte| {
        length += match byte {
            // It may be the beginning of a colour, which has a list of classes.
            0x1b => 32,
            b'\n' | b'\t' | b'"' | b'\\' => 2,
            b' '..=b'~' => 1,
            _ => 8,
        };
        length <= EVENT_TEXT
    });
    fits.take(usize::try_from(EVENT_BYTES).unwrap_or(usize::MAX))
        .count()
}

/// An event: its name, its number, and its data, which has no line ends.
pub(crate) fn event(name: &str, id: Option<u64>, data: &str) -> Bytes {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of a log with some content: where each begins and ends, and its event.
    fn pieces(content: &[u8], from: u64) -> Vec<(u64, u64, String)> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("1.log");
        std::fs::write(&file, content).unwrap();
        let mut reader = LogReader::after(file, from);
        let mut all = Vec::new();
        while reader.read(1000).unwrap() {
            all.extend(std::iter::from_fn(|| reader.next()));
        }
        all.extend(reader.rest());
        let text = |event: &[u8]| String::from_utf8(event.to_vec()).unwrap();
        all.iter()
            .map(|one| (one.start, one.end, text(&one.event)))
            .collect()
    }

    #[test]
    fn pieces_follow_each_other_and_are_small() {
        let parts: [&[u8]; 6] = [
            b"line\n",
            b"\x1b",
            b"\x1b[1;2;3;4;90;107m\x1b[9mx",
            b"\"\\",
            "é€\u{202e}".as_bytes(),
            b"\xff\x00",
        ];
        for part in parts {
            let content = part.repeat(30_000 / part.len());
            let all = pieces(&content, 3);
            let mut at = 3;
            for (start, end, event) in &all {
                assert_eq!(*start, at, "{part:?}");
                assert!(end > start && event.len() <= PIECE_MAX, "{part:?}: {event}");
                at = *end;
            }
            assert_eq!(at, content.len() as u64, "{part:?}");
        }
    }

    #[test]
    fn beginning_of_a_character_belongs_to_the_next_piece() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("1.log");
        let content = "ab€c".as_bytes();
        std::fs::write(&file, &content[..4]).unwrap();
        let mut reader = LogReader::after(file.clone(), 0);
        assert!(reader.read(100).unwrap());
        let first = reader.next().unwrap();
        assert_eq!((first.start, first.end), (0, 2));
        assert!(reader.next().is_none());

        std::fs::write(&file, content).unwrap();
        assert!(reader.read(100).unwrap());
        let second = reader.next().unwrap();
        assert_eq!((second.start, second.end), (2, 6));
        assert!(
            second
                .event
                .ends_with("data: [[\"€c\",\"\"]]\n\n".as_bytes())
        );
        assert!(reader.rest().is_none());
    }
}
