//! Deployments by a word that somebody remembers.

use deploy_by_code::id::DeploymentId;
use maud::html;

use super::history::{SHOWN, history};
use super::layout::{Page, reply};
use super::links::Links;
use crate::fault::Fault;
use crate::reply::Reply;
use crate::site::Repository;

/// The longest word that is searched, in bytes.
const WORD_MAX: usize = 200;

/// The page with what was found.
pub(crate) fn search(repository: &Repository, links: &Links, word: &str) -> Result<Reply, Fault> {
    let word = word.trim();
    if word.len() > WORD_MAX {
        let message = format!("what is searched has more than {WORD_MAX} bytes");
        return Err(Fault::Query(message));
    }
    let number = word
        .strip_prefix('#')
        .and_then(|id| id.parse::<DeploymentId>().ok());
    let found = repository.look(|view| match (word, number) {
        ("", _) => Ok(Vec::new()),
        (_, Some(id)) => Ok(vec![view.deployment(id)?]),
        (word, None) => view.newest(None, SHOWN, |record, before, piece| {
            record.search(word, before, piece)
        }),
    })?;

    let content = html! {
        form class="filter" {
            label for="word" { "Hash, application, person or reason " }
            input id="word" name="q" type="search" value=(word);
            button { "Search" }
        }
        @if !word.is_empty() {
            p role="status" {
                @match found.len() {
                    1 => "1 deployment",
                    SHOWN.. => "The newest 50 deployments of those that were found",
                    count => { (count) " deployments" },
                }
            }
            (history(links, &found, None))
        }
    };
    let title = "Search";
    Ok(reply(links, Page::new(title, content)))
}
