//! `ENV` or `ENV/APP` on the command line.

use std::str::FromStr;

use thiserror::Error;

use crate::id::{Application, Environment, NameError};
use crate::store::Filter;

/// `ENV` or `ENV/APP`.
#[derive(Debug, Clone, Default)]
pub(super) struct FilterArgument(pub(super) Filter);

/// Why some text is not a [`FilterArgument`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum FilterError {
    #[error("write ENV or ENV/APP")]
    TooDeep,
    #[error(transparent)]
    Name(#[from] NameError),
}

impl FromStr for FilterArgument {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let (environment, application) = match text.split_once('/') {
            Some((_, application)) if application.contains('/') => {
                return Err(FilterError::TooDeep);
            }
            Some((environment, "")) => (environment, None),
            Some((environment, application)) => (environment, Some(application)),
            None => (text, None),
        };

        Ok(Self(Filter {
            environment: Some(Environment::new(environment)?),
            application: application.map(Application::new).transpose()?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_is_an_environment_or_one_application_of_it() {
        let parts = |filter: Filter| {
            let environment = filter.environment.map(|name| name.to_string());
            let application = filter.application.map(|name| name.to_string());
            (environment.unwrap(), application)
        };
        let environment = |name: &str| Ok((name.to_owned(), None));

        let table = [
            ("production", environment("production")),
            ("production/", environment("production")),
            (
                "production/web",
                Ok(("production".to_owned(), Some("web".to_owned()))),
            ),
            ("a/b/c", Err(FilterError::TooDeep)),
            ("", Err(FilterError::Name(NameError::Empty))),
            ("/web", Err(FilterError::Name(NameError::Empty))),
        ];
        for (text, expected) in table {
            let found = text.parse::<FilterArgument>();
            let found = found.map(|FilterArgument(filter)| parts(filter));
            assert_eq!(found, expected, "{text}");
        }
    }
}
