//! The rule `exportable`: where `checkout` is configured, everything in the revision can be written
//! out. Nothing is left out in silence, and no name leads out of the release.

use super::{Answer, Case, ExportObstacle, Objection, Pass, Survey, Unknown};

pub(super) fn judge(case: &Case<'_>) -> Answer {
    let Some((target, revision, facts)) = case.asked() else {
        return Ok(Pass::default());
    };
    let what = format!("{} of {}", revision.short(), target.application);

    match &facts.survey {
        None => Ok(Pass::default()),
        Some(Ok(survey)) if survey.obstacles.is_empty() => Ok(allowed(survey, &what)),
        Some(Ok(survey)) => Err(objection(&survey.obstacles, &what)),
        Some(Err(Unknown(why))) => Err(Objection::fault(
            format!("it can't be found out whether {what} can be checked out: {why}"),
            "ask the server's administrator to fix it; deploy-by-code doctor shows more",
        )),
    }
}

fn allowed(survey: &Survey, what: &str) -> Pass {
    if survey.is_whole {
        return Pass::note(match survey.entries {
            1 => "1 file or folder".to_owned(),
            entries => format!("{entries} files and folders"),
        });
    }
    Pass {
        warnings: vec![format!(
            "there was no time to look at all files of {what}; if some of them can't be checked \
             out, the deployment fails before anything is changed"
        )],
        ..Pass::note(format!("the first {} files and folders", survey.entries))
    }
}

fn objection(obstacles: &[ExportObstacle], what: &str) -> Objection {
    let found: Vec<String> = obstacles.iter().map(ExportObstacle::to_string).collect();
    let found = match found.as_slice() {
        [one] => format!(" {one}"),
        several => format!("\n{}", several.join("\n")),
    };

    let mut advice: Vec<&str> = obstacles.iter().map(ExportObstacle::advice).collect();
    advice.dedup();
    Objection::new(
        format!("{what} can't be checked out:{found}"),
        advice.join("; "),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, PATH, added, answer, ask_deploy, changed, file};
    use super::super::{Facts, ObstacleKind, TargetFacts};
    use super::*;

    fn facts(survey: Result<Survey, Unknown>) -> TargetFacts {
        TargetFacts {
            survey: Some(survey),
            ..TargetFacts::default()
        }
    }

    fn with(obstacles: &[(&[u8], ObstacleKind)]) -> TargetFacts {
        let obstacle = |(path, kind): &(&[u8], ObstacleKind)| ExportObstacle {
            path: path.to_vec(),
            kind: kind.clone(),
        };
        facts(Ok(Survey {
            entries: 3,
            files: 3,
            obstacles: obstacles.iter().map(obstacle).collect(),
            is_whole: true,
        }))
    }

    fn ask(target: TargetFacts) -> String {
        ask_deploy(judge, "", &Facts::default(), target)
    }

    #[test]
    fn each_obstacle_is_refused_with_its_path() {
        use ObstacleKind::*;
        let table: &[(&[u8], ObstacleKind, &str)] = &[
            (
                b"vendor/lib",
                Submodule,
                "\"vendor/lib\" is a submodule, whose files would be missing",
            ),
            (
                b"logo.png",
                LfsPointer,
                "\"logo.png\" is kept in Git LFS, and its content is not in the repository",
            ),
            (
                b"link",
                LinkTarget,
                "\"link\" is a symbolic link that leads nowhere: its target is no path",
            ),
            (
                b"a/\x1b[2J",
                Name("why".to_owned()),
                "\"a/\\u{1b}[2J\" has a name that is not allowed: why",
            ),
            (b"x", Twice, "\"x\" is in its folder more than once"),
            (
                b"services/web",
                NoFolder(None),
                "\"services/web\" is missing, and subdirectory leads there",
            ),
            (
                b"services",
                NoFolder(Some("a symbolic link")),
                "\"services\" is a symbolic link and no folder, and subdirectory leads there",
            ),
            (
                b"",
                TooLarge("at most 3".to_owned()),
                "it is too large: at most 3",
            ),
        ];
        for (path, kind, found) in table {
            assert_eq!(
                ask(with(&[(*path, kind.clone())])),
                format!("refused: 6037512 of app can't be checked out: {found}")
            );
        }
    }

    #[test]
    fn several_obstacles_are_refused_at_once() {
        let target = with(&[
            (b"sub", ObstacleKind::Submodule),
            (b"x", ObstacleKind::Twice),
            (b"y", ObstacleKind::LinkTarget),
        ]);
        let changes = vec![added(PATH, file(A))];
        let objection = answer(judge, "", changes, &Facts::default(), target).unwrap_err();

        assert_eq!(
            objection.message,
            "6037512 of app can't be checked out:\n\
             \"sub\" is a submodule, whose files would be missing\n\
             \"x\" is in its folder more than once\n\
             \"y\" is a symbolic link that leads nowhere: its target is no path"
        );
        assert_eq!(
            objection.hint,
            "deploy a revision that has the files themselves; where an empty folder is meant, set \
             submodules = \"empty\" in the server's configuration; deploy a revision without it"
        );
        assert!(!objection.is_fault);
    }

    #[test]
    fn look_that_failed_is_a_fault() {
        let target = facts(Err(Unknown("/x: gone".to_owned())));
        let changes = vec![added(PATH, file(A))];
        let objection = answer(judge, "", changes, &Facts::default(), target).unwrap_err();

        assert!(objection.is_fault);
        assert_eq!(
            objection.message,
            "it can't be found out whether 6037512 of app can be checked out: /x: gone"
        );
    }

    #[test]
    fn what_was_looked_at_in_part_is_allowed_with_a_warning() {
        let survey = Survey {
            entries: 7,
            files: 7,
            obstacles: Vec::new(),
            is_whole: false,
        };
        let changes = vec![added(PATH, file(A))];
        let pass = answer(judge, "", changes, &Facts::default(), facts(Ok(survey))).unwrap();

        assert_eq!(pass.note.as_deref(), Some("the first 7 files and folders"));
        assert_eq!(pass.warnings.len(), 1);
    }

    #[test]
    fn revision_without_obstacles_is_allowed_and_so_is_one_that_is_not_checked_out() {
        assert_eq!(ask(with(&[])), "3 files and folders");
        let one = Survey {
            entries: 1,
            files: 1,
            obstacles: Vec::new(),
            is_whole: true,
        };
        assert_eq!(ask(facts(Ok(one))), "1 file or folder");
        assert_eq!(ask(TargetFacts::default()), "");
    }

    #[test]
    fn redeploy_is_judged_too() {
        let old = format!("{A}\n");
        let redeploy = changed(&old, &format!("{A}\n{old}"));
        let target = with(&[(b"sub", ObstacleKind::Submodule)]);
        assert_eq!(
            super::super::testing::ask(judge, "", vec![redeploy], &Facts::default(), target),
            "refused: 6037512 of app can't be checked out: \
             \"sub\" is a submodule, whose files would be missing"
        );
    }
}
