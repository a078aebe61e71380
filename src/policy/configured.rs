//! What is deployed has something to run or a place to go: a `command`, or a `checkout` with the
//! `repository` that it is taken from.

use super::{Answer, Case, Objection, Pass};

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let (config, candidate) = (case.config, case.candidate);
    let (Some(target), Some(_)) = (&candidate.target, candidate.revision()) else {
        return Ok(Pass::default());
    };
    let settings = config.settings(target);
    let section = format!(
        "in the server's configuration, for example under [applications.{}]",
        target.application
    );
    if settings.command.is_none() && settings.checkout.is_none() {
        let message = format!("neither command nor checkout is configured for {target}");
        return Err(Objection::fault(
            message,
            format!("set one of them {section}"),
        ));
    }
    if settings.checkout.is_some() && settings.repository.is_none() {
        let message =
            format!("checkout is configured for {target}, but no repository to take it from");
        return Err(Objection::fault(
            message,
            format!("set repository {section}"),
        ));
    }
    Ok(Pass::default())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, PATH, added, ask_file, file};
    use super::*;

    #[test]
    fn settings() {
        let table = [
            (
                "",
                "neither command nor checkout is configured for production/app",
            ),
            ("[defaults]\ncommand = [\"x\"]\n", ""),
            (
                "[environments.staging]\ncommand = [\"x\"]\n",
                "neither command nor checkout is configured for production/app",
            ),
            (
                "[defaults]\ncheckout = \"/srv\"\n",
                "checkout is configured for production/app, but no repository to take it from",
            ),
            (
                "[defaults]\ncheckout = \"/srv\"\nrepository = \"/git\"\n",
                "",
            ),
        ];
        for (config, expect) in table {
            let expect = if expect.is_empty() {
                String::new()
            } else {
                format!("refused: {expect}")
            };
            assert_eq!(
                ask_file(judge, config, added(PATH, file(A))),
                expect,
                "{config}"
            );
        }
        assert_eq!(ask_file(judge, "", added(PATH, None)), "");
    }
}
