//! The list of repositories, where the page shows several.

use std::sync::Arc;

use deploy_by_code::text::{escape, with_causes};
use maud::{DOCTYPE, html};

use crate::reply::{Reply, TextKind};
use crate::site::Repository;

/// The page with the repositories whose pages are below a path.
pub(crate) fn list(all: &[Arc<Repository>], base_path: &str) -> Reply {
    let all = all.iter().map(|repository| {
        let looked = repository.look(|view| {
            let overview = view.overview()?;
            let due = overview.rows.iter().filter(|row| row.is_due()).count();
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
                                            (count) " applications in environments, " (due)
                                            " of them not as wanted; " (path)
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
