//! The rule `configured`: an application has something to run or a place to go to. That is a
//! `command`, or a `checkout` together with the `repository` that it is taken from.

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
        return Err(Objection::fault(
            format!("neither command nor checkout is configured for {target}"),
            format!("set one of them {section}"),
        ));
    }
    if settings.checkout.is_some() && settings.repository.is_none() {
        return Err(Objection::fault(
            format!("checkout is configured for {target}, but repository is not"),
            format!("set repository {section}"),
        ));
    }
    Ok(Pass::default())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, PATH, added, ask_file, file, refused_if_any};
    use super::*;

    #[test]
    fn application_needs_a_command_or_a_checkout_with_repository() {
        let nothing = "neither command nor checkout is configured for production/app";
        let no_repository = "checkout is configured for production/app, but repository is not";
        let table = [
            ("", nothing),
            ("[defaults]\ncommand = [\"x\"]\n", ""),
            ("[environments.staging]\ncommand = [\"x\"]\n", nothing),
            ("[defaults]\ncheckout = \"/srv\"\n", no_repository),
            (
                "[defaults]\ncheckout = \"/srv\"\nrepository = \"/git\"\n",
                "",
            ),
        ];

        for (config, message) in table {
            assert_eq!(
                ask_file(judge, config, added(PATH, file(A))),
                refused_if_any(message),
                "{config}"
            );
        }
    }

    #[test]
    fn deleted_file_needs_no_configuration() {
        assert_eq!(ask_file(judge, "", added(PATH, None)), "");
    }
}
