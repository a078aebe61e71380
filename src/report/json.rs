//! JSON that cannot deceive a terminal, even if a hostile person wrote the texts in it.

use std::io;

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer as Serialization};
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter, Serializer};

use crate::policy::Freeze;
use crate::text::is_deceptive;

/// Pretty JSON with every deceptive character as `\uXXXX` (RFC 8259, section 7). Programs read it
/// back as the same character.
#[must_use]
pub fn to_json(value: &impl Serialize) -> String {
    write(value, PrettyFormatter::new())
}

/// The same in one line.
#[must_use]
pub fn to_json_line(value: &impl Serialize) -> String {
    write(value, CompactFormatter)
}

/// Writes values as the array that [`to_json`] makes of them, piece by piece: it never is in memory
/// as a whole. An empty piece is the end. `failed`: the error of the output.
///
/// # Errors
/// The next piece can't be had, or nothing can be written.
pub fn write_json_array<T: Serialize, E>(
    output: &mut impl io::Write,
    mut next_piece: impl FnMut() -> Result<Vec<T>, E>,
    failed: impl Fn(io::Error) -> E,
) -> Result<(), E> {
    let failed = |error: serde_json::Error| failed(error.into());
    // If the first piece can't be had, nothing is written.
    let mut piece = next_piece()?;
    let mut serializer = Serializer::with_formatter(output, Escaping(PrettyFormatter::new()));
    let mut array = serializer.serialize_seq(None).map_err(failed)?;

    while !piece.is_empty() {
        for value in &piece {
            array.serialize_element(value).map_err(failed)?;
        }
        piece = next_piece()?;
    }
    SerializeSeq::end(array).map_err(failed)
}

fn write(value: &impl Serialize, formatter: impl Formatter) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Escaping(formatter));
    // Writing to memory can't fail, and all keys of the rows are strings.
    let _ = value.serialize(&mut serializer);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Writes a freeze as the text that describes it; null where there is none.
#[expect(
    clippy::ref_option,
    reason = "serde calls it with a reference to the field"
)]
pub(super) fn freeze_as_text<S: Serialization>(
    freeze: &Option<Freeze>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    freeze.as_ref().map(Freeze::describe).serialize(serializer)
}

struct Escaping<F>(F);

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Nearly all texts are plain.
        if fragment.bytes().all(|b| (b' '..=b'~').contains(&b)) {
            return writer.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            if !is_deceptive(c) {
                writer.write_all(c.encode_utf8(&mut [0; 4]).as_bytes())?;
                continue;
            }
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }

        Ok(())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn array_in_pieces_is_that_of_all_its_values() {
        for pieces in [
            vec![],
            vec![vec!["a", "é\n"]],
            vec![vec!["a"], vec!["b", "c"]],
        ] {
            let all: Vec<&str> = pieces.concat();
            let mut left = pieces.into_iter();
            let next = || Ok::<_, io::Error>(left.next().unwrap_or_default());

            let mut output = Vec::new();
            write_json_array(&mut output, next, |error| error).unwrap();
            assert_eq!(String::from_utf8(output).unwrap(), to_json(&all));
        }
        let mut output = Vec::new();
        let next = || Err::<Vec<u8>, _>(io::Error::other("x"));
        write_json_array(&mut output, next, |error| error).unwrap_err();
        assert!(output.is_empty());
    }

    #[test]
    fn deceptive_characters_are_escaped_and_read_back() {
        let hostile = vec![
            "a\x1b[31m",
            "b\u{202e}c",
            "\u{9b}1m",
            "\u{e0041}",
            "é \"quoted\"",
        ];
        let json = to_json(&hostile);
        assert!(
            !json.chars().any(|c| is_deceptive(c) && c != '\n'),
            "{json:?}"
        );
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), hostile);

        let line = to_json_line(&hostile);
        assert!(!line.chars().any(is_deceptive), "{line:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&line).unwrap(), hostile);
    }
}
