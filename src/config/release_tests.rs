use super::tests::{check, parse, target};

#[test]
fn subdirectory_and_shared_stand_at_each_of_the_four_levels() {
    let text = r#"
[defaults]
subdirectory = "services/{application}"
shared = ["storage", ".env"]
[environments.staging]
subdirectory = ""
[applications.web]
shared = ["uploads/"]
[environments.production.applications.web]
subdirectory = "web/"
shared = []
"#;
    check(text, "");
    let (config, _) = parse(text);
    let read = |environment, application| {
        let target = target(environment, application);
        let settings = config.settings(&target);
        let values = [("environment", environment), ("application", application)];
        let shared = settings.shared.iter().map(|path| path.as_str().to_owned());
        (
            config.subdirectory(&target).unwrap().fill(&values),
            shared.collect::<Vec<_>>().join(" "),
        )
    };
    let table = [
        (("production", "api"), ("services/api", "storage .env")),
        (("production", "web"), ("web", "")),
        (("staging", "api"), ("", "storage .env")),
        (("staging", "web"), ("", "uploads")),
    ];
    for ((environment, application), (subdirectory, shared)) in table {
        assert_eq!(
            read(environment, application),
            (subdirectory.to_owned(), shared.to_owned()),
            "{environment}/{application}"
        );
    }
}

#[test]
fn mistakes_in_subdirectory_and_shared_are_reported_with_their_places() {
    let hint = "(write names of folders with / between them, for example \"services/web\", \
                without . and ..)";
    let text = r#"
[defaults]
subdirectory = "../web"
shared = ["storage", "storage/logs", "/etc", "REVISION", 5]
[environments.production]
subdirectory = ["web"]
shared = "storage"
[applications.a]
subdirectory = "services/{name}"
[applications.b]
subdirectory = "a/.git"
shared = ["a//b", "c", "c/", ""]
"#;
    check(
        text,
        &format!(
            r#"
3:16: defaults.subdirectory: "../web" is not a path in the revision
    {hint}
4:58: defaults.shared is of type integer, not a string
6:16: environments.production.subdirectory is of type array, not a string
7:10: environments.production.shared is of type string, not an array of strings
9:16: applications.a.subdirectory names {{name}}, which is not known here
    (known here: {{environment}}, {{application}})
11:16: applications.b.subdirectory: "a/.git" has .git in it, which no revision has (leave it out)
12:11: applications.b.shared: "a//b" is not a path in the revision
    {hint}
12:24: applications.b.shared: "c/" and "c" overlap
    (name only the folder that has the other one in it)
12:30: applications.b.shared: "" is not a path in the revision
    {hint}
"#
        ),
    );

    let shared = |list: &str| format!("[defaults]\nshared = [{list}]\n");
    check(
        &shared(r#""storage", "storage/logs", "/etc", "REVISION""#),
        &format!(
            r#"
2:22: defaults.shared: "storage/logs" and "storage" overlap
    (name only the folder that has the other one in it)
2:38: defaults.shared: "/etc" is not a path in the revision
    {hint}
2:46: defaults.shared: "REVISION" is the file in which each release has its revision
    (leave it out)
"#
        ),
    );
}
