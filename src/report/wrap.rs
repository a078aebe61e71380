//! Lines that fit into a width. Pure.

/// Some text with line breaks in place of spaces, so that its lines have at most `width`
/// characters, where words are not longer than that. Each line but the first begins with `indent`
/// spaces, also those that the text itself begins.
#[must_use]
pub fn wrap(text: &str, width: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        }
        let mut has_word = false;
        // Spaces at the beginning of a line and between words stay as they are.
        for word in line.split_inclusive(' ') {
            let length = word.trim_end_matches(' ').chars().count();
            if has_word && column + length > width {
                out.truncate(out.trim_end_matches(' ').len());
                out.push('\n');
                out.push_str(&" ".repeat(indent));
                column = indent;
            }
            out.push_str(word);
            column += word.chars().count();
            has_word |= length > 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces() {
        let table = [
            ("", ""),
            ("short", "short"),
            ("exactly ten", "exactly\n  ten"),
            ("one two three", "one two\n  three"),
            ("a averylongword b", "a\n  averylongword\n  b"),
            ("averylongword b", "averylongword\n  b"),
            ("one\ntwo three", "one\n  two\n  three"),
            ("ok       a b c", "ok\n  a b c"),
            (
                "\u{e9}\u{e9}\u{e9} \u{e9}\u{e9}\u{e9} \u{e9}\u{e9}",
                "ééé ééé\n  éé",
            ),
        ];
        for (text, expect) in table {
            assert_eq!(wrap(text, 9, 2), expect, "{text:?}");
        }
    }
}
