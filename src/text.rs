//! Text that somebody else wrote, made safe to show. Pure.
//!
//! Everybody who can push decides what is in paths, comments, messages and author names, and a
//! deployed program decides what is in its output. If such text were shown as it is, an escape
//! sequence or a bidirectional override could make a terminal or a log show something false.

use std::fmt::Write as _;

/// The longest cause of an error that is shown, in characters.
const CAUSE_MAX: usize = 400;

/// Whether a character must not reach a terminal, a log line or JSON text as it is. These are
/// control characters (C0, DEL, C1), line and paragraph separators, bidirectional controls (Unicode
/// UAX #9) and other invisible format characters.
#[must_use]
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// One line that is safe to show, with at most `max` characters and a final `…` if something was
/// cut. Deceptive characters become `\n` or `\u{202e}`, and bytes that are not UTF-8 become `\xff`.
#[must_use]
pub fn escape(bytes: impl AsRef<[u8]>, max: usize) -> String {
    let mut line = String::new();
    let mut count = 0;
    let mut put = |line: &mut String, piece: &str| {
        let fits = count + piece.len().min(piece.chars().count()) <= max;
        count += piece.chars().count();
        line.push_str(if fits { piece } else { "…" });
        fits
    };

    for chunk in bytes.as_ref().utf8_chunks() {
        for c in chunk.valid().chars() {
            let fits = if is_deceptive(c) {
                put(&mut line, &c.escape_default().to_string())
            } else {
                put(&mut line, c.encode_utf8(&mut [0; 4]))
            };
            if !fits {
                return line;
            }
        }

        for byte in chunk.invalid() {
            if !put(&mut line, &format!("\\x{byte:02x}")) {
                return line;
            }
        }
    }
    line
}

/// Bytes as text to keep, with at most `max` characters. Bytes that are not UTF-8 become `\xff`.
/// Everything else stays as it is, and must be escaped where it is shown.
#[must_use]
pub fn decode(bytes: &[u8], max: usize) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text.chars().take(max).collect()
}

/// What an error says, and after each colon what caused it. The causes are escaped and bounded:
/// most of them are words of a library about something that somebody else wrote. A cause whose
/// words the error repeats in its own is left out.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let shown = escape(next.to_string(), CAUSE_MAX);
        if !words.contains(&shown) {
            words.push_str(": ");
            words.push_str(&shown);
        }
        cause = next.source();
    }
    words
}

/// [`escape`], in double quotes. It is for text that was found where something else was expected.
#[must_use]
pub fn quote(bytes: impl AsRef<[u8]>, max: usize) -> String {
    format!("\"{}\"", escape(bytes, max))
}

/// Appends one line of a command's output, for a terminal. Colours (SGR sequences) are removed. A
/// carriage return begins a new line, so that each step of a progress bar can be read. Tabs stay,
/// and all other deceptive characters are escaped.
pub fn push_output_line(out: &mut String, line: &[u8]) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut rest = line;
    while !rest.is_empty() {
        if let Some(after) = strip_colour(rest) {
            rest = after;
            continue;
        }

        let Some(chunk) = rest.utf8_chunks().next() else {
            return;
        };
        if let Some(c) = chunk.valid().chars().next() {
            match c {
                '\r' => out.push('\n'),
                '\t' => out.push('\t'),
                c if is_deceptive(c) => out.extend(c.escape_default()),
                c => out.push(c),
            }
            rest = &rest[c.len_utf8()..];
        } else {
            for byte in chunk.invalid() {
                let _ = write!(out, "\\x{byte:02x}");
            }
            rest = &rest[chunk.invalid().len()..];
        }
    }
}

/// The bytes after an SGR escape sequence (ECMA-48, 8.3.117); `None`: they do not begin with one.
fn strip_colour(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(b"\x1b[")?;
    let end = rest
        .iter()
        .position(|b| !(b.is_ascii_digit() || matches!(b, b';' | b':')))?;
    (rest[end] == b'm').then(|| &rest[end + 1..])
}

/// The word among `words` that is most like `word`. `None`: no word is like it enough to be what
/// somebody meant to write.
#[must_use]
pub fn nearest<'a>(word: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    words
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(likeness, _)| *likeness > 0.78)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// Whether one name is most probably a slip of the pen for the other: they differ in case, or in
/// one letter, or in two if they are long. Names that differ in digits alone are numbered, as
/// `web1` and `web2` are.
#[must_use]
pub fn is_slip(name: &str, other: &str) -> bool {
    let lower = |name: &str| name.to_lowercase();
    let without_digits = |name: &str| lower(name).replace(|c: char| c.is_ascii_digit(), "");
    if name == other || without_digits(name) == without_digits(other) {
        return name != other && lower(name) == lower(other);
    }

    let length = name.len().min(other.len());
    let most = if length < 4 {
        0
    } else if length < 8 {
        1
    } else {
        2
    };
    strsim::damerau_levenshtein(&lower(name), &lower(other)) <= most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_text_has_no_deceptive_characters() {
        let table: &[(&[u8], &str)] = &[
            (b"plain", "plain"),
            ("é ✓".as_bytes(), "é ✓"),
            (b"a\nb\x1b[31m", "a\\nb\\u{1b}[31m"),
            ("x\u{202e}y".as_bytes(), "x\\u{202e}y"),
            ("x\u{9b}y".as_bytes(), "x\\u{9b}y"),
            (b"\xff\xfe", "\\xff\\xfe"),
        ];
        for (bytes, expect) in table {
            assert_eq!(escape(bytes, 80), *expect);
        }
    }

    #[test]
    fn decoded_text_keeps_what_is_utf_8() {
        assert_eq!(decode(b"a\xff\n", 9), "a\\xff\n");
        assert_eq!(decode(b"abcdef", 3), "abc");
    }

    #[test]
    fn escaped_text_has_a_limited_length() {
        assert_eq!(escape("abcdef", 3), "abc…");
        assert_eq!(escape("abc", 3), "abc");
        assert_eq!(escape("ab\n", 3), "ab…");
    }

    #[test]
    fn causes_of_an_error_follow_it() {
        #[derive(Debug, thiserror::Error)]
        #[error("the file can't be read")]
        struct Silent(#[source] std::io::Error);

        #[derive(Debug, thiserror::Error)]
        #[error("the file can't be read: {0}")]
        struct Repeating(#[source] std::io::Error);

        let cause = || std::io::Error::other("the disk is full");
        let shown = "the file can't be read: the disk is full";
        assert_eq!(with_causes(&Silent(cause())), shown);
        assert_eq!(with_causes(&Repeating(cause())), shown);

        let hostile = Silent(std::io::Error::other("a\nb"));
        assert_eq!(with_causes(&hostile), "the file can't be read: a\\nb");
    }

    #[test]
    fn output_line_is_shown_without_colours() {
        let show = |line: &[u8]| {
            let mut out = String::new();
            push_output_line(&mut out, line);
            out
        };

        assert_eq!(show(b"\x1b[1;31mred\x1b[0m\tx\r"), "red\tx");
        assert_eq!(show(b"10%\r20%"), "10%\n20%");
        assert_eq!(show(b"\x1b]0;title\x07"), "\\u{1b}]0;title\\u{7}");
        assert_eq!(show(b"a\xffb\x1b["), "a\\xffb\\u{1b}[");
    }

    #[test]
    fn slip_is_a_small_difference_between_names() {
        for (a, b, expect) in [
            ("prodution", "production", true),
            ("databsae", "database", true),
            ("webb", "webs", true),
            ("Web", "web", true),
            ("web", "web", false),
            ("web1", "web2", false),
            ("web", "wib", false),
            ("website", "database", false),
            ("production", "production-eu", false),
        ] {
            assert_eq!(is_slip(a, b), expect, "{a} {b}");
        }
    }

    #[test]
    fn nearest_word_must_be_near_enough() {
        assert_eq!(nearest("timout", ["timeout", "user"]), Some("timeout"));
        assert_eq!(nearest("xyz", ["timeout", "user"]), None);
    }
}
