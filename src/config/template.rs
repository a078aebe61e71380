//! Templates: settings in which `{name}` is replaced by a value of the deployment.

use std::fmt;

use crate::text;

/// The names that may stand in a command.
pub(super) const COMMAND_NAMES: &[&str] = &[
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

/// The names that may stand in the path of a folder: what stays the same from one deployment to the
/// next.
pub(super) const FOLDER_NAMES: &[&str] = &["environment", "application"];

/// Pairs of a name and the value that replaces it.
pub type Values<'a> = [(&'a str, &'a str)];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TemplateError {
    /// A brace that is neither doubled nor one of a pair.
    SingleBrace(char),
    /// A name that is not known in this template.
    UnknownName {
        name: String,
        known: &'static [&'static str],
    },
}

/// What follows the name of the key in a sentence.
impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SingleBrace(brace) => write!(f, "has a single \"{brace}\""),
            Self::UnknownName { name, .. } => {
                let name = text::escape(name, 40);
                write!(f, "names {{{name}}}, which is not known here")
            }
        }
    }
}

impl std::error::Error for TemplateError {}

impl TemplateError {
    /// What to write instead.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::SingleBrace(brace) => format!("write {brace}{brace} for a brace"),
            Self::UnknownName { name, known } => match text::nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean {{{near}}}?"),
                None => format!("known here: {{{}}}", known.join("}, {")),
            },
        }
    }
}

/// A text with `{name}`s in it; `{{` and `}}` are braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    /// Reads a template that may use `names`.
    ///
    /// # Errors
    /// A brace without its partner, or a name that is none of `names`.
    pub(super) fn parse(text: &str, names: &'static [&'static str]) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;

        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let (brace, after) = rest[at..].split_at(1);
            if let Some(after) = after.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }

            let (name, after) = match (brace, after.split_once('}')) {
                ("{", Some(parts)) => parts,
                ("{", None) => return Err(TemplateError::SingleBrace('{')),
                _ => return Err(TemplateError::SingleBrace('}')),
            };
            if !names.contains(&name) {
                let name = name.to_owned();
                return Err(TemplateError::UnknownName { name, known: names });
            }
            pieces.push(Piece::Text(std::mem::take(&mut plain)));
            pieces.push(Piece::Name(name.to_owned()));
            rest = after;
        }

        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// The text with each name replaced by its value. Braces in values mean nothing.
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
    fn names_are_replaced() {
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
    fn mistakes_have_a_message_and_a_hint() {
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
            assert_eq!(error.to_string(), message, "{text:?}");
            assert_eq!(error.hint(), hint, "{text:?}");
        }
    }
}
