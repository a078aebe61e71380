//! Columns of the database as values that are valid by construction, and back.

use rusqlite::Row;
use rusqlite::types::Type;

use super::error::Error;
use crate::id::{Application, Environment, Revision, Target};
use crate::identity::{Evidence, Identity};
use crate::policy::Note;
use crate::status::Status;
use crate::sys::process::ProcessIdentity;
use crate::time::Timestamp;

/// The error of a value that this program never writes. `what`: what the value should be.
pub(super) fn damaged(index: usize, what: &str) -> rusqlite::Error {
    let message = format!("not a {what}").into();
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, message)
}

/// The hash of a commit, where there is one.
pub(super) fn revision_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Revision>> {
    let text = row.get_ref(index)?.as_str_or_null()?;
    text.map(|text| Revision::new(text).map_err(|_| damaged(index, "hash")))
        .transpose()
}

/// The hash in a column that always has one.
pub(super) fn hash_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Revision> {
    revision_at(row, index)?.ok_or_else(|| damaged(index, "hash"))
}

/// The status of a deployment, or of a phase of one.
pub(super) fn status_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Status> {
    let word = row.get_ref(index)?.as_str()?;
    word.parse().map_err(|_| damaged(index, "status"))
}

/// The name of an environment.
pub(super) fn environment_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Environment> {
    let name = row.get_ref(index)?.as_str()?;
    Environment::new(name).map_err(|_| damaged(index, "name"))
}

/// The name of an application.
pub(super) fn application_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Application> {
    let name = row.get_ref(index)?.as_str()?;
    Application::new(name).map_err(|_| damaged(index, "name"))
}

/// An environment, and in the next column an application of it.
pub(super) fn target_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Target> {
    Ok(Target {
        environment: environment_at(row, index)?,
        application: application_at(row, index + 1)?,
    })
}

/// A pid, and in the next column when that process started; `None` where either is missing.
pub(super) fn process_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<ProcessIdentity>> {
    let (pid, ticks): (Option<i32>, Option<i64>) = (row.get(index)?, row.get(index + 1)?);
    Ok(pid
        .zip(ticks)
        .map(|(pid, start_ticks)| ProcessIdentity { pid, start_ticks }))
}

/// Who acted: a name in one column, and in another how that name is known.
pub(super) fn identity_at(
    row: &Row<'_>,
    name: usize,
    known_by: usize,
) -> rusqlite::Result<Option<Identity>> {
    let Some(name) = row.get(name)? else {
        return Ok(None);
    };
    let word = row.get_ref(known_by)?.as_str_or_null()?;
    let evidence = word.map(str::parse::<Evidence>);
    let evidence = evidence.and_then(Result::ok);
    let evidence = evidence.ok_or_else(|| damaged(known_by, "kind of evidence"))?;
    Ok(Some(Identity { name, evidence }))
}

/// A point in time, where there is one.
pub(super) fn time_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp::from_ms))
}

/// What the rules said of a deployment. Without any, the column is empty.
pub(super) fn notes_at(row: &Row<'_>, index: usize) -> rusqlite::Result<Vec<Note>> {
    let Some(json) = row.get_ref(index)?.as_str_or_null()? else {
        return Ok(Vec::new());
    };
    let notes = serde_json::from_str::<Vec<Note>>(json);
    notes
        .ok()
        .filter(|notes| !notes.is_empty() && Note::are_bounded(notes))
        .ok_or_else(|| damaged(index, "list of notes"))
}

/// The text of notes, for the same column.
pub(super) fn notes_text(notes: &[Note]) -> Result<Option<String>, Error> {
    if notes.is_empty() {
        return Ok(None);
    }
    let json = serde_json::to_string(notes);
    json.map(Some)
        .map_err(|error| Error::Damaged(format!("the notes of rules can't be written: {error}")))
}

/// The names of a target, for the columns `environment` and `application`.
pub(super) fn names(target: &Target) -> [&str; 2] {
    [target.environment.as_str(), target.application.as_str()]
}

/// The text of a hash, for a column that may be empty.
pub(super) fn text(revision: Option<&Revision>) -> Option<&str> {
    revision.map(Revision::as_str)
}
