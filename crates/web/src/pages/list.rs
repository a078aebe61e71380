//! The list of repositories, where the page shows several.

use std::sync::Arc;

use deploy_by_code::report::StatusRow;
use deploy_by_code::text::{escape, with_causes};
use maud::{DOCTYPE, html};

use crate::reply::{Reply, TextKind};
use crate::site::Repository;

/// The page with the repositories whose pages are below a path.
pub(crate) fn list(all: &[Arc<Repository>], base_path: &str) -> Reply {
    let all = all.iter().map(|repository| {
        let looked = repository.look(|view| {
            let overview = view.overview()?;
            let is_due = |row: &&StatusRow| row.is_due() == Some(true);
            let due = overview.rows.iter().filter(is_due).count();
            let due = overview.names.wanted.as_ref().map(|_| due);
            Ok((view.web().base_path.clone(), overview.rows.len(), due))
        });
        let path = repository.place.git_dir.as_os_str().as_encoded_bytes();
        (&repository.name, escape(path, 200), looked)
    });
    // One that can't be looked at may belong here.
    let here = all.filter(|(_, _, looked)| match looked {
        Ok((of, ..)) => of == base_path,
        Err(_) => true,
    });
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Deploy repositories" }
                link rel="stylesheet" href={ (base_path) "/style.css" };
                link rel="icon" href={ (base_path) "/icon.svg" };
                script src={ (base_path) "/script.js" } defer {}
            }
            body {
                main id="main" {
                    h1 { "Deploy repositories" }
                    ul id="list" class="queue" data-live {
                        @for (name, path, looked) in here {
                            li {
                                a href={ (base_path) "/r/" (name) "/" } { (name) } " "
                                @match looked {
                                    Ok((_, count, due)) => {
                                        span class="small" {
                                            (tally(count, due)) " " (path)
                                        }
                                    },
                                    Err(fault) => span class="notice bad" { (with_causes(&fault)) },
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    Reply::ok(TextKind::Html, page.into_string())
}

/// How many applications a repository has, counted in each environment, and how many of them are
/// not as wanted. `due`: `None` where it is not known what is wanted.
fn tally(count: usize, due: Option<usize>) -> String {
    let what = match count {
        1 => "1 application".to_owned(),
        count => format!("{count} applications"),
    };
    match due {
        None => format!("{what}. It is not known what is wanted."),
        Some(0) if count == 0 => "Nothing is wanted or deployed yet.".to_owned(),
        Some(0) => format!("{what}, all as wanted."),
        Some(due) => format!("{what}, {due} not as wanted."),
    }
}
