//! Refusals that concern several candidates: the order between them, and what must not be deployed
//! without another one.

use std::collections::BTreeSet;

use super::judgement::Judgement;
use crate::config::Config;
use crate::id::{Application, Environment, Target};
use crate::order::{self, After};
use crate::policy::{Facts, Objection};

/// Refuses an order that is a cycle, because no application of it could go first.
pub(super) fn refuse_cycles(config: &Config, judgements: &mut [Judgement], facts: &Facts) {
    let environments: BTreeSet<Environment> = judgements
        .iter()
        .filter(|judged| !judged.first().is_empty())
        .filter_map(|judged| Some(judged.target.as_ref()?.environment.clone()))
        .collect();

    for environment in environments {
        let mut members: Vec<&mut Judgement> = judgements
            .iter_mut()
            .filter(|judged| judged.is_in(&environment))
            .collect();
        let Some(cycle) = order::cycle(&order_of(config, &environment, &members)) else {
            continue;
        };

        for judged in &mut members {
            if !judged.first().is_empty() {
                refuse_cycle(judged, &cycle, facts);
            }
        }
    }
}

/// The order in which the applications of an environment must be deployed: what the setting `after`
/// says, and what their commits declare.
fn order_of(config: &Config, environment: &Environment, members: &[&mut Judgement]) -> After {
    let target = |judged: &&mut Judgement| Some(judged.target.as_ref()?.application.clone());
    let applications: Vec<Application> = members.iter().filter_map(target).collect();
    let mut after = config.after(environment, &applications);

    for (application, judged) in applications.into_iter().zip(members) {
        after.entry(application).or_default().extend(judged.first());
    }
    after
}

/// Refuses one member of a cycle. With `Deploy-Alone` it ignores the declared order instead.
fn refuse_cycle(judged: &mut Judgement, cycle: &[Application], facts: &Facts) {
    let Some(target) = &judged.target else {
        return;
    };
    if !cycle.contains(&target.application) {
        return;
    }

    let trailers = facts.targets.get(target).map(|known| &known.trailers);
    if let Some(reason) = trailers.and_then(|trailers| trailers.alone.as_ref()) {
        judged.go_alone(reason);
        return;
    }
    let objection = Objection::new(
        format!(
            "Deploy-After and the setting \"after\" ask for an impossible order: {}",
            cycle_in_words(cycle)
        ),
        "no application can go first; to ignore Deploy-After, give the reason in the deploy \
         commit, with the trailer Deploy-Alone: <reason>",
    );
    judged.refuse("needs", objection);
}

/// `website waits for database, which waits for website`.
fn cycle_in_words(cycle: &[Application]) -> String {
    let names = order::shown(cycle);
    match names.as_slice() {
        [first, others @ ..] => format!("{first} waits for {}", others.join(", which waits for ")),
        [] => String::new(),
    }
}

/// Refuses what must not be deployed without a candidate that is refused.
///
/// Before the branch moves this is not needed, because one refusal refuses the whole push. After
/// that, a refusal stops only its own application.
pub(super) fn refuse_abandoned(judgements: &mut [Judgement]) {
    // Each turn refuses one more candidate. Others may depend on that one.
    loop {
        let refused: Vec<(Target, bool)> = judgements
            .iter()
            .filter(|judged| judged.is_refused())
            .filter_map(|judged| Some((judged.target.clone()?, judged.has_fault())))
            .collect();
        let abandoned = judgements
            .iter_mut()
            .filter(|judged| !judged.is_refused())
            .find_map(|judged| Some((without_companion(judged, &refused)?, judged)));

        let Some((objection, judged)) = abandoned else {
            return;
        };
        judged.refuse("together", objection);
    }
}

/// Says that an application must not be deployed, because another one is refused that must be
/// deployed together with it. If the server is the cause there, it is the cause here too, so both
/// are judged again. `None`: there is no such application. `refused` says of each target whether
/// the server is the cause.
fn without_companion(judged: &Judgement, refused: &[(Target, bool)]) -> Option<Objection> {
    let Target {
        environment,
        application,
    } = judged.target.as_ref()?;
    let companions = judged.companions();
    let (missing, is_fault) = refused.iter().find(|(refused, _)| {
        refused.environment == *environment && companions.contains(&refused.application)
    })?;

    let missing = &missing.application;
    let message = format!("{application} must not be deployed without {missing}, which is refused");
    let hint = "fix the problem there, in a commit that changes both";
    Some(Objection {
        is_fault: *is_fault,
        ..Objection::new(message, hint)
    })
}
