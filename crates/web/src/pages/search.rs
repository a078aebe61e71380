//! Deployments by a word that somebody remembers.

use deploy_by_code::id::DeploymentId;
use deploy_by_code::store::SEARCHED_MAX;
use maud::html;

use super::history::{SHOWN, history};
use super::layout::{Page, SEARCHED, reply};
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
    let mut found = repository.look(|view| match (word, number) {
        ("", _) => Ok(Vec::new()),
        (_, Some(id)) => Ok(vec![view.deployment(id)?]),
        // One more shows that these are not all.
        (word, None) => view.search(word, SHOWN + 1),
    })?;
    let has_more = found.len() > SHOWN;
    found.truncate(SHOWN);

    let content = html! {
        form class="filter" {
            label for="word" { (SEARCHED) " " }
            input id="word" name="q" type="search" value=(word);
            button { "Search" }
        }
        @if !word.is_empty() {
            p role="status" {
                @match found.len() {
                    _ if has_more => { "These are the newest " (SHOWN) " that were found" },
                    1 => "1 deployment was found",
                    count => { (count) " deployments were found" },
                }
                // A number is looked up, whatever its age.
                @if number.is_none() { " among the newest " (SEARCHED_MAX / 1000) ",000" }
                "."
            }
            (history(links, &found, None))
        }
    };
    let title = "Search";
    Ok(reply(links, Page::new(title, content)))
}
