//! From TOML text to a [`Config`], collecting every problem on the way.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::template::{COMMAND_NAMES, FOLDER_NAMES};
use super::{
    Config, EnvironmentSection, Level, OnFreeze, OnInterrupt, Problem, Queue, RunnerKind, Template,
    Window, Zones,
};
use crate::id::{Application, Environment, NameError};
use crate::order;
use crate::text;
use crate::time::parse_duration;

/// The keys at the top of the file.
pub const TOP_KEYS: &[&str] = &[
    "branch",
    "root",
    "state_dir",
    "allow_rewind",
    "runner",
    "defaults",
    "environments",
    "applications",
];

/// The keys of an environment's section, beside [`SETTING_KEYS`].
pub const ENVIRONMENT_KEYS: &[&str] = &[
    "parallel",
    "promotes_from",
    "soak",
    "prepend_only",
    "frozen",
    "on_freeze",
    "override_by",
    "together",
    "applications",
];

/// The settings of a deployment, which can stand at each of the four levels.
pub const SETTING_KEYS: &[&str] = &[
    "command",
    "checkout",
    "repository",
    "allowed_refs",
    "after",
    "timeout",
    "kill_after",
    "grace",
    "queue",
    "env",
    "user",
    "keep_releases",
    "log_limit",
    "on_interrupt",
];

/// The largest number of applications that may deploy at the same time in one environment.
const PARALLEL_MAX: i64 = 64;

type Value<'a> = Spanned<DeValue<'a>>;

/// Reads a whole file.
pub(super) fn parse(text: &str, zones: Zones<'_>) -> (Config, Vec<Problem>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut reader = Reader {
        text,
        zones,
        problems: Vec::new(),
    };
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        reader.problem(
            at,
            format!("not TOML: {}", text::escape(error.message(), 200)),
            None,
        );
    }
    let config = reader.config(document.get_ref());
    let mut problems = reader.problems;
    problems.sort_by_key(|problem| (problem.line, problem.column));
    (config, problems)
}

struct Reader<'t> {
    text: &'t str,
    zones: Zones<'t>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, at: usize, message: String, hint: Option<String>) {
        let mut end = at.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.problems.push(Problem {
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
            message,
            hint,
        });
    }

    fn unknown(&mut self, at: usize, kind: &str, path: &str, word: &str, known: &[&str]) {
        let hint = match text::nearest(word, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if known.is_empty() => "there is none".to_owned(),
            None => format!("known here: \"{}\"", known.join("\", \"")),
        };
        self.problem(
            at,
            format!("unknown {kind} \"{}\"{path}", text::escape(word, 64)),
            Some(hint),
        );
    }

    fn wrong_type(&mut self, value: &Value<'_>, key: &str, wanted: &str) {
        let found = value.get_ref().type_str();
        self.problem(
            value.span().start,
            format!("{key} is of type {found}, not {wanted}"),
            None,
        );
    }

    // One method for each type of value: the value, or a problem and `None`.

    fn table<'v, 'i>(&mut self, value: &'v Value<'i>, key: &str) -> Option<&'v DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, key, "a table");
        }
        table
    }

    fn string<'v>(&mut self, value: &'v Value<'_>, key: &str) -> Option<&'v str> {
        let Some(string) = value.get_ref().as_str() else {
            self.wrong_type(value, key, "a string");
            return None;
        };
        if string.contains('\0') {
            self.problem(
                value.span().start,
                format!("{key} contains a NUL character"),
                None,
            );
            return None;
        }
        Some(string)
    }

    fn boolean(&mut self, value: &Value<'_>, key: &str) -> Option<bool> {
        let boolean = value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong_type(value, key, "true or false");
        }
        boolean
    }

    fn number(
        &mut self,
        value: &Value<'_>,
        key: &str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<i64> {
        let Some(integer) = value.get_ref().as_integer() else {
            self.wrong_type(value, key, "a whole number");
            return None;
        };
        let number = i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix());
        let number = number.ok().filter(|number| range.contains(number));
        if number.is_none() {
            let message = format!("{key} is not between {} and {}", range.start(), range.end());
            self.problem(value.span().start, message, None);
        }
        number
    }

    fn strings(&mut self, value: &Value<'_>, key: &str) -> Option<Vec<(usize, String)>> {
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(value, key, "an array of strings");
            return None;
        };
        let string = |item: &Value<'_>| {
            self.string(item, key)
                .map(|string| (item.span().start, string.to_owned()))
        };
        array.iter().map(string).collect()
    }

    /// Reads a string by `read`, whose error says what is wrong with it.
    fn read<T>(
        &mut self,
        value: &Value<'_>,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let string = self.string(value, key)?;
        match read(string) {
            Ok(read) => Some(read),
            Err(error) => {
                self.problem(
                    value.span().start,
                    format!("{key}: {}", text::escape(error, 200)),
                    None,
                );
                None
            }
        }
    }

    fn duration(&mut self, value: &Value<'_>, key: &str) -> Option<Duration> {
        self.read(value, key, |text| {
            parse_duration(text).map_err(|error| error.to_string())
        })
    }

    fn choice<T: Copy>(
        &mut self,
        value: &Value<'_>,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let word = self.string(value, key)?;
        let found = choices.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.unknown(
                value.span().start,
                "value",
                &format!(" of {key}"),
                word,
                &names,
            );
        }
        found.map(|(_, choice)| *choice)
    }

    fn template(&mut self, at: usize, text: &str, key: &str, names: &[&str]) -> Option<Template> {
        match Template::parse(text, names) {
            Ok(template) => Some(template),
            Err((message, hint)) => {
                self.problem(at, format!("{key} {message}"), hint);
                None
            }
        }
    }

    fn folder(&mut self, value: &Value<'_>, key: &str) -> Option<Template> {
        let path = self.read(value, key, absolute)?;
        self.template(value.span().start, &path, key, FOLDER_NAMES)
    }

    // The file from the top down.

    fn config(&mut self, document: &DeTable<'_>) -> Config {
        let mut config = Config::default();
        for (key, value) in document {
            let name: &str = key.get_ref();
            match name {
                "branch" => config.branch = self.read(value, name, branch),
                "root" => config.root = self.read(value, name, root).unwrap_or_default(),
                "state_dir" => {
                    config.state_dir = self.read(value, name, absolute).map(PathBuf::from)
                }
                "allow_rewind" => {
                    config.allow_rewind = self.boolean(value, name).unwrap_or_default()
                }
                "runner" => {
                    let choices = [
                        ("detached", RunnerKind::Detached),
                        ("systemd", RunnerKind::Systemd),
                    ];
                    config.runner = self.choice(value, name, &choices).unwrap_or_default();
                }
                "defaults" => {
                    if let Some(table) = self.table(value, name) {
                        config.defaults = self.level(table, name, &[]);
                    }
                }
                "environments" => {
                    for (environment, value) in self.named::<Environment>(value, name) {
                        let section = self.environment(value, &format!("{name}.{environment}"));
                        config.environments.insert(environment, section);
                    }
                }
                "applications" => config.applications = self.applications(value, name),
                other => self.unknown(key.span().start, "key", "", other, TOP_KEYS),
            }
        }
        self.references(document, &config);
        config
    }

    /// The entries of a table whose keys are names.
    fn named<'v, 'i, N>(&mut self, value: &'v Value<'i>, path: &str) -> Vec<(N, &'v Value<'i>)>
    where
        N: FromStr<Err = NameError>,
    {
        let mut entries = Vec::new();
        for (key, value) in self.table(value, path).into_iter().flatten() {
            match key.get_ref().parse() {
                Ok(name) => entries.push((name, value)),
                Err(error) => {
                    let name = text::quote(key.get_ref().as_bytes(), 64);
                    self.problem(key.span().start, format!("{path}: {name}: {error}"), None);
                }
            }
        }
        entries
    }

    fn applications(&mut self, value: &Value<'_>, path: &str) -> BTreeMap<Application, Level> {
        let mut applications = BTreeMap::new();
        for (application, value) in self.named::<Application>(value, path) {
            let path = format!("{path}.{application}");
            if let Some(table) = self.table(value, &path) {
                applications.insert(application, self.level(table, &path, &[]));
            }
        }
        applications
    }

    fn environment(&mut self, value: &Value<'_>, path: &str) -> EnvironmentSection {
        let mut section = EnvironmentSection::default();
        let Some(table) = self.table(value, path) else {
            return section;
        };
        section.level = self.level(table, path, ENVIRONMENT_KEYS);
        for (key, value) in table {
            let name: &str = key.get_ref();
            let full = format!("{path}.{name}");
            match name {
                "parallel" => {
                    let number = self.number(value, &full, 1..=PARALLEL_MAX);
                    section.parallel = number
                        .and_then(|number| usize::try_from(number).ok())
                        .unwrap_or(1);
                }
                "promotes_from" => {
                    let name =
                        |name: &str| Environment::new(name).map_err(|error| error.to_string());
                    section.promotes_from = self.read(value, &full, name);
                }
                "soak" => section.soak = self.duration(value, &full),
                "prepend_only" => {
                    section.prepend_only = self.boolean(value, &full).unwrap_or_default()
                }
                "frozen" => section.frozen = self.frozen(value, &full),
                "on_freeze" => {
                    let choices = [("refuse", OnFreeze::Refuse), ("hold", OnFreeze::Hold)];
                    section.on_freeze = self
                        .choice(value, &full, &choices)
                        .unwrap_or(OnFreeze::Refuse);
                }
                "override_by" => {
                    let names = self.strings(value, &full).unwrap_or_default();
                    section.override_by = names.into_iter().map(|(_, name)| name).collect();
                }
                "together" => section.together = self.together(value, &full),
                "applications" => section.applications = self.applications(value, &full),
                _ => {}
            }
        }
        section
    }

    fn frozen(&mut self, value: &Value<'_>, key: &str) -> Vec<Window> {
        let mut windows = Vec::new();
        for (at, text) in self.strings(value, key).unwrap_or_default() {
            match Window::parse(&text, self.zones) {
                Ok(window) => windows.push(window),
                Err(error) => self.problem(at, format!("{key}: {error}"), None),
            }
        }
        windows
    }

    /// One group of applications, or an array of groups.
    fn together(&mut self, value: &Value<'_>, key: &str) -> Vec<Vec<Application>> {
        let is_group = |value: &&Value<'_>| value.get_ref().as_array().is_some();
        let groups: Vec<&Value<'_>> = match value.get_ref().as_array() {
            Some(array) if array.iter().any(|item| is_group(&item)) => array.iter().collect(),
            _ => vec![value],
        };
        let mut read = Vec::new();
        for group in groups {
            let Some(applications) = self.application_names(group, key) else {
                continue;
            };
            if applications.len() < 2 {
                let hint = "name two or more applications that change in the same push";
                self.problem(
                    group.span().start,
                    format!("{key} is no group of applications"),
                    Some(hint.to_owned()),
                );
            }
            read.push(applications);
        }
        read
    }

    /// The settings in a table; `others` are keys of the table that the caller reads.
    fn level(&mut self, table: &DeTable<'_>, path: &str, others: &[&str]) -> Level {
        let mut level = Level::default();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let full = &format!("{path}.{name}");
            match name {
                "command" => level.command = self.command(value, full),
                "checkout" => level.checkout = self.folder(value, full),
                "repository" => level.repository = self.folder(value, full),
                "allowed_refs" => level.allowed_refs = self.allowed_refs(value, full),
                "after" => level.after = self.application_names(value, full),
                "timeout" => level.timeout = self.duration(value, full),
                "kill_after" => level.kill_after = self.duration(value, full),
                "grace" => level.grace = self.duration(value, full),
                "queue" => {
                    level.queue = self.choice(
                        value,
                        full,
                        &[("latest", Queue::Latest), ("all", Queue::All)],
                    )
                }
                "env" => level.env = self.variables(value, full),
                "user" => level.user = self.read(value, full, user),
                "keep_releases" => {
                    let number = self.number(value, full, 1..=1_000_000);
                    level.keep_releases = number.and_then(|number| usize::try_from(number).ok());
                }
                "log_limit" => level.log_limit = self.read(value, full, size),
                "on_interrupt" => {
                    let choices = [("stop", OnInterrupt::Stop), ("retry", OnInterrupt::Retry)];
                    level.on_interrupt = self.choice(value, full, &choices);
                }
                other if others.contains(&other) => {}
                other if ENVIRONMENT_KEYS.contains(&other) => {
                    let hint =
                        "it is an environment's: put it under [environments.NAME]".to_owned();
                    self.problem(
                        key.span().start,
                        format!("unknown key \"{other}\" in {path}"),
                        Some(hint),
                    );
                }
                other => {
                    let known: Vec<_> = others.iter().chain(SETTING_KEYS).copied().collect();
                    self.unknown(
                        key.span().start,
                        "key",
                        &format!(" in {path}"),
                        other,
                        &known,
                    );
                }
            }
        }
        level
    }

    fn command(&mut self, value: &Value<'_>, key: &str) -> Option<Vec<Template>> {
        if value.get_ref().as_str().is_some() {
            let hint = "no shell reads it: write [\"/path/to/program\", \"argument\"]";
            self.problem(
                value.span().start,
                format!("{key} is a string, not an array of strings"),
                Some(hint.to_owned()),
            );
            return None;
        }
        let strings = self.strings(value, key)?;
        if strings
            .first()
            .is_none_or(|(_, program)| program.is_empty())
        {
            self.problem(value.span().start, format!("{key} names no program"), None);
            return None;
        }
        strings
            .iter()
            .map(|(at, argument)| self.template(*at, argument, key, COMMAND_NAMES))
            .collect()
    }

    fn allowed_refs(&mut self, value: &Value<'_>, key: &str) -> Option<Vec<String>> {
        let refs = self.strings(value, key)?;
        for (at, name) in &refs {
            if !name.starts_with("refs/") {
                let message = format!("{key}: {} is no full ref name", text::quote(name, 80));
                self.problem(
                    *at,
                    message,
                    Some(format!("write \"refs/heads/{}\"", text::escape(name, 80))),
                );
            }
        }
        Some(refs.into_iter().map(|(_, name)| name).collect())
    }

    fn application_names(&mut self, value: &Value<'_>, key: &str) -> Option<Vec<Application>> {
        let mut applications = Vec::new();
        for (at, name) in self.strings(value, key)? {
            match Application::new(&name) {
                Ok(application) => applications.push(application),
                Err(error) => self.problem(
                    at,
                    format!("{key}: {}: {error}", text::quote(&name, 64)),
                    None,
                ),
            }
        }
        Some(applications)
    }

    fn variables(&mut self, value: &Value<'_>, key: &str) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        for (name, value) in self.table(value, key).into_iter().flatten() {
            let at = name.span().start;
            let name: &str = name.get_ref();
            let full = format!("{key}.{}", text::escape(name, 64));
            let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            if name.is_empty() || name.as_bytes()[0].is_ascii_digit() || !name.bytes().all(letters)
            {
                self.problem(
                    at,
                    format!("{full} is no name of an environment variable"),
                    None,
                );
            } else if name.starts_with("DEPLOY_") {
                let hint = "names that begin with DEPLOY_ tell the command what it deploys";
                self.problem(
                    at,
                    format!("{full} is set by deploy-by-code itself"),
                    Some(hint.to_owned()),
                );
            } else if let Some(text) = self.string(value, &full) {
                variables.insert(name.to_owned(), text.to_owned());
            }
        }
        variables
    }

    /// What one section says about another: environments that have no section, and cycles.
    fn references(&mut self, document: &DeTable<'_>, config: &Config) {
        let declared: Vec<&str> = config
            .environments
            .keys()
            .map(Environment::as_str)
            .collect();
        let sections = document
            .get("environments")
            .and_then(|value| value.get_ref().as_table());
        for (name, section) in &config.environments {
            let value = sections.and_then(|sections| sections.get(name.as_str()));
            let at = |key| {
                value
                    .and_then(|value| value.get_ref().get(key))
                    .map_or(0, |value| value.span().start)
            };
            // A folder needs no section to be an environment, so a name is only suspect beside
            // other sections.
            let known = || {
                declared
                    .iter()
                    .copied()
                    .filter(|other| *other != name.as_str())
                    .collect::<Vec<_>>()
            };
            if let Some(from) = &section.promotes_from {
                let key = format!(" in environments.{name}.promotes_from");
                if from == name {
                    self.problem(
                        at("promotes_from"),
                        format!("environments.{name} promotes from itself"),
                        None,
                    );
                } else if !config.environments.contains_key(from) && !known().is_empty() {
                    self.unknown(
                        at("promotes_from"),
                        "environment",
                        &key,
                        from.as_str(),
                        &known(),
                    );
                }
            } else if section.soak.is_some() {
                let hint = "soak is how long ago a revision must have succeeded in the environment of promotes_from";
                self.problem(
                    at("soak"),
                    format!("environments.{name}.soak stands without promotes_from"),
                    Some(hint.to_owned()),
                );
            }
        }
        self.cycles(document, config);
    }

    fn cycles(&mut self, document: &DeTable<'_>, config: &Config) {
        // An environment that no section names follows the common levels alone.
        let common = Environment::new("0").ok();
        let mut seen = Vec::new();
        for environment in common.iter().chain(config.environments.keys()) {
            let mut after = config.after(environment, config.named_applications(environment));
            while let Some(cycle) = order::cycle(&after) {
                // Without its first step it is none, and the next one shows.
                if let [first, second, ..] = cycle.as_slice() {
                    after.entry(first.clone()).or_default().remove(second);
                }
                if seen.contains(&cycle) {
                    continue;
                }
                let names: Vec<_> = cycle.iter().map(Application::as_str).collect();
                let at = after_key(document, environment.as_str(), names[0]);
                self.problem(
                    at,
                    format!("after makes a cycle: {}", names.join(" after ")),
                    None,
                );
                seen.push(cycle);
            }
        }
    }
}

/// Where the `after` that holds for an application stands, for messages.
fn after_key(document: &DeTable<'_>, environment: &str, application: &str) -> usize {
    let find = |path: &[&str]| {
        let (first, rest) = path.split_first()?;
        let start = document.get(*first)?;
        rest.iter()
            .try_fold(start, |value, key| value.get_ref().get(*key))
            .map(|value| value.span().start)
    };
    find(&[
        "environments",
        environment,
        "applications",
        application,
        "after",
    ])
    .or_else(|| find(&["applications", application, "after"]))
    .or_else(|| find(&["environments", environment, "after"]))
    .or_else(|| find(&["defaults", "after"]))
    .unwrap_or(0)
}

fn absolute(path: &str) -> Result<String, String> {
    // It gets into units and messages, one a line.
    if path.contains(|c: char| c.is_control()) {
        return Err(format!(
            "{} has a control character in it",
            text::quote(path, 80)
        ));
    }
    if !path.starts_with('/') {
        return Err(format!("{} is no absolute path", text::quote(path, 80)));
    }
    if path.split('/').any(|part| part == "..") {
        return Err(format!("{} has \"..\" in it", text::quote(path, 80)));
    }
    Ok(path.to_owned())
}

/// A branch as git-check-ref-format(1) allows it, without `refs/heads/`.
fn branch(name: &str) -> Result<String, String> {
    let bad = |c: char| c.is_ascii_control() || " ~^:?*[\\".contains(c);
    let bad_part = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    if name.starts_with("refs/") {
        return Err(format!(
            "write {} without refs/heads/",
            text::quote(name, 80)
        ));
    }
    if name.starts_with('-')
        || name.contains("..")
        || name.contains("@{")
        || name.contains(bad)
        || name.split('/').any(bad_part)
    {
        return Err(format!("{} is no name of a branch", text::quote(name, 80)));
    }
    Ok(name.to_owned())
}

fn root(path: &str) -> Result<String, String> {
    let trimmed = path.trim_matches('/');
    let bad = |part: &str| matches!(part, "" | "." | "..");
    if !trimmed.is_empty() && (path.starts_with('/') || trimmed.split('/').any(bad)) {
        return Err(format!(
            "{} is no folder in the repository",
            text::quote(path, 80)
        ));
    }
    Ok(trimmed.to_owned())
}

fn user(name: &str) -> Result<String, String> {
    if name.is_empty() || name.contains([':', '\n', '/']) {
        return Err(format!("{} is no name of a user", text::quote(name, 40)));
    }
    Ok(name.to_owned())
}

/// Bytes: a whole number with B, KiB, MiB or GiB.
fn size(text: &str) -> Result<u64, String> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let unit = match text[digits..].trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => 0,
    };
    let number = text[..digits]
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    match number {
        Some(bytes) if bytes >= 4096 && i64::try_from(bytes).is_ok() => Ok(bytes),
        Some(bytes) if unit > 0 && bytes < 4096 => {
            Err(format!("{} is less than \"4KiB\"", text::quote(text, 40)))
        }
        _ => Err(format!(
            "{} is no size like \"64KiB\" or \"16MiB\"",
            text::quote(text, 40)
        )),
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
