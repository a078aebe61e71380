//! From the text of a configuration file to a [`Config`].

use toml::de::DeTable;

use super::calendar::Zones;
use super::document::DocumentReader;
use super::mistake::{Mistake, MistakeKind};
use super::sections::Config;
use super::{keys, references};

impl Config {
    /// Reads the text of a configuration file, and returns all that is wrong with it, in the order
    /// of the text. Where nothing is wrong, the configuration may be used.
    #[must_use]
    pub fn parse(text: &str, zones: Zones<'_>) -> (Self, Vec<Mistake>) {
        let (document, errors) = DeTable::parse_recoverable(text);
        let document = document.get_ref();

        let mut reader = DocumentReader::new(text, zones);
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            reader.report(at, MistakeKind::NotToml(error.message().to_owned()));
        }

        let config = keys::config(document, &mut reader);
        references::check(&config, document, &mut reader);
        (config, reader.into_mistakes())
    }
}

#[cfg(test)]
#[path = "notify_tests.rs"]
mod notify_tests;
#[cfg(test)]
#[path = "release_tests.rs"]
mod release_tests;
#[cfg(test)]
#[path = "repository_tests.rs"]
mod repository_tests;
#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
