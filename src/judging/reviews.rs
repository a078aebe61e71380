//! Who changed the deploy files of a range and who approved that.
//!
//! This runs other programs, which look at signatures. So it happens once for each range, and not
//! when the rules are asked again inside of a transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;

use super::subject::Subject;
use crate::candidate::Candidate;
use crate::deploy_repository::DeployRepository;
use crate::git::{self, CommitSignature};
use crate::id::{Revision, Target};
use crate::policy::{Review, SignatureFact, Stage, TracedFile, Trailers, Unknown};
use crate::signers::{self, Signers};

/// How many signatures are checked for one deploy file of a push.
const SIGNATURES_MAX: usize = 20;

/// What is known of who changed and approved some deploy files, by their targets.
pub(super) type Reviews = BTreeMap<Target, Result<Review, Unknown>>;

/// Why a review can't be found out.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Git(#[from] git::Error),
    #[error(transparent)]
    Signers(#[from] signers::Error),
    #[error("the owner of the repository is unknown: {0}")]
    Owner(std::io::Error),
}

/// Looks at the range of a subject for each candidate for which the configuration asks who changed
/// and approved it. `touched` are the paths that the subject itself changes, and `reasons` what its
/// commits give as reasons. What can't be found out is a fact.
pub(super) fn reviews(
    deploy: &DeployRepository,
    subject: &Subject<'_>,
    candidates: &[Candidate],
    touched: &BTreeSet<Vec<u8>>,
    reasons: &BTreeMap<Vec<u8>, Trailers>,
) -> Reviews {
    if subject.stage() == Stage::Look {
        return Reviews::new();
    }
    let (old, new) = subject.range();

    // A change that is only judged again began where the branch was then.
    let mut groups: BTreeMap<Option<&Revision>, BTreeSet<Target>> = BTreeMap::new();
    for candidate in candidates {
        let path = &candidate.change.path;
        let Some(target) = &candidate.target else {
            continue;
        };
        if !is_asked(deploy, target, reasons.get(path)) {
            continue;
        }
        let mut faults = subject.faults().iter();
        let since = match faults.find(|fault| fault.path == *path) {
            Some(fault) if !touched.contains(path) => fault.since.as_ref(),
            _ => old,
        };
        groups.entry(since).or_default().insert(target.clone());
    }
    if groups.is_empty() {
        return Reviews::new();
    }

    let mut reviews = Reviews::new();
    let mut signatures = Signatures::default();
    for (since, targets) in groups {
        let found = review(deploy, since, new, &targets, &mut signatures);
        match found {
            Ok(found) => {
                let found = found.into_iter();
                reviews.extend(found.map(|(target, review)| (target, Ok(review))));
            }
            Err(error) => {
                let unknown = Unknown(error.to_string());
                let targets = targets.into_iter();
                reviews.extend(targets.map(|target| (target, Err(unknown.clone()))));
            }
        }
    }
    reviews
}

/// Whether the rules ask who changed and approved a deploy file.
fn is_asked(deploy: &DeployRepository, target: &Target, reasons: Option<&Trailers>) -> bool {
    let section = deploy.config.environment(&target.environment);
    let has_override = || reasons.is_some_and(|reasons| reasons.override_reason.is_some());
    section.approvals > 0
        || deploy.config.people.has_keys() && !section.override_by.is_empty() && has_override()
}

/// The reviews of some deploy files in the commits since one commit.
fn review(
    deploy: &DeployRepository,
    since: Option<&Revision>,
    new: Option<&Revision>,
    targets: &BTreeSet<Target>,
    signatures: &mut Signatures,
) -> Result<BTreeMap<Target, Review>, Error> {
    let traced = match new {
        Some(new) => {
            let root = &deploy.config.root;
            deploy.repository.trace(root, since, new, targets)?
        }
        // No commit deletes a branch.
        None => BTreeMap::new(),
    };

    let mut reviews = BTreeMap::new();
    for target in targets {
        let file = traced.get(target).cloned().unwrap_or_default();
        let facts = signatures.of_file(deploy, &file)?;
        let review = Review {
            file,
            signatures: facts,
            same_people: signatures.same_people.clone(),
        };
        reviews.insert(target.clone(), review);
    }
    Ok(reviews)
}

/// What the signatures of commits say. Each is checked once.
#[derive(Default)]
struct Signatures {
    signers: Option<Signers>,
    known: BTreeMap<Revision, SignatureFact>,
    same_people: Vec<BTreeSet<String>>,
}

impl Signatures {
    /// What the signatures say of the commits that are about one deploy file: first of those that
    /// change it, then of those that approve it.
    fn of_file(
        &mut self,
        deploy: &DeployRepository,
        file: &TracedFile,
    ) -> Result<BTreeMap<Revision, SignatureFact>, Error> {
        let overrides = file.overrides.iter().map(|(commit, _)| commit);
        let commits = file.changes.iter().chain(&file.approvals).chain(overrides);

        let mut facts = BTreeMap::new();
        for commit in commits {
            if facts.contains_key(commit) {
                continue;
            }
            let fact = if facts.len() < SIGNATURES_MAX {
                self.of_commit(deploy, commit)?
            } else {
                SignatureFact::Unchecked
            };
            facts.insert(commit.clone(), fact);
        }
        Ok(facts)
    }

    fn of_commit(
        &mut self,
        deploy: &DeployRepository,
        commit: &Revision,
    ) -> Result<SignatureFact, Error> {
        if let Some(known) = self.known.get(commit) {
            return Ok(known.clone());
        }
        let fact = match deploy.repository.signature(commit)? {
            CommitSignature::Missing => SignatureFact::Missing,
            CommitSignature::Broken(why) => SignatureFact::Invalid(why.to_owned()),
            CommitSignature::Signed { payload, signature } => {
                self.signers(deploy)?.signer(&payload, &signature)?
            }
        };
        self.known.insert(commit.clone(), fact.clone());
        Ok(fact)
    }

    /// The people whose signatures count.
    fn signers(&mut self, deploy: &DeployRepository) -> Result<&Signers, Error> {
        let signers = match self.signers.take() {
            Some(signers) => signers,
            None => {
                let repository = deploy.repository.path().metadata().map_err(Error::Owner)?;
                let signers = Signers::read(&deploy.config.people, repository.uid())?;
                self.same_people = signers.same_people();
                signers
            }
        };
        Ok(self.signers.insert(signers))
    }
}
