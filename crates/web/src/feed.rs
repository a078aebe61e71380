//! The feed: an entry for each of the newest deployments, which changes with its status (RFC 4287).

use std::fmt::Write as _;

use deploy_by_code::id::{Application, Environment};
use deploy_by_code::report::{outcome_line, xml};
use deploy_by_code::store::{Deployment, Filter};
use deploy_by_code::text::escape;
use deploy_by_code::time::Timestamp;

use crate::fault::Fault;
use crate::pages::Links;
use crate::reply::{Reply, TextKind};
use crate::site::Repository;

/// How many deployments a feed has.
const ENTRIES: usize = 50;

/// Everything that was deployed.
pub(crate) fn of_all(repository: &Repository, links: &Links) -> Result<Reply, Fault> {
    let rows = repository.look(|view| view.history(&Filter::default(), None, ENTRIES))?;
    Ok(feed(repository, links, "Deployments", "feed.atom", &rows))
}

/// One environment.
pub(crate) fn of_environment(
    repository: &Repository,
    links: &Links,
    name: &Environment,
) -> Result<Reply, Fault> {
    let filter = Filter {
        environment: Some(name.clone()),
        application: None,
    };
    let rows = repository.look(|view| {
        view.overview_with(&filter)?;
        view.history(&filter, None, ENTRIES)
    })?;
    let (title, path) = (
        format!("Deployments to {name}"),
        format!("environment/{name}/feed.atom"),
    );
    Ok(feed(repository, links, &title, &path, &rows))
}

/// One application in all environments.
pub(crate) fn of_application(
    repository: &Repository,
    links: &Links,
    name: &Application,
) -> Result<Reply, Fault> {
    let rows = repository.look(|view| {
        let overview = view.overview_with_application(name)?;
        view.history_of(name, &overview, None, ENTRIES)
    })?;
    let (title, path) = (
        format!("Deployments of {name}"),
        format!("application/{name}/feed.atom"),
    );
    Ok(feed(repository, links, &title, &path, &rows))
}

fn feed(
    repository: &Repository,
    links: &Links,
    title: &str,
    path: &str,
    rows: &[Deployment],
) -> Reply {
    let id = id(repository);
    let updated = rows.iter().map(changed).max();
    let updated = updated.unwrap_or_else(|| Timestamp::from_ms(0));
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n\
         <feed xmlns=\"http://www.w3.org/2005/Atom\">\n\
         <title>{} – {}</title>\n<id>{id}{}</id>\n<updated>{updated}</updated>\n\
         <link rel=\"self\" href=\"{}\"/>\n<link href=\"{}\"/>\n",
        xml(title),
        xml(&links.name),
        xml(path),
        xml(&links.to(path)),
        xml(&links.to("")),
    );
    rows.iter()
        .for_each(|row| entry(&mut text, links, &id, row));
    text.push_str("</feed>\n");
    Reply::ok(TextKind::Atom, text)
}

/// When something happened to a deployment last.
fn changed(row: &Deployment) -> Timestamp {
    row.finished_at.or(row.started_at).unwrap_or(row.queued_at)
}

fn entry(text: &mut String, links: &Links, id: &str, row: &Deployment) {
    let change = match &row.previous_revision {
        Some(from) => format!("{} -> {}", from.short(), row.revision.short()),
        None => row.revision.short().to_owned(),
    };
    let pusher = row
        .pusher
        .as_ref()
        .map_or("unknown", |pusher| pusher.name.as_str());
    let outcome = escape(outcome_line(row), 300);
    let summary = escape(row.summary.as_deref().unwrap_or_default(), 300);
    let lines = [outcome, summary];
    let lines: Vec<String> = lines.into_iter().filter(|line| !line.is_empty()).collect();
    let link = links.deployment(row.id);
    // Writing to memory can't fail.
    let _ = write!(
        text,
        "<entry>\n<title>{} {} {change} {}</title>\n<id>{id}deployment/{}</id>\n\
         <updated>{}</updated>\n<published>{}</published>\n\
         <author><name>{}</name></author>\n<link href=\"{}\"/>\n\
         <content type=\"text\">{}</content>\n</entry>\n",
        row.id,
        row.target,
        row.status,
        row.id.0,
        changed(row),
        row.queued_at,
        xml(&escape(pusher, 200)),
        xml(&link),
        xml(&lines.join("\n")),
    );
}

/// How the ids of a repository's entries begin (RFC 4151). They stay the same wherever the page is.
fn id(repository: &Repository) -> String {
    let mut id = "tag:deploy-by-code.invalid,2026:".to_owned();
    for byte in repository.place.git_dir.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => id.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => id.push(char::from(*byte)),
            byte => id.push_str(&format!("%{byte:02x}")),
        }
    }
    id.push('/');
    id
}
