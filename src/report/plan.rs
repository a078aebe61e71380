//! What a push would do, for those who review it.

use serde::Serialize;

use crate::deploy_repository::DeployRepository;
use crate::git;
use crate::id::{Revision, Target};
use crate::plan::{Judgement, Plan};
use crate::policy::{Commits, Facts, Objection, Pass, Refusal, freeze_of};
use crate::store::{self, Transaction};
use crate::text::escape;
use crate::time::Timestamp;

/// How many commits are named each way.
const COMMITS_MAX: usize = 10;

/// How many waiting deployments are named.
const WAITING_MAX: usize = 5;

/// A refusal for programs.
#[derive(Debug, Serialize)]
pub struct RefusalRow {
    /// The path or ref.
    pub path: String,
    /// What was found; a line, or some.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl RefusalRow {
    /// Makes a row of a refusal.
    #[must_use]
    pub fn new(refusal: &Refusal) -> Self {
        let Refusal {
            path,
            message,
            hint,
            ..
        } = refusal;
        Self {
            path: String::from_utf8_lossy(path).into_owned(),
            message: message.clone(),
            hint: hint.clone(),
        }
    }
}

/// A commit of an application.
#[derive(Debug, Serialize)]
pub struct CommitRow {
    /// Its hash.
    pub id: String,
    /// Its author's name.
    pub author: String,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// The first line of its message.
    pub subject: String,
}

/// What one rule says.
#[derive(Debug, Serialize)]
pub struct GateRow {
    /// The rule.
    pub rule: &'static str,
    /// Whether it allows.
    pub allowed: bool,
    /// Why.
    pub message: Option<String>,
    /// What to do, where it refuses.
    pub hint: Option<String>,
}

/// A deployment that goes first.
#[derive(Debug, Serialize)]
pub struct WaitingRow {
    /// Its number.
    pub id: i64,
    /// Its application.
    pub application: String,
    /// Its status.
    pub status: &'static str,
}

/// What a push would do with one application in one environment. The keys are stable.
#[derive(Debug, Serialize)]
pub struct PlanRow {
    /// Where.
    pub environment: String,
    /// What.
    pub application: String,
    /// `deploy`, `redeploy`, `retire` or `refuse`.
    pub action: &'static str,
    /// What the deploy file asked for before.
    pub from: Option<String>,
    /// What it asks for.
    pub to: Option<String>,
    /// How many commits are gained.
    pub gained: Option<u64>,
    /// How many commits are lost.
    pub lost: Option<u64>,
    /// The newest of those gained.
    pub gained_commits: Vec<CommitRow>,
    /// The newest of those lost.
    pub lost_commits: Vec<CommitRow>,
    /// What each rule says that has something to say.
    pub gates: Vec<GateRow>,
    /// Why the environment is frozen, if it is.
    pub frozen: Option<String>,
    /// What is queued or running in the environment and goes first.
    pub waits_for: Vec<WaitingRow>,
    /// The applications of the same push that go first.
    pub after: Vec<String>,
    /// What whoever merges it should know.
    pub warnings: Vec<String>,
}

fn commits(commits: &Commits) -> Vec<CommitRow> {
    let row = |commit: &crate::policy::Commit| CommitRow {
        id: commit.id.to_string(),
        author: commit.author.clone(),
        committed_at: commit.committed_at,
        subject: commit.subject.clone(),
    };
    commits.newest.iter().take(COMMITS_MAX).map(row).collect()
}

/// What an application's repository has between two revisions, both ways; `None`: there is nobody
/// to ask.
fn compare(
    deploy: &DeployRepository,
    target: &Target,
    from: &Revision,
    to: &Revision,
) -> Option<(Commits, Commits)> {
    let repository = git::open_application(&deploy.application_repository(target)?).ok()?;
    let between = |from, to| git::commits_between(repository.path(), from, to).ok();
    Some((between(from, to)?, between(to, from)?))
}

/// A row for each application that a plan is about.
///
/// # Errors
/// The state can't be read.
pub fn plan_rows(
    deploy: &DeployRepository,
    state: Option<&Transaction<'_>>,
    plan: &Plan,
    facts: &Facts,
) -> Result<Vec<PlanRow>, store::Error> {
    let mut rows = Vec::new();
    for judged in &plan.judgements {
        let Some(target) = &judged.target else {
            continue;
        };
        let planned = plan
            .deployments
            .iter()
            .find(|deployment| deployment.target() == target);
        let action = match planned {
            // A file that asks for nothing is refused as a file, by its path.
            None if judged.to.is_none() && judged.gates.iter().any(|gate| gate.answer.is_err()) => {
                continue;
            }
            _ if judged.gates.iter().any(|gate| gate.answer.is_err()) => "refuse",
            Some(planned) if planned.is_redeploy() => "redeploy",
            Some(_) => "deploy",
            None if plan
                .retirements
                .iter()
                .any(|retired| retired.target == *target) =>
            {
                "retire"
            }
            None => continue,
        };
        rows.push(row(deploy, state, plan, judged, target, action, facts)?);
    }
    Ok(rows)
}

/// The applications of a plan that go before one: what the configuration says, and what its commits
/// do.
fn goes_after(
    deploy: &DeployRepository,
    plan: &Plan,
    judged: &Judgement,
    target: &Target,
) -> Vec<String> {
    let mut first = deploy
        .config
        .settings(target)
        .after
        .into_iter()
        .collect::<std::collections::BTreeSet<_>>();
    first.extend(
        judged
            .gates
            .iter()
            .filter_map(|gate| gate.answer.as_ref().ok())
            .flat_map(|pass| pass.first.iter().cloned()),
    );
    let is_planned = |name: &crate::id::Application| {
        plan.deployments.iter().any(|planned| {
            planned.target().environment == target.environment
                && planned.target().application == *name
        })
    };
    first
        .iter()
        .filter(|name| is_planned(name))
        .map(ToString::to_string)
        .collect()
}

fn row(
    deploy: &DeployRepository,
    state: Option<&Transaction<'_>>,
    plan: &Plan,
    judged: &Judgement,
    target: &Target,
    action: &'static str,
    facts: &Facts,
) -> Result<PlanRow, store::Error> {
    let ends = judged.from.as_ref().zip(judged.to.as_ref());
    let (gained, lost) = ends
        .and_then(|(from, to)| compare(deploy, target, from, to))
        .unzip();
    let section = deploy.config.environment(&target.environment);
    let frozen = freeze_of(&section, facts.freezes.get(&target.environment), facts.now);
    let open = state
        .map(|state| state.open_deployments(&target.environment))
        .transpose()?
        .unwrap_or_default();
    let waiting = |open: &store::Deployment| WaitingRow {
        id: open.id.0,
        application: open.target.application.to_string(),
        status: open.status.as_str(),
    };
    let gate = |gate: &crate::policy::Gate| match &gate.answer {
        Ok(Pass { note, .. }) => {
            let note = note.clone()?;
            Some(GateRow {
                rule: gate.rule,
                allowed: true,
                message: Some(note),
                hint: None,
            })
        }
        Err(Objection { message, hint, .. }) => Some(GateRow {
            rule: gate.rule,
            allowed: false,
            message: Some(message.clone()),
            hint: Some(hint.clone()),
        }),
    };
    let passes = judged
        .gates
        .iter()
        .filter_map(|gate| gate.answer.as_ref().ok());
    Ok(PlanRow {
        environment: target.environment.to_string(),
        application: target.application.to_string(),
        action,
        from: judged.from.as_ref().map(ToString::to_string),
        to: judged.to.as_ref().map(ToString::to_string),
        gained: gained.as_ref().map(|commits| commits.count),
        lost: lost.as_ref().map(|commits| commits.count),
        gained_commits: gained.as_ref().map(commits).unwrap_or_default(),
        lost_commits: lost.as_ref().map(commits).unwrap_or_default(),
        gates: judged.gates.iter().filter_map(gate).collect(),
        frozen: frozen.map(|freeze| freeze.describe()),
        waits_for: open.iter().map(waiting).collect(),
        after: goes_after(deploy, plan, judged, target),
        warnings: passes.flat_map(|pass| pass.warnings.clone()).collect(),
    })
}

impl PlanRow {
    fn name(&self) -> String {
        format!("{}/{}", self.environment, self.application)
    }

    fn change(&self) -> String {
        let short = |hash: &Option<String>| hash.as_ref().map(|hash| hash[..7].to_owned());
        match (short(&self.from), short(&self.to)) {
            (_, Some(to)) if self.action == "redeploy" => format!(" {to} again"),
            (Some(from), Some(to)) => format!(" {from} -> {to}"),
            (None, Some(to)) => format!(" new -> {to}"),
            (_, None) => String::new(),
        }
    }

    fn counts(&self) -> String {
        let commits = |count| {
            if count == 1 {
                "1 commit".to_owned()
            } else {
                format!("{count} commits")
            }
        };
        match (self.gained, self.lost) {
            (Some(gained), Some(0)) => format!(", {} gained", commits(gained)),
            (Some(gained), Some(lost)) => format!(", {} gained, {lost} lost", commits(gained)),
            _ => String::new(),
        }
    }

    fn waiting(&self) -> Option<String> {
        let same_push =
            (!self.after.is_empty()).then(|| format!("{} of the same push", self.after.join(", ")));
        let named = self.waits_for.iter().take(WAITING_MAX);
        let mut named: Vec<String> = named
            .map(|waiting| format!("#{} {} {}", waiting.id, waiting.application, waiting.status))
            .collect();
        let more = self.waits_for.len().saturating_sub(named.len());
        if more > 0 {
            named.push(format!("{more} more"));
        }
        named.extend(same_push);
        (!named.is_empty()).then(|| named.join(", "))
    }
}

fn commit_line(commit: &CommitRow) -> String {
    let (author, subject) = (escape(&commit.author, 40), escape(&commit.subject, 80));
    format!(
        "{} {} {author}: {subject}",
        &commit.id[..7],
        commit.committed_at.minute()
    )
}

/// Lines for the commits of one way, and one for the rest.
fn commit_lines(commits: &[CommitRow], count: Option<u64>) -> Vec<String> {
    let mut lines: Vec<String> = commits.iter().map(commit_line).collect();
    let more = count
        .unwrap_or_default()
        .saturating_sub(commits.len() as u64);
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines
}

/// The refusals that no row is about: of the branch, and of files that name nobody.
fn others<'p>(plan: &'p Plan, rows: &'p [PlanRow]) -> impl Iterator<Item = &'p Refusal> {
    let is_shown = |refusal: &&Refusal| {
        let judged = plan
            .judgements
            .iter()
            .find(|judged| judged.path == refusal.path);
        let target = judged.and_then(|judged| judged.target.as_ref());
        target.is_some_and(|target| rows.iter().any(|row| row.name() == target.to_string()))
    };
    plan.refusals
        .iter()
        .filter(move |refusal| !is_shown(refusal))
}

/// A plan as text.
#[must_use]
pub fn plan_text(plan: &Plan, rows: &[PlanRow]) -> String {
    let mut lines = Vec::new();
    for row in rows {
        let word = if row.action == "redeploy" {
            "deploy"
        } else {
            row.action
        };
        lines.push(format!(
            "{word} {}{}{}",
            row.name(),
            row.change(),
            row.counts()
        ));
        for (sign, commits, count) in [
            ("+", &row.gained_commits, row.gained),
            ("-", &row.lost_commits, row.lost),
        ] {
            lines.extend(
                commit_lines(commits, count)
                    .into_iter()
                    .map(|line| format!("  {sign} {line}")),
            );
        }
        for gate in &row.gates {
            let mut message = gate.message.as_deref().unwrap_or_default().lines();
            let refused = if gate.allowed { "" } else { "refused: " };
            lines.push(format!(
                "  {}: {refused}{}",
                gate.rule,
                message.next().unwrap_or_default()
            ));
            lines.extend(message.map(|line| format!("    {line}")));
            lines.extend(gate.hint.iter().map(|hint| format!("    hint: {hint}")));
        }
        lines.extend(
            row.waiting()
                .map(|waiting| format!("  goes after {waiting}")),
        );
        lines.extend(
            row.warnings
                .iter()
                .map(|warning| format!("  warning: {warning}")),
        );
    }
    for refusal in others(plan, rows) {
        let mut message = refusal.message.lines();
        lines.push(format!(
            "refuse {}: {}",
            refusal.shown_path(),
            message.next().unwrap_or_default()
        ));
        lines.extend(message.map(|line| format!("    {line}")));
        lines.push(format!("  hint: {}", refusal.hint));
    }
    if lines.is_empty() {
        "nothing to deploy\n".to_owned()
    } else {
        lines.join("\n") + "\n"
    }
}

/// Text in which Markdown (CommonMark 0.31, section 2.4) and HTML see nothing but text.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '&' => plain.push_str("&amp;"),
            // A mention would call somebody.
            '@' => plain.push_str("&#64;"),
            c if c.is_ascii_punctuation() && !matches!(c, '.' | ',' | ':' | '/' | '-') => {
                plain.extend(['\\', c])
            }
            c => plain.push(c),
        }
    }
    plain
}

/// A plan as Markdown, for a merge request.
#[must_use]
pub fn plan_markdown(plan: &Plan, rows: &[PlanRow]) -> String {
    let mut out = String::new();
    if !rows.is_empty() {
        out.push_str(
            "| Application | Change | Gained | Lost | Verdict |\n| --- | --- | --- | --- | --- |\n",
        );
    }
    for row in rows {
        let count =
            |count: Option<u64>| count.map_or_else(|| "-".to_owned(), |count| count.to_string());
        let verdict = if row.action == "refuse" {
            "**refused**"
        } else {
            row.action
        };
        let (name, change) = (plain(&row.name()), plain(row.change().trim_start()));
        out.push_str(&format!(
            "| {name} | {change} | {} | {} | {verdict} |\n",
            count(row.gained),
            count(row.lost)
        ));
    }
    for row in rows {
        let mut items = Vec::new();
        for gate in &row.gates {
            let lines: Vec<String> = gate
                .message
                .iter()
                .flat_map(|message| message.lines())
                .map(plain)
                .collect();
            let refused = if gate.allowed { "" } else { "**refused:** " };
            let hint = gate
                .hint
                .iter()
                .map(|hint| format!(" ({})", plain(hint)))
                .collect::<String>();
            items.push(format!(
                "- {}: {refused}{}{hint}",
                gate.rule,
                lines.join("<br>")
            ));
        }
        items.extend(
            row.waiting()
                .map(|waiting| format!("- goes after {}", plain(&waiting))),
        );
        items.extend(
            row.warnings
                .iter()
                .map(|warning| format!("- **warning:** {}", plain(warning))),
        );
        let way = |word: &str, commits: &[CommitRow], count| {
            let lines = commit_lines(commits, count);
            let lines: String = lines
                .iter()
                .map(|line| format!("  - {}\n", plain(line)))
                .collect();
            (!lines.is_empty()).then(|| format!("- {word}:\n{}", lines.trim_end()))
        };
        items.extend(way("gained", &row.gained_commits, row.gained));
        items.extend(way("**lost**", &row.lost_commits, row.lost));
        if !items.is_empty() {
            out.push_str(&format!(
                "\n**{}**\n\n{}\n",
                plain(&row.name()),
                items.join("\n")
            ));
        }
    }
    let others: Vec<&Refusal> = others(plan, rows).collect();
    if !others.is_empty() {
        out.push_str(if out.is_empty() {
            "**Refused:**\n\n"
        } else {
            "\n**Refused:**\n\n"
        });
    }
    for refusal in others {
        let message: Vec<String> = refusal.message.lines().map(plain).collect();
        out.push_str(&format!(
            "- {}: {} ({})\n",
            plain(&refusal.shown_path()),
            message.join("<br>"),
            plain(&refusal.hint)
        ));
    }
    if out.is_empty() {
        "Nothing to deploy.\n".to_owned()
    } else {
        out
    }
}
