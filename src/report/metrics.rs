//! The figures in the text format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). Pure.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use crate::id::{Environment, Target};
use crate::status::Status;
use crate::store::{
    BOUNDS, ChangeFigures, DeploymentFigures, DurationFigures, NotificationFigures,
};

/// All figures of a deploy repository, as they were at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// The repository, as the label says it.
    pub repository: String,
    /// By application and environment.
    pub applications: BTreeMap<Target, ApplicationFigures>,
    /// By environment.
    pub environments: BTreeMap<Environment, EnvironmentFigures>,
    /// By the name of those who are told of what happens.
    pub notifications: BTreeMap<String, NotificationFigures>,
}

/// The figures of an application in an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplicationFigures {
    /// Its deployments.
    pub deployments: DeploymentFigures,
    /// Whether what is wanted is not what is deployed; `None`: nobody knows what is wanted.
    pub has_drift: Option<bool>,
}

/// The figures of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvironmentFigures {
    /// How many deployments are queued.
    pub queued: u64,
    /// How long the oldest of them has been queued.
    pub oldest_queued: Duration,
    /// Whether it is frozen.
    pub is_frozen: bool,
    /// How many changes there were.
    pub changes: u64,
    /// How many of them ended in the window.
    pub recent_changes: u64,
    /// How many of these failed.
    pub failures: ChangeFigures,
    /// How long commits waited until they were deployed.
    pub lead_time: DurationFigures,
    /// How long it took until what had failed was restored.
    pub time_to_restore: DurationFigures,
}

/// What begins the name of every figure.
const PREFIX: &str = "deploy_by_code_";

/// The value where there is none, as the middle one of nothing.
const NOTHING: &str = "NaN";

/// The figures as text.
#[must_use]
pub fn metrics_text(figures: &Figures) -> String {
    let mut text = Text {
        text: String::new(),
        repository: &figures.repository,
    };
    text.of_applications(&figures.applications);
    text.of_environments(&figures.environments);
    text.durations(
        "lead_time_seconds",
        "Time from the middle commit that a deployment gained to the end of the deployment.",
        figures
            .environments
            .iter()
            .map(|(name, of)| (name, of.lead_time)),
    );
    text.durations(
        "time_to_restore_seconds",
        "Time from the end of a change that failed to the next success of the application.",
        figures
            .environments
            .iter()
            .map(|(name, of)| (name, of.time_to_restore)),
    );
    text.of_notifications(&figures.notifications);
    text.text
}

/// A figure of an environment: its name, its type, what it says, and its value.
type OfEnvironment = (
    &'static str,
    &'static str,
    &'static str,
    fn(&EnvironmentFigures) -> String,
);

const OF_ENVIRONMENTS: &[OfEnvironment] = &[
    ("queued", "gauge", "Deployments that are queued.", |of| {
        of.queued.to_string()
    }),
    (
        "oldest_queued_seconds",
        "gauge",
        "How long the oldest queued deployment has been queued; 0 if none is.",
        |of| seconds(u64::try_from(of.oldest_queued.as_millis()).unwrap_or(u64::MAX)),
    ),
    (
        "frozen",
        "gauge",
        "Whether the environment is frozen.",
        |of| u8::from(of.is_frozen).to_string(),
    ),
    (
        "changes_total",
        "counter",
        "Deployments that succeeded, failed or were interrupted.",
        |of| of.changes.to_string(),
    ),
    (
        "change_failures_total",
        "counter",
        "Changes that failed, were interrupted or were rolled back later.",
        |of| of.failures.failed.to_string(),
    ),
    (
        "change_failure_ratio",
        "gauge",
        "The part of the changes of the last 30 days that failed; NaN if there were none.",
        |of| ratio(of.failures.recent, of.recent_changes),
    ),
];

/// The text as far as it is written.
struct Text<'f> {
    text: String,
    repository: &'f str,
}

impl Text<'_> {
    /// Begins a figure: what it says, and its type.
    fn figure(&mut self, name: &str, kind: &str, help: &str) {
        let line = format!("# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}\n");
        self.text.push_str(&line);
    }

    /// Writes one value of a figure.
    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let repository = label(self.repository);
        let line = format!("{PREFIX}{name}{{repository=\"{repository}\"");
        self.text.push_str(&line);
        for (name, value) in labels {
            self.text.push_str(&format!(",{name}=\"{}\"", label(value)));
        }
        self.text.push_str(&format!("}} {value}\n"));
    }

    fn of_applications(&mut self, all: &BTreeMap<Target, ApplicationFigures>) {
        let name = "deployments_total";
        self.figure(
            name,
            "counter",
            "Deployments that have ended, by how they ended.",
        );
        for (target, of) in all {
            for status in Status::ALL.into_iter().filter(|status| status.has_ended()) {
                let [environment, application] = labels(target);
                let labels = [environment, application, ("status", status.as_str())];
                self.value(name, &labels, of.deployments.count(status));
            }
        }

        let name = "deployment_duration_seconds";
        self.figure(
            name,
            "histogram",
            "How long deployments took that succeeded.",
        );
        for (target, of) in all {
            self.histogram(name, target, &of.deployments);
        }

        let name = "last_success_timestamp_seconds";
        self.figure(
            name,
            "gauge",
            "When a deployment succeeded last, in seconds since 1970.",
        );
        for (target, of) in all {
            if let Some(at) = of.deployments.last_success {
                let at = seconds(u64::try_from(at.as_ms()).unwrap_or(0));
                self.value(name, &labels(target), at);
            }
        }

        let name = "drift";
        self.figure(
            name,
            "gauge",
            "Whether what is wanted is not what is deployed.",
        );
        for (target, of) in all {
            if let Some(has_drift) = of.has_drift {
                self.value(name, &labels(target), u8::from(has_drift));
            }
        }
    }

    fn histogram(&mut self, name: &str, target: &Target, of: &DeploymentFigures) {
        let count = of.count(Status::Succeeded);
        let bounds = BOUNDS.map(|ms| (ms / 1000).to_string());
        let bounds = bounds.iter().map(String::as_str).chain(["+Inf"]);
        let [environment, application] = labels(target);

        for (bound, at_most) in bounds.zip(of.took_at_most.into_iter().chain([count])) {
            let labels = [environment, application, ("le", bound)];
            self.value(&format!("{name}_bucket"), &labels, at_most);
        }
        let sum = seconds(of.took_ms);
        self.value(&format!("{name}_sum"), &[environment, application], sum);
        self.value(&format!("{name}_count"), &[environment, application], count);
    }

    fn of_environments(&mut self, all: &BTreeMap<Environment, EnvironmentFigures>) {
        for (name, kind, help, value) in OF_ENVIRONMENTS {
            self.figure(name, kind, help);
            for (environment, of) in all {
                self.value(name, &[("environment", environment.as_str())], value(of));
            }
        }
    }

    /// Writes lengths of time: all together, and the middle one of the window.
    fn durations<'e>(
        &mut self,
        name: &str,
        help: &str,
        all: impl Iterator<Item = (&'e Environment, DurationFigures)>,
    ) {
        let help = format!("{help} The quantile is of the last 30 days.");
        self.figure(name, "summary", &help);
        for (environment, of) in all {
            let environment = ("environment", environment.as_str());
            let median = of.median_ms.map_or_else(|| NOTHING.to_owned(), seconds);
            self.value(name, &[environment, ("quantile", "0.5")], median);
            self.value(&format!("{name}_sum"), &[environment], seconds(of.sum_ms));
            self.value(&format!("{name}_count"), &[environment], of.count);
        }
    }

    fn of_notifications(&mut self, all: &BTreeMap<String, NotificationFigures>) {
        let name = "notifications_waiting";
        self.figure(
            name,
            "gauge",
            "Events that somebody is still to be told of.",
        );
        for (target, of) in all {
            self.value(name, &[("target", target)], of.waiting);
        }

        let name = "notifications_failed";
        let help = "Events that somebody was not told of, because they were refused or given up.";
        self.figure(name, "gauge", help);
        for (target, of) in all {
            self.value(name, &[("target", target)], of.failed);
        }
    }
}

/// The labels that name an application in an environment.
fn labels(target: &Target) -> [(&str, &str); 2] {
    [
        ("environment", target.environment.as_str()),
        ("application", target.application.as_str()),
    ]
}

/// The value of a label, escaped as the format says.
fn label(value: &str) -> String {
    let mut label = String::new();
    for c in value.chars() {
        match c {
            '\\' => label.push_str("\\\\"),
            '"' => label.push_str("\\\""),
            '\n' => label.push_str("\\n"),
            c => label.push(c),
        }
    }
    label
}

/// Milliseconds as seconds.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// The part that some are of all.
fn ratio(some: u64, all: u64) -> String {
    let millionths = some.saturating_mul(1_000_000).checked_div(all);
    millionths.map_or_else(
        || NOTHING.to_owned(),
        |part| format!("{}.{:06}", part / 1_000_000, part % 1_000_000),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_the_format_says() {
        for (value, expect) in [
            ("a b", "a b"),
            ("a\"b", "a\\\"b"),
            ("a\\b", "a\\\\b"),
            ("a\nb", "a\\nb"),
            ("é}", "é}"),
        ] {
            assert_eq!(label(value), expect, "{value:?}");
        }
        for (ms, expect) in [(0, "0.000"), (12, "0.012"), (61_500, "61.500")] {
            assert_eq!(seconds(ms), expect);
        }
        for (some, all, expect) in [
            (0, 0, "NaN"),
            (0, 7, "0.000000"),
            (1, 3, "0.333333"),
            (7, 7, "1.000000"),
        ] {
            assert_eq!(ratio(some, all), expect);
        }
    }

    #[test]
    fn figure_without_a_value_has_none() {
        let mut figures = Figures::default();
        let target = Target {
            environment: Environment::new("production").unwrap(),
            application: crate::id::Application::new("app").unwrap(),
        };
        let environment = target.environment.clone();
        let none = ApplicationFigures::default();
        figures.applications.insert(target, none);
        let none = EnvironmentFigures::default();
        figures.environments.insert(environment, none);

        let text = metrics_text(&figures);
        for name in ["drift", "last_success_timestamp_seconds"] {
            assert!(
                !text.contains(&format!("\ndeploy_by_code_{name}{{")),
                "{text}"
            );
        }
        let median =
            "lead_time_seconds{repository=\"\",environment=\"production\",quantile=\"0.5\"}";
        assert!(text.contains(&format!("{median} NaN\n")), "{text}");
    }
}
