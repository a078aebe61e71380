//! What is deployed has something to run or a place to go: a `command`, or a `checkout` with the `repository` that it is taken from.

use super::{Facts, Objection};
use crate::config::Config;
use crate::plan::Candidate;

pub(super) fn judge(config: &Config, candidate: &Candidate, _: &Facts) -> Result<(), Objection> {
    let (Some(target), Some(_)) = (&candidate.target, candidate.revision()) else { return Ok(()) };
    let settings = config.settings(target);
    let section = format!("in the server's configuration, for example under [applications.{}]", target.application);
    if settings.command.is_none() && settings.checkout.is_none() {
        let message = format!("neither command nor checkout is configured for {target}");
        return Err(Objection::new(message, format!("set one of them {section}")));
    }
    if settings.checkout.is_some() && settings.repository.is_none() {
        let message = format!("checkout is configured for {target}, but no repository to take it from");
        return Err(Objection::new(message, format!("set repository {section}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, added, ask, file};
    use super::*;

    #[test]
    fn settings() {
        let table = [
            ("", "neither command nor checkout is configured for production/app"),
            ("[defaults]\ncommand = [\"x\"]\n", ""),
            (
                "[environments.staging]\ncommand = [\"x\"]\n",
                "neither command nor checkout is configured for production/app",
            ),
            (
                "[defaults]\ncheckout = \"/srv\"\n",
                "checkout is configured for production/app, but no repository to take it from",
            ),
            ("[defaults]\ncheckout = \"/srv\"\nrepository = \"/git\"\n", ""),
        ];
        for (config, expect) in table {
            let change = added("production/app.deploy", file(A));
            assert_eq!(ask(judge, config, change, &Facts::default()), expect, "{config}");
        }
        assert_eq!(ask(judge, "", added("production/app.deploy", None), &Facts::default()), "");
    }
}
