//! What all pages have around them.

use deploy_by_code::text::with_causes;
use maud::{DOCTYPE, Markup, html};

use super::links::Links;
use crate::fault::Fault;
use crate::reply::{Reply, TextKind};

/// What can be searched.
pub(super) const SEARCHED: &str = "Hash, application, person, reason, or a number such as #42";

/// What a page is.
pub(super) struct Page<'p> {
    /// Its title, which is also its first heading.
    pub(super) title: &'p str,
    /// What kind of thing has this title; empty: the title says it.
    pub(super) kind: &'static str,
    /// Its feed; `None`: that of everything.
    pub(super) feed: Option<String>,
    /// What stands in it.
    pub(super) content: Markup,
}

impl<'p> Page<'p> {
    /// A page whose title says what it is, with the feed of everything.
    pub(super) fn new(title: &'p str, content: Markup) -> Self {
        Self {
            title,
            kind: "",
            feed: None,
            content,
        }
    }
}

/// A page of a repository.
pub(super) fn reply(links: &Links, page: Page<'_>) -> Reply {
    Reply::ok(TextKind::Html, render(links, page, false))
}

/// `is_instead`: the page only says why another one can't be shown at the moment. The script loads
/// that one when it can be.
fn render(links: &Links, page: Page<'_>, is_instead: bool) -> String {
    let feed = page.feed.unwrap_or_else(|| links.to("feed.atom"));
    let Page {
        title,
        kind,
        content,
        ..
    } = page;
    let top = links.to("");
    let shell = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – " (links.name) }
                link rel="stylesheet" href=(links.to("style.css"));
                link rel="icon" href=(links.to("icon.svg"));
                link rel="alternate" type="application/atom+xml" title="Deployments" href=(feed);
                script src=(links.to("script.js")) defer {}
            }
            body data-root=(links.root) data-again[is_instead] {
                a class="skip" href="#main" { "Skip to the content" }
                header {
                    a class="home" href=(top) {
                        img src=(links.to("icon.svg")) alt="" width="24" height="24";
                        (links.name)
                    }
                    form role="search" action=(links.to("search")) {
                        label for="q" class="hidden" { (SEARCHED) }
                        input id="q" name="q" type="search" placeholder="hash, person, #42";
                        button { "Search" }
                    }
                    span id="live" role="status" {}
                }
                main id="main" tabindex="-1" {
                    h1 {
                        @if !kind.is_empty() { span class="small" { (kind) " " } }
                        (title)
                    }
                    (content)
                }
                footer {
                    a href=(feed) { "Feed" } " "
                    a href=(links.to("api/status")) { "JSON" } " "
                    span { "Times are UTC. deploy-by-code " (env!("CARGO_PKG_VERSION")) }
                }
            }
        }
    };
    shell.into_string()
}

/// The page that says why another one can't be shown.
pub(crate) fn fault(links: &Links, fault: &Fault) -> Reply {
    let status = fault.status();
    let title = match status.as_u16() {
        404 => "Not found",
        400 => "Not understood",
        503 => "Not available at the moment",
        _ => "Something went wrong",
    };
    let page = Page {
        title,
        kind: "",
        feed: None,
        content: html! {
            p class="notice bad" role="alert" { (with_causes(fault)) }
            @if let Some(hint) = fault.hint() {
                p { "For the administrator: " code { (hint) } }
            }
            @if status.as_u16() == 503 {
                p { "Nothing is lost by that: deployments do not depend on this page." }
            }
            p { a href=(links.to("")) { "All environments" } }
        },
    };
    let page = render(links, page, status.is_server_error());
    Reply::new(status, TextKind::Html, page)
}

/// Text that stands for nothing to see.
pub(super) fn nothing(text: &str) -> Markup {
    html! { p class="none" { (text) } }
}
