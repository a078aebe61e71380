use std::time::Duration;

use super::tests::{check, parse, target};

#[test]
fn repository_is_a_folder_or_a_url() {
    check(
        "[defaults]\nrepository = \"srv/web.git\"\n",
        "2:14: defaults.repository: \"srv/web.git\" is not an absolute path",
    );
    check(
        "[defaults]\nrepository = \"http://example.org/web.git\"\n",
        "2:14: defaults.repository: a URL with http:// is not accepted: anybody on the way could
    change what is deployed (write https://HOST/PATH, ssh://USER@HOST/PATH or
    USER@HOST:PATH)",
    );
    check(
        "[applications.web]\nrepository = \"https://me:secret@example.org/web.git\"\n",
        "2:14: applications.web.repository: the URL has a user or a password in it, and it is shown
    to everybody (remove it; git takes it from ~/.netrc or the credential.helper of the
    user that the hooks run as)",
    );
    // A name where a port belongs could be no number.
    check(
        "[defaults]\nrepository = \"https://example.org:{application}/web.git\"\n",
        "2:14: defaults.repository: the URL has no valid port",
    );
    check(
        "[defaults]\nrepository = \"https://example.org/{app}\"\n",
        "2:14: defaults.repository names {app}, which is not known here (did you mean
    {application}?)",
    );
    let (config, mistakes) = parse(
        "[defaults]\nrepository = \"git@example.org:{application}.git\"\nfetch_timeout = \"5s\"\n\
         [applications.web]\nfetch_max_age = \"5m\"\n",
    );
    assert_eq!(mistakes, []);
    let settings = config.settings(&target("production", "web"));
    assert_eq!(settings.fetch_timeout, Duration::from_secs(5));
    assert_eq!(settings.fetch_max_age, Duration::from_secs(300));
}

#[test]
fn marks_in_a_repository_on_another_host_are_a_mistake() {
    let url = "repository = \"https://example.org/web.git\"\n";
    let mistake = "marks is true for a repository on another host, and nothing is written there
    (write marks = false for it, or name a repository of this machine)";
    check(
        &format!("[defaults]\nmarks = true\n[applications.web]\n{url}"),
        &format!("4:14: {mistake}"),
    );
    check(
        &format!("[defaults]\n{url}[environments.staging.applications.web]\nmarks = true\n"),
        &format!("2:14: {mistake}"),
    );
    check(
        &format!("[defaults]\nmarks = true\n[applications.web]\nmarks = false\n{url}"),
        "",
    );
}
