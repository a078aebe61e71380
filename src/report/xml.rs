//! Text in XML. Pure.

use crate::text::is_deceptive;

/// Text as XML 1.0 has it, also inside of double quotes. What XML can't have at all, and what could
/// deceive somebody who reads it, is left out.
#[must_use]
pub fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            c if is_deceptive(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_never_markup() {
        let hostile = "<a href=\"x\">&amp;\u{0}\u{1b}\u{ffff}\u{202e}\n";
        let expect = "&lt;a href=&quot;x&quot;&gt;&amp;amp;\n";
        assert_eq!(xml(hostile), expect);
    }
}
