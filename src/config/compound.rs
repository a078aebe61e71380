//! Values that are more than one text: templates, commands, groups, variables.

use std::collections::BTreeMap;

use super::document::{DocumentEntry, Value};
use super::mistake::MistakeKind;
use super::release_path::{self, SharedPath, shared_path};
use super::template::{COMMAND_NAMES, FOLDER_NAMES, Template};
use super::values;
use crate::id::Application;
use crate::text;

/// An absolute path that may name what stays the same from one deployment to the next.
pub(super) fn folder(value: &mut DocumentEntry<'_, '_>) -> Option<Template> {
    let path = value.read(values::absolute)?;
    template(value, value.value.span().start, &path, FOLDER_NAMES)
}

/// A folder of the revision, which may name what stays the same from one deployment to the next.
pub(super) fn subdirectory(value: &mut DocumentEntry<'_, '_>) -> Option<Template> {
    let path = value.read(release_path::subdirectory)?;
    template(value, value.value.span().start, &path, FOLDER_NAMES)
}

/// The paths that all releases share, without those that are wrong.
pub(super) fn shared(value: &mut DocumentEntry<'_, '_>) -> Option<Vec<SharedPath>> {
    let mut paths = Vec::new();
    for (at, text) in value.strings()? {
        match shared_path(text, &paths) {
            Ok(path) => paths.push(path),
            Err(error) => {
                let (key, error) = (value.key.clone(), error.into());
                value.reader.report(at, MistakeKind::Value { key, error });
            }
        }
    }
    Some(paths)
}

/// A program and its arguments.
pub(super) fn command(value: &mut DocumentEntry<'_, '_>) -> Option<Vec<Template>> {
    if value.value.get_ref().is_str() {
        value.report(|key| MistakeKind::CommandIsString { key });
        return None;
    }

    let strings = value.strings()?;
    if strings
        .first()
        .is_none_or(|(_, program)| program.is_empty())
    {
        value.report(|key| MistakeKind::NoProgram { key });
        return None;
    }

    let argument = |(at, text): (usize, &str)| template(value, at, text, COMMAND_NAMES);
    strings.into_iter().map(argument).collect()
}

/// A text with names in it, which begins at a byte of the file.
pub(super) fn template(
    value: &mut DocumentEntry<'_, '_>,
    at: usize,
    text: &str,
    names: &'static [&'static str],
) -> Option<Template> {
    match Template::parse(text, names) {
        Ok(template) => Some(template),
        Err(error) => {
            let key = value.key.clone();
            value
                .reader
                .report(at, MistakeKind::Template { key, error });
            None
        }
    }
}

/// One group of applications, or an array of groups.
pub(super) fn together(value: &mut DocumentEntry<'_, '_>) -> Vec<Vec<Application>> {
    let is_group = |item: &Value<'_>| item.get_ref().is_array();
    let groups = match value.value.get_ref().as_array() {
        Some(array) if array.iter().any(is_group) => array.iter().collect(),
        _ => vec![value.value],
    };

    let mut read = Vec::new();
    for group in groups {
        let mut group = value.entry(value.key.clone(), group);
        let Some(applications) = group.read_each(values::application) else {
            continue;
        };
        if applications.len() < 2 {
            group.report(|key| MistakeKind::NoGroup { key });
        }
        read.push(applications);
    }
    read
}

/// Variables of a command's environment.
pub(super) fn variables(value: &mut DocumentEntry<'_, '_>) -> BTreeMap<String, String> {
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let mut variables = BTreeMap::new();

    for (name, text) in value.table().into_iter().flatten() {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        let key = format!("{}.{}", value.key, text::escape(name, 64));

        let starts_badly = name.starts_with(|c: char| c.is_ascii_digit());
        if name.is_empty() || starts_badly || !name.bytes().all(is_letter) {
            value.reader.report(at, MistakeKind::VariableName { key });
        } else if name.starts_with("DEPLOY_") {
            value
                .reader
                .report(at, MistakeKind::ReservedVariable { key });
        } else if let Some(text) = value.entry(key, text).string() {
            variables.insert(name.to_owned(), text.to_owned());
        }
    }
    variables
}
