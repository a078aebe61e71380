//! What can be wrong in a configuration file, and the words for it.

use std::fmt;
use std::ops::RangeInclusive;

use super::key_place::KeyPlace;
use super::template::TemplateError;
use super::values::ValueError;
use crate::id::{Application, Environment};
use crate::order;
use crate::text;

/// Something wrong in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// The column in characters, from 1; 0 where the whole file is meant.
    pub column: usize,
    pub(super) kind: MistakeKind,
}

impl Mistake {
    /// The whole file can't be read.
    #[must_use]
    pub fn unreadable(error: &std::io::Error) -> Self {
        Self::of_file(MistakeKind::Unreadable(error.to_string()))
    }

    /// The whole file is missing, although it was there when the hooks were installed.
    #[must_use]
    pub fn missing() -> Self {
        Self::of_file(MistakeKind::Missing)
    }

    /// Something is not what it was when the hooks were installed. `what` is the subject of a
    /// sentence.
    #[must_use]
    pub fn not_as_installed(what: &'static str, now: &str, installed: &str) -> Self {
        Self::of_file(MistakeKind::NotAsInstalled {
            what,
            now: now.to_owned(),
            installed: installed.to_owned(),
        })
    }

    /// The status is published at the deploy branch, which `HEAD` names, or at a ref that git can't
    /// have beside it.
    #[must_use]
    pub fn publishes_at_branch(publish: &str, branch: &str) -> Self {
        Self::of_file(MistakeKind::PublishesAtBranch {
            publish: publish.to_owned(),
            branch: branch.to_owned(),
        })
    }

    /// A mistake that the whole file is about.
    fn of_file(kind: MistakeKind) -> Self {
        Self {
            line: 0,
            column: 0,
            kind,
        }
    }

    /// What to do about it, where the message does not say so already.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        self.kind.hint()
    }
}

/// The place, and what is wrong there; everything that comes from the file is escaped.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }

        self.kind.fmt(f)
    }
}

/// The kinds of mistakes. A `key` is the key with its sections, as in `defaults.timeout`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MistakeKind {
    /// The file can't be read; the message of the system.
    Unreadable(String),
    /// The file is missing, and was there at the installation.
    Missing,
    /// Something is not what it was at the installation.
    NotAsInstalled {
        what: &'static str,
        now: String,
        installed: String,
    },
    /// The text is not TOML; the message of the parser.
    NotToml(String),

    /// A key that is not known in the section; `section` is empty at the top of the file.
    UnknownKey {
        section: String,
        key: String,
        known: Vec<&'static str>,
        /// The keys of all sections.
        elsewhere: Vec<(&'static str, KeyPlace)>,
    },
    /// A key that may stand in the section of an environment only.
    KeyOfEnvironment { section: String, key: String },
    /// A key that a section needs; `of` is the kind of the section that needs it.
    MissingKey {
        section: String,
        key: &'static str,
        of: Option<&'static str>,
    },
    /// A key that belongs to sections of another kind.
    KeyOfOtherKind {
        section: String,
        key: String,
        kind: &'static str,
        known: Vec<&'static str>,
    },
    /// A section with both `url` and `url_file`.
    BothUrls { section: String },
    /// A word that is none of those that the key takes.
    UnknownValue {
        key: String,
        value: String,
        known: Vec<&'static str>,
    },

    /// A value of another type than the key has.
    Type {
        key: String,
        found: &'static str,
        wanted: &'static str,
    },
    /// A number in place of a number with a unit, and two of the units that there are.
    NoUnit {
        key: String,
        number: String,
        units: [&'static str; 2],
    },
    /// A string with a NUL character, which cannot be passed to a program.
    Nul { key: String },
    /// A number outside of what the key takes.
    OutOfRange {
        key: String,
        range: RangeInclusive<i64>,
    },
    /// A string that does not say what the key needs.
    Value { key: String, error: ValueError },
    /// A template with a wrong brace or name in it.
    Template { key: String, error: TemplateError },

    /// A command as one string.
    CommandIsString { key: String },
    /// A command without a first string, or with an empty one.
    NoProgram { key: String },
    /// A group of fewer than two applications.
    NoGroup { key: String },
    /// A name that is not a valid name of an environment variable.
    VariableName { key: String },
    /// A variable that this program sets itself.
    ReservedVariable { key: String },

    /// A name of a group that could be a mail address, or that is empty.
    GroupName { group: String },
    /// An environment that asks for approvals, although no signature can count; the name of its
    /// section.
    ApprovalsWithoutKeys(String),
    /// An environment that says who approves, but not how many; the name of its section.
    ApproversAlone(String),
    /// A name that is neither a mail address nor a group, and the known groups.
    UnknownPerson {
        key: String,
        name: String,
        known: Vec<String>,
    },
    /// An environment that asks for more approvals than there are people who can give one.
    FewApprovers {
        section: String,
        approvals: usize,
        people: usize,
    },

    /// A ref for the status that is the deploy branch, or that git can't have beside it.
    PublishesAtBranch { publish: String, branch: String },

    /// Marks in a repository on another host.
    MarksByUrl,

    /// An environment that has no section.
    UnknownEnvironment {
        key: String,
        name: Environment,
        known: Vec<String>,
    },
    /// An environment whose `promotes_from` names itself; the name of its section.
    PromotesFromItself(String),
    /// An environment with `soak`, but without `promotes_from`; the name of its section.
    SoakAlone(String),
    /// A name that differs from the name of a section in upper and lower case alone.
    Spelling {
        key: String,
        name: String,
        other: String,
    },
    /// Two patterns that a name can match.
    PatternsOverlap { pattern: String, other: String },
    /// More patterns than this.
    ManyPatterns(usize),
    /// A cycle: each application goes after the next one. The last is the same as the first.
    Cycle(Vec<Application>),
}

impl fmt::Display for MistakeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "can't be read: {}", text::escape(error, 200)),
            Self::Missing => f.write_str("is missing, but was there when the hooks were installed"),
            Self::NotAsInstalled {
                what,
                now,
                installed,
            } => write!(
                f,
                "{what} is {} now, but it was {} when the hooks were installed",
                text::escape(now, 200),
                text::escape(installed, 200)
            ),
            Self::NotToml(error) => write!(f, "not TOML: {}", text::escape(error, 200)),

            Self::UnknownKey { section, key, .. } | Self::KeyOfEnvironment { section, key } => {
                write!(f, "unknown key {}", text::quote(key, 64))?;
                match section.as_str() {
                    "" => Ok(()),
                    section => write!(f, " in {section}"),
                }
            }
            Self::MissingKey { section, key, of } => match of {
                Some(kind) => write!(f, "{section} is of kind {kind} and has no {key}"),
                None => write!(f, "{section} has no {key}"),
            },
            Self::KeyOfOtherKind {
                section, key, kind, ..
            } => write!(f, "{section} is of kind {kind}, which has no key {key}"),
            Self::MarksByUrl => f.write_str(
                "marks is true for a repository on another host, and nothing is written there",
            ),
            Self::BothUrls { section } => write!(f, "{section} has both url and url_file"),
            Self::UnknownValue { key, value, .. } => {
                write!(f, "unknown value {} of {key}", text::quote(value, 64))
            }

            Self::Type { key, found, wanted } => {
                write!(f, "{key} is of type {found}, not {wanted}")
            }
            Self::NoUnit { key, number, .. } => {
                write!(f, "{key}: {} has no unit", text::escape(number, 40))
            }
            Self::Nul { key } => write!(f, "{key} contains a NUL character"),
            Self::OutOfRange { key, range } => {
                write!(
                    f,
                    "{key} is not between {} and {}",
                    range.start(),
                    range.end()
                )
            }
            Self::Value { key, error } => write!(f, "{key}: {error}"),
            Self::Template { key, error } => write!(f, "{key} {error}"),

            Self::CommandIsString { key } => {
                write!(f, "{key} is a string, not an array of strings")
            }
            Self::NoProgram { key } => write!(f, "{key} does not name a program"),
            Self::NoGroup { key } => write!(f, "{key} is not a group of applications"),
            Self::VariableName { key } => {
                write!(f, "{key} is not a valid name of an environment variable")
            }
            Self::ReservedVariable { key } => write!(f, "{key} is set by deploy-by-code itself"),

            Self::GroupName { group } => {
                write!(f, "{} is not a name of a group", text::quote(group, 64))
            }
            Self::ApprovalsWithoutKeys(name) => write!(
                f,
                "environments.{name}.approvals is set, but [people] names no file of keys"
            ),
            Self::ApproversAlone(name) => {
                write!(f, "environments.{name}.approvers is set without approvals")
            }
            Self::UnknownPerson { key, name, .. } => write!(
                f,
                "{key}: {} is neither a mail address nor a group of [people]",
                text::quote(name, 64)
            ),
            Self::FewApprovers {
                section,
                approvals,
                people,
            } => write!(
                f,
                "environments.{section}.approvals is {approvals}, but approvers has only {people} \
                 {}",
                if *people == 1 { "person" } else { "people" }
            ),

            Self::PublishesAtBranch { publish, branch } if publish == branch => {
                write!(
                    f,
                    "publish names the deploy branch {}",
                    text::escape(branch, 200)
                )
            }
            Self::PublishesAtBranch { publish, branch } => write!(
                f,
                "publish names {}, which git can't have beside {}",
                text::escape(publish, 200),
                text::escape(branch, 200)
            ),

            Self::UnknownEnvironment { key, name, .. } => {
                write!(f, "unknown environment \"{name}\" in {key}")
            }
            Self::PromotesFromItself(name) => write!(
                f,
                "environments.{name}.promotes_from names the environment itself"
            ),
            Self::SoakAlone(name) => {
                write!(f, "environments.{name}.soak is set without promotes_from")
            }
            Self::Spelling { key, name, other } => write!(
                f,
                "{key}: \"{name}\" differs from \"{other}\" only in upper and lower case"
            ),
            Self::PatternsOverlap { pattern, other } => {
                write!(f, "a name can match both \"{pattern}\" and \"{other}\"")
            }
            Self::ManyPatterns(most) => {
                write!(f, "environments has more than {most} patterns")
            }
            Self::Cycle(applications) => {
                let names = order::shown(applications).join(" after ");
                write!(f, "after makes a cycle: {names}")
            }
        }
    }
}

impl MistakeKind {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownKey {
                key,
                known,
                elsewhere,
                ..
            } => nearest_key(key, known, elsewhere),
            Self::UnknownValue { value, known, .. } => nearest(value, known),
            Self::UnknownEnvironment { name, known, .. } => {
                let known: Vec<_> = known.iter().map(String::as_str).collect();
                match text::nearest(name.as_str(), known.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => format!("each environment needs a section: add [environments.{name}]"),
                }
            }
            Self::Spelling { other, .. } => format!("write \"{other}\" everywhere"),
            Self::PatternsOverlap { .. } => {
                "change one of them, so that only one section can count".to_owned()
            }

            Self::Value { error, .. } => return error.hint(),
            Self::Template { error, .. } => error.hint(),

            Self::Missing => {
                "restore the file; if it is gone on purpose, run: deploy-by-code install".to_owned()
            }
            Self::NotAsInstalled { .. } => concat!(
                "undo the change of the configuration or of HEAD;",
                " if it is meant, run: deploy-by-code install"
            )
            .to_owned(),

            Self::NoUnit { number, units, .. } => {
                let number = text::escape(number, 40);
                let [first, second] = units;
                format!("write \"{number}{first}\" or \"{number}{second}\"")
            }
            Self::KeyOfEnvironment { .. } => {
                "it belongs to an environment: put it under [environments.NAME]".to_owned()
            }
            Self::CommandIsString { .. } => {
                "it is not passed to a shell: write [\"/path/to/program\", \"argument\"]".to_owned()
            }
            Self::MissingKey { key: "kind", .. } => {
                "write kind = \"mail\", \"webhook\", \"slack\", \"cdevents\" or \"command\""
                    .to_owned()
            }
            Self::MissingKey { key, .. } => format!("add {key}"),
            Self::KeyOfOtherKind { known, .. } => {
                format!("remove it; this kind has: {}", known.join(", "))
            }
            Self::BothUrls { .. } => {
                "remove one of them; a URL that is a secret belongs into url_file".to_owned()
            }
            Self::NoGroup { .. } => {
                "name two or more applications that change in the same push".to_owned()
            }
            Self::GroupName { .. } => "write a name without \"@\", such as ops".to_owned(),
            Self::ApprovalsWithoutKeys(_) => {
                "add allowed_signers or gpg_keyring under [people]".to_owned()
            }
            Self::ApproversAlone(_) => {
                "say how many of them must approve: approvals = 1".to_owned()
            }
            Self::UnknownPerson { name, known, .. } => {
                let groups: Vec<&str> = known.iter().map(String::as_str).collect();
                match text::nearest(name, groups.iter().copied()) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None if groups.is_empty() => "[people] has no groups".to_owned(),
                    None => format!("the groups are: \"{}\"", groups.join("\", \"")),
                }
            }
            Self::FewApprovers { .. } => {
                "name more people, or ask for fewer approvals; nobody could deploy here".to_owned()
            }
            Self::PublishesAtBranch { .. } => {
                "name a ref that nobody else writes, such as \"refs/deploy-by-code/status\""
                    .to_owned()
            }
            Self::ReservedVariable { .. } => {
                "names that begin with DEPLOY_ tell the command what it deploys".to_owned()
            }
            Self::MarksByUrl => {
                "write marks = false for it, or name a repository of this machine".to_owned()
            }
            Self::SoakAlone(_) => concat!(
                "soak is how long ago a revision must have succeeded",
                " in the environment of promotes_from"
            )
            .to_owned(),

            Self::Unreadable(_)
            | Self::NotToml(_)
            | Self::Type { .. }
            | Self::Nul { .. }
            | Self::OutOfRange { .. }
            | Self::NoProgram { .. }
            | Self::VariableName { .. }
            | Self::PromotesFromItself(_)
            | Self::ManyPatterns(_)
            | Self::Cycle(_) => return None,
        };

        Some(hint)
    }
}

/// The nearest of the known keys. Where a key of another section is nearer, that one.
fn nearest_key(
    key: &str,
    known: &[&'static str],
    elsewhere: &[(&'static str, KeyPlace)],
) -> String {
    let other = text::nearest(key, elsewhere.iter().map(|(name, _)| *name));
    let other = other.filter(|name| !known.contains(name));
    let other = elsewhere.iter().find(|(name, _)| Some(*name) == other);
    let Some((name, place)) = other else {
        return nearest(key, known);
    };
    format!("did you mean \"{name}\"? It belongs {}", place.words())
}

/// The nearest of the known words, or all of them where none is near.
fn nearest(word: &str, known: &[&str]) -> String {
    match text::nearest(word, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("known here: \"{}\"", known.join("\", \"")),
    }
}
