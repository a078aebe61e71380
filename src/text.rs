//! Text that somebody else wrote, made safe to show. Pure.
//!
//! Everybody who can push decides what is in paths, comments, messages and author names, and a
//! deployed program decides what is in its output. If such text were shown as it is, an escape
//! sequence or a bidirectional override could make a terminal or a log show something false.

use std::fmt::Write as _;

/// The longest cause of an error that is shown, in characters.
const CAUSE_MAX: usize = 400;

/// The longest beginning of a colour that is held back until the rest comes, in bytes.
const COLOUR_MAX: usize = 64;

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
    shorten(bytes.as_ref(), max, is_deceptive, |piece| {
        piece.chars().count()
    })
}

/// As [`escape`], but for what stands in double quotes and is read by a program: a quote and a
/// backslash get a backslash in front. `max` counts bytes of what is returned, without the `…`.
#[must_use]
pub fn escape_quoted(bytes: impl AsRef<[u8]>, max: usize) -> String {
    let is_special = |c| is_deceptive(c) || matches!(c, '"' | '\\');
    shorten(bytes.as_ref(), max, is_special, str::len)
}

/// Escapes what is special, and cuts what does not fit between two characters.
fn shorten(
    bytes: &[u8],
    max: usize,
    is_special: impl Fn(char) -> bool,
    size: impl Fn(&str) -> usize,
) -> String {
    // Nearly all texts are plain: then they need no look at each character.
    let is_plain = |b: &u8| (b' '..=b'~').contains(b) && !is_special(char::from(*b));
    if bytes.len() <= max && bytes.iter().all(is_plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }

    let mut line = String::new();
    let mut count = 0;
    let mut put = |line: &mut String, piece: &str| {
        count += size(piece);
        let fits = count <= max;
        line.push_str(if fits { piece } else { "…" });
        fits
    };

    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            let fits = if is_special(c) {
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
    bytes
        .utf8_chunks()
        .flat_map(|chunk| {
            let invalid = chunk.invalid().iter().flat_map(|byte| byte.escape_ascii());
            chunk.valid().chars().chain(invalid.map(char::from))
        })
        .take(max)
        .collect()
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

/// A number for people, with a comma for each thousand: `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// [`escape`], in double quotes. It is for text that was found where something else was expected.
#[must_use]
pub fn quote(bytes: impl AsRef<[u8]>, max: usize) -> String {
    format!("\"{}\"", escape(bytes, max))
}

/// [`escape`], as one word of a command that a person can copy into a shell: in single quotes
/// where the shell could take a character for something else.
#[must_use]
pub fn shell_word(bytes: impl AsRef<[u8]>, max: usize) -> String {
    let escaped = escape(bytes, max);
    let is_plain = |c: char| c.is_alphanumeric() || "._/-+:@%,^=".contains(c);
    match !escaped.is_empty() && escaped.chars().all(is_plain) {
        true => escaped,
        false => format!("'{}'", escaped.replace('\'', "'\\''")),
    }
}

/// Appends one line of a command's output, for a terminal. Colours (SGR sequences) are removed. A
/// carriage return begins a new line, so that each step of a progress bar can be read. Tabs stay,
/// and all other deceptive characters are escaped.
pub fn push_output_line(out: &mut String, line: &[u8]) {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // Each byte is looked at once, and once more if it stands in what only looks like a colour: a
    // command can write a line without end.
    for chunk in line.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(c) = rest.chars().next() {
            if let Some(after) = strip_colour(rest) {
                rest = after;
                continue;
            }
            match c {
                '\r' => out.push('\n'),
                '\t' => out.push('\t'),
                c if is_deceptive(c) => out.extend(c.escape_default()),
                c => out.push(c),
            }
            rest = &rest[c.len_utf8()..];
        }

        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

/// The text after an SGR escape sequence (ECMA-48, 8.3.117); `None`: it does not begin with one.
fn strip_colour(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\x1b[")?;
    parameters
        .trim_start_matches(is_colour_parameter)
        .strip_prefix('m')
}

fn is_colour_parameter(c: char) -> bool {
    c.is_ascii_digit() || matches!(c, ';' | ':')
}

/// How much of the beginning of an unfinished line can be shown on its own, in bytes. What is held
/// back is the beginning of a character or of a colour, or a carriage return at the end.
#[must_use]
pub fn output_boundary(line: &[u8]) -> usize {
    let tail = line.len().saturating_sub(COLOUR_MAX);
    let escape = line[tail..].iter().rposition(|b| *b == 0x1b);
    if let Some(escape) = escape.map(|at| tail + at) {
        let after = &line[escape + 1..];
        let parameters = after.strip_prefix(b"[").unwrap_or(after);
        if parameters.iter().all(|b| is_colour_parameter((*b).into())) {
            return escape;
        }
    }

    // A character has at most four bytes, and its first byte says how many (RFC 3629, 3).
    let first = line.len() - line.len().min(3);
    let begun = (first..line.len()).rev().find(|at| {
        let length = match line[*at] {
            0xf0..=0xf7 => 4,
            0xe0..=0xef => 3,
            0xc0..=0xdf => 2,
            b'\r' if at + 1 == line.len() => 2,
            _ => 1,
        };
        at + length > line.len()
    });
    begun.unwrap_or(line.len())
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
    fn numbers_have_a_comma_for_each_thousand() {
        for (number, expect) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(number), expect);
        }
    }

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
    fn word_for_a_shell_is_one_word_and_no_command() {
        let table = [
            ("deploy/web-6037512", "deploy/web-6037512"),
            ("x;reboot", "'x;reboot'"),
            ("$(reboot)`x`", "'$(reboot)`x`'"),
            ("it's", "'it'\\''s'"),
            ("a\u{202e}b", "'a\\u{202e}b'"),
            ("", "''"),
        ];
        for (name, expected) in table {
            assert_eq!(shell_word(name, 80), expected, "{name:?}");
        }
    }

    #[test]
    fn quoted_text_does_not_end_before_its_quote() {
        for (text, expect) in [
            ("say \"x\"", r#"say \"x\""#),
            (r#"a\" id=2"#, r#"a\\\" id=2"#),
            (r"a\", r"a\\"),
            ("a\nb", r"a\nb"),
            (r"a\nb", r"a\\nb"),
        ] {
            assert_eq!(escape_quoted(text, 80), expect);
        }
        assert_eq!(escape_quoted("éé", 4), "éé");
        assert_eq!(escape_quoted("éé", 3), "é…");
        assert_eq!(escape_quoted("a\"", 2), "a…");
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
    fn line_of_many_bytes_takes_time_in_proportion_to_its_length() {
        let begin = std::time::Instant::now();
        let pieces: [&[u8]; 7] = [
            b"x",
            "\u{e9}".as_bytes(),
            b"\xff",
            b"\x1b[31m",
            b"\x1b[3",
            b"\x1b",
            b"\r",
        ];
        for piece in pieces {
            let mut out = String::new();
            push_output_line(&mut out, &piece.repeat(1024 * 1024));
            assert!(begin.elapsed().as_secs() < 60, "{piece:?}");
        }
        let digits = [b"\x1b[".as_slice(), &b"1".repeat(4 * 1024 * 1024)].concat();
        let mut out = String::new();
        push_output_line(&mut out, &digits);
        assert!(begin.elapsed().as_secs() < 60);
    }

    #[test]
    fn unfinished_character_or_colour_is_held_back() {
        let table: [(&[u8], usize); 12] = [
            (b"", 0),
            (b"abc", 3),
            (b"a\xc3", 1),
            ("a\u{e9}".as_bytes(), 3),
            (b"a\xe2\x82", 1),
            (b"a\xf0\x9f\x98", 1),
            (b"\x80\x80\x80\x80", 4),
            (b"ab\x1b", 2),
            (b"ab\x1b[1;3", 2),
            (b"ab\x1b[1;3m", 8),
            (b"ab\x1b]0;", 6),
            (b"ab\r", 2),
        ];
        for (line, expect) in table {
            assert_eq!(output_boundary(line), expect, "{line:?}");
        }
        let endless = [b"\x1b[".as_slice(), &b"1".repeat(100)].concat();
        assert_eq!(output_boundary(&endless), 102);
    }

    #[test]
    fn nearest_word_must_be_near_enough() {
        assert_eq!(nearest("timout", ["timeout", "user"]), Some("timeout"));
        assert_eq!(nearest("xyz", ["timeout", "user"]), None);
    }
}
