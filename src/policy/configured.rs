//! The rule `configured`: an application has something to run or a place to go to. That is a
//! `command`, or a `checkout` together with the `repository` that it is taken from. What has to go
//! first is an application that is known.

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
    let needs_checkout = [
        ("shared", !settings.shared.is_empty()),
        ("activate", settings.activate.is_some()),
        ("verify", settings.verify.is_some()),
    ];
    let needs_checkout = needs_checkout.into_iter().find(|(_, is_set)| *is_set);
    if let (Some((key, _)), None) = (needs_checkout, &settings.checkout) {
        return Err(Objection::fault(
            format!("{key} is configured for {target}, but checkout is not"),
            format!("set checkout {section}, or remove {key} there"),
        ));
    }
    let slips = case.target_facts().map(|facts| facts.slips.as_slice());
    if let Some((named, meant)) = slips.and_then(<[_]>::first) {
        return Err(Objection::fault(
            format!(
                "the setting after or together names {named} for {}, but no application {named} is \
                 known, so the setting can't be kept",
                target.application
            ),
            format!(
                "did you mean {meant}? if {named} is right, give it a section in the server's \
                 configuration: [applications.{named}]"
            ),
        ));
    }
    let sections = case
        .target_facts()
        .map(|facts| &facts.misspelt_sections[..]);
    if let Some(section) = sections.and_then(<[_]>::first) {
        let (named, application) = (&section.named, &target.application);
        return Err(Objection::fault(
            format!(
                "the section [{}] sets {} for {named}, but no application {named} is known, so it \
                 does not count for {application}",
                section.heading, section.setting
            ),
            format!(
                "did you mean {application}? correct the section in the server's configuration; if \
                 {named} is right, give {application} a section beside it"
            ),
        ));
    }
    Ok(Pass::default())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, PATH, added, ask_deploy, ask_file, file, refused_if_any};
    use super::super::{Facts, TargetFacts};
    use super::*;
    use crate::id::Application;

    #[test]
    fn misspelt_name_of_what_goes_first_is_refused() {
        let application = |name: &str| Application::new(name).unwrap();
        let target = TargetFacts {
            slips: vec![(application("databse"), application("database"))],
            ..TargetFacts::default()
        };
        let config = "[defaults]\ncommand = [\"x\"]\nafter = [\"databse\"]\n";
        let found = ask_deploy(judge, config, &Facts::default(), target);
        assert!(
            found.starts_with("refused: the setting after or together names databse for app"),
            "{found}"
        );
    }

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
            (
                "[defaults]\ncommand = [\"x\"]\nverify = [\"x\"]\n",
                "verify is configured for production/app, but checkout is not",
            ),
            (
                "[defaults]\ncommand = [\"x\"]\nshared = [\"x\"]\n",
                "shared is configured for production/app, but checkout is not",
            ),
            (
                "[defaults]\ncommand = [\"x\"]\nactivate = [\"x\"]\n",
                "activate is configured for production/app, but checkout is not",
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
