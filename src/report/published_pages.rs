//! The files of the published status. Pure.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::badge::Badge;
use super::json::to_json;
use super::markdown::plain;
use super::published_row::{PublishedDeployment, PublishedRow, PublishedState};
use super::status_file::{PublishedEnvironment, PublishedFreeze, StatusFile};
use crate::id::{Application, Environment, Revision};
use crate::policy::Freeze;
use crate::text::escape;
use crate::time::Timestamp;

/// How many environments and applications the table of README.md has. It stays below the 512 KiB
/// that forges show.
const TABLE_ENVIRONMENTS: usize = 20;
const TABLE_APPLICATIONS: usize = 1_000;

/// How many freezes README.md names.
const FREEZES_MAX: usize = 100;

/// Everything that is published, as it was at one moment.
#[derive(Debug)]
pub struct PublishedPages {
    /// The event after which it was like this, with the state's own id.
    pub event: String,
    /// When that happened.
    pub at: Timestamp,
    /// What a change needs in each environment of these rows.
    pub environments: Vec<PublishedEnvironment>,
    /// Each application in each environment, in the order of their names.
    pub rows: Vec<PublishedRow>,
    /// How many more there are.
    pub left_out: usize,
    /// The environments that somebody froze. A freeze can end without an event, so its end is told.
    pub frozen: BTreeMap<Environment, Freeze>,
    /// The newest deployments that have ended, newest first.
    pub log: Vec<PublishedDeployment>,
}

impl PublishedPages {
    /// The files, by their paths.
    #[must_use]
    pub fn files(&self) -> Vec<(String, String)> {
        let mut files = vec![
            ("README.md".to_owned(), self.readme()),
            ("log.json".to_owned(), format!("{}\n", to_json(&self.log))),
            (
                "status.json".to_owned(),
                format!("{}\n", to_json(&self.status())),
            ),
        ];
        for (environment, rows) in self.by_environment() {
            let path = format!("environments/{environment}.md");
            files.push((path, self.environment(environment, &rows)));
        }
        for row in &self.rows {
            let path = format!("badges/{}/{}.svg", row.environment, row.application);
            files.push((path, Badge::published(row).svg()));
        }
        files
    }

    fn status(&self) -> StatusFile<'_> {
        let frozen = self.frozen.iter();
        let frozen = frozen.map(|(environment, freeze)| PublishedFreeze {
            environment: environment.clone(),
            by: freeze.by.as_ref().map(|by| by.name.clone()),
            reason: freeze.reason.clone(),
            since: freeze.since,
            until: freeze.until,
        });
        StatusFile {
            event: self.event.clone(),
            at: self.at,
            frozen: frozen.collect(),
            environments: Cow::Borrowed(&self.environments),
            applications: Cow::Borrowed(&self.rows),
            left_out: self.left_out,
        }
    }

    fn by_environment(&self) -> BTreeMap<&Environment, Vec<&PublishedRow>> {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for row in &self.rows {
            all.entry(&row.environment).or_default().push(row);
        }
        all
    }

    /// The table of environments and applications, and what is frozen.
    fn readme(&self) -> String {
        let live = |rows: &[&PublishedRow]| {
            let is_live = |row: &&&PublishedRow| row.state != PublishedState::Retired;
            rows.iter().filter(is_live).count()
        };
        let all = self.by_environment();
        let mut shown: Vec<_> = all.iter().filter(|(_, rows)| live(rows) > 0).collect();
        // Those with most applications are shown, if not all can be.
        shown.sort_by_key(|(name, rows)| (Reverse(live(rows)), **name));
        shown.truncate(TABLE_ENVIRONMENTS);
        let shown: BTreeMap<_, _> = shown
            .into_iter()
            .map(|(name, rows)| (*name, rows))
            .collect();

        let cells: BTreeMap<(&Application, &Environment), String> = shown
            .values()
            .flat_map(|rows| rows.iter())
            .map(|row| ((&row.application, &row.environment), cell(row)))
            .collect();
        let names: BTreeSet<&Application> = cells.keys().map(|(name, _)| *name).collect();

        let mut page = self.head("What is deployed");
        page.push_str(&self.freezes());
        if names.is_empty() {
            page.push_str("Nothing is deployed yet.\n");
        } else {
            let link = |name: &&Environment| {
                let shown = plain(name.as_str());
                format!(" [{shown}](environments/{name}.md) |")
            };
            let links: String = shown.keys().map(link).collect();
            page.push_str(&format!("| Application |{links}\n| --- |"));
            page.push_str(&" --- |".repeat(shown.len()));
            page.push('\n');
        }
        for name in names.iter().take(TABLE_APPLICATIONS) {
            let cells = shown.keys().map(|of| cells.get(&(*name, *of)));
            let cells = cells.map(|cell| format!(" {} |", cell.map_or("", String::as_str)));
            let cells: String = cells.collect();
            page.push_str(&format!("| {} |{cells}\n", plain(name.as_str())));
        }

        page.push_str(&more(names.len(), TABLE_APPLICATIONS, "applications"));
        page.push_str(&more(
            all.len(),
            shown.len(),
            "environments, in environments/",
        ));
        page
    }

    /// The page of an environment.
    fn environment(&self, name: &Environment, rows: &[&PublishedRow]) -> String {
        let mut page = self.head(&plain(name.as_str()));
        if let Some(freeze) = self.frozen.get(name) {
            page.push_str(&format!("**{}**\n\n", plain(&freeze.describe())));
        }
        page.push_str(
            "| Application | Deployed | Since (UTC) | By | Not deployed | Why |\n\
             | --- | --- | --- | --- | --- | --- |\n",
        );
        for row in rows {
            let words = |text: Option<&String>| text.map(|text| plain(&escape(text, 200)));
            let deployed = row.deployed.as_ref().zip(row.deployment);
            let deployed = deployed.map(|(revision, id)| format!("{} ({id})", revision.short()));
            let remark = row
                .remark()
                .map(|remark| format!("**{remark}** ({})", row.newest));
            let rolled_back = row.rolled_back.as_ref().map(rolled_back);
            let why = [words(row.reason.as_ref()), rolled_back];
            let why: Vec<String> = why.into_iter().flatten().collect();

            let cells = [
                Some(plain(row.application.as_str())),
                deployed,
                row.since.map(Timestamp::minute),
                words(row.by.as_ref()),
                remark,
                Some(why.join("; ")),
            ];
            let cells = cells.map(Option::unwrap_or_default).join(" | ");
            page.push_str(&format!("| {cells} |\n"));
        }
        page
    }

    fn head(&self, title: &str) -> String {
        format!("# {title}\n\nAs of {} UTC.\n\n", self.at.minute())
    }

    fn freezes(&self) -> String {
        let item = |(name, freeze): (&Environment, &Freeze)| {
            let name = plain(name.as_str());
            format!("- **{name}** is {}\n", plain(&freeze.describe()))
        };
        let mut items: String = self.frozen.iter().take(FREEZES_MAX).map(item).collect();
        if !items.is_empty() {
            items.push_str(&more(
                self.frozen.len(),
                FREEZES_MAX,
                "environments are frozen",
            ));
            items.push('\n');
        }
        items
    }
}

/// What is deployed, and what is not.
fn cell(row: &PublishedRow) -> String {
    let deployed = row
        .deployed
        .as_ref()
        .map(|revision| revision.short().to_owned());
    let remark = row.remark().map(|remark| format!("**{remark}**"));
    let rolled_back = row.rolled_back.as_ref().map(rolled_back);
    let parts: Vec<String> = [deployed, remark, rolled_back]
        .into_iter()
        .flatten()
        .collect();
    parts.join(", ")
}

fn rolled_back(from: &Revision) -> String {
    format!("rolled back from {}", from.short())
}

/// A line about those that are not shown; empty: all are.
fn more(all: usize, shown: usize, what: &str) -> String {
    match all.saturating_sub(shown) {
        0 => String::new(),
        more => format!("\nAnd {more} more {what}.\n"),
    }
}
