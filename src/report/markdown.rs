//! Text of others in Markdown.

/// Text that Markdown (CommonMark 0.31, section 2.4) and HTML take for nothing but text.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            // A mention would notify somebody.
            '@' => plain.push_str("&#64;"),

            '.' | ',' | ':' | '/' | '-' => plain.push(c),
            c if c.is_ascii_punctuation() => plain.extend(['\\', c]),
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_never_markup() {
        let table = [
            ("<b>&", "&lt;b&gt;&amp;"),
            ("@alice *a* [x](y)", "&#64;alice \\*a\\* \\[x\\]\\(y\\)"),
            ("a/b-c: d, e.", "a/b-c: d, e."),
        ];
        for (text, expected) in table {
            assert_eq!(plain(text), expected);
        }
    }
}
