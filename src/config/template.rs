//! `{name}` in settings, replaced by what is deployed.

use crate::text;

/// The names that a command's arguments know, in the order of [`Values`].
pub const COMMAND_NAMES: &[&str] = &[
    "id",
    "environment",
    "application",
    "revision",
    "previous_revision",
    "commit",
    "pusher",
    "repository",
    "checkout",
];

/// The names that folders know: what stays the same from one deployment to the next.
pub const FOLDER_NAMES: &[&str] = &["environment", "application"];

/// What stands for each name.
pub type Values<'a> = [(&'a str, &'a str)];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

/// A text with `{name}`s in it; `{{` and `}}` are braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    /// Reads a template that may use `names`.
    ///
    /// # Errors
    /// A sentence that says which brace or name is wrong, and the nearest name as a hint.
    pub(super) fn parse(text: &str, names: &[&str]) -> Result<Self, (String, Option<String>)> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let unbalanced = || {
                (
                    format!("has a single \"{brace}\""),
                    Some(format!("write {brace}{brace} for a brace")),
                )
            };
            let end = rest
                .find('}')
                .filter(|_| brace == "{")
                .ok_or_else(unbalanced)?;
            let name = &rest[..end];
            if !names.contains(&name) {
                let hint = match text::nearest(name, names.iter().copied()) {
                    Some(near) => format!("did you mean {{{near}}}?"),
                    None => format!("known here: {{{}}}", names.join("}, {")),
                };
                return Err((
                    format!(
                        "names {{{}}}, which is not known here",
                        text::escape(name, 40)
                    ),
                    Some(hint),
                ));
            }
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
            pieces.push(Piece::Name(name.to_owned()));
            rest = &rest[end + 1..];
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// The text with each name's value in its place; values are never read for braces again.
    #[must_use]
    pub fn fill(&self, values: &Values<'_>) -> String {
        let value = |name: &str| {
            values
                .iter()
                .find(|(known, _)| *known == name)
                .map_or("", |(_, value)| *value)
        };
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Name(name) => value(name).to_owned(),
        };
        self.0.iter().map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills() {
        let values = [
            ("environment", "production"),
            ("application", "{environment}"),
        ];
        let table = [
            ("", ""),
            ("plain", "plain"),
            (
                "/srv/{environment}/{application}",
                "/srv/production/{environment}",
            ),
            ("{{{environment}}}", "{production}"),
            ("{{environment}}", "{environment}"),
        ];
        for (text, expect) in table {
            assert_eq!(
                Template::parse(text, FOLDER_NAMES).unwrap().fill(&values),
                expect,
                "{text:?}"
            );
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, message, hint) in [
            (
                "{enviroment}",
                "names {enviroment}, which is not known here",
                "did you mean {environment}?",
            ),
            (
                "{xyz}",
                "names {xyz}, which is not known here",
                "known here: {environment}, {application}",
            ),
            ("a{", "has a single \"{\"", "write {{ for a brace"),
            ("a}b", "has a single \"}\"", "write }} for a brace"),
        ] {
            let error = Template::parse(text, FOLDER_NAMES).unwrap_err();
            assert_eq!(
                error,
                (message.to_owned(), Some(hint.to_owned())),
                "{text:?}"
            );
        }
    }
}
