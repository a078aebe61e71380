//! Reading TOML: where something is in the file, and which type it has. No key is known here.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::calendar::Zones;
use super::mistake::{Mistake, MistakeKind};
use super::values::{self, ValueError};

/// A value, and where it is in the text.
pub(super) type Value<'d> = Spanned<DeValue<'d>>;

/// Reads one file, and collects what is wrong with it. `'d` is the lifetime of the document.
pub(super) struct DocumentReader<'d> {
    text: &'d str,
    /// Finds the rules of the time zones that values name.
    pub(super) zones: Zones<'d>,
    mistakes: Vec<Mistake>,
}

impl<'d> DocumentReader<'d> {
    pub(super) fn new(text: &'d str, zones: Zones<'d>) -> Self {
        Self {
            text,
            zones,
            mistakes: Vec::new(),
        }
    }

    /// Adds a mistake at a byte of the text.
    pub(super) fn report(&mut self, at: usize, kind: MistakeKind) {
        let mut end = at.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }

        let before = &self.text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        self.mistakes.push(Mistake {
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
            kind,
        });
    }

    /// All mistakes, in the order of the text.
    pub(super) fn into_mistakes(mut self) -> Vec<Mistake> {
        self.mistakes
            .sort_by_key(|mistake| (mistake.line, mistake.column));
        self.mistakes
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A value with its key. Each method below reads one type: it returns the value, or reports what
/// is wrong and returns `None`.
pub(super) struct DocumentEntry<'r, 'd> {
    pub(super) reader: &'r mut DocumentReader<'d>,
    /// The key with its sections, as messages show it.
    pub(super) key: String,
    pub(super) value: &'d Value<'d>,
}

impl<'d> DocumentEntry<'_, 'd> {
    /// The value of a key of this table.
    pub(super) fn inner(&mut self, name: &str, value: &'d Value<'d>) -> DocumentEntry<'_, 'd> {
        self.entry(format!("{}.{name}", self.key), value)
    }

    /// A value inside of this one, which messages show by another key.
    pub(super) fn entry(&mut self, key: String, value: &'d Value<'d>) -> DocumentEntry<'_, 'd> {
        DocumentEntry {
            reader: self.reader,
            key,
            value,
        }
    }

    /// Adds a mistake at the value. `kind` is given the key.
    pub(super) fn report(&mut self, kind: impl FnOnce(String) -> MistakeKind) {
        let kind = kind(self.key.clone());
        self.reader.report(self.value.span().start, kind);
    }

    fn wrong_type(&mut self, wanted: &'static str) {
        let found = self.value.get_ref().type_str();
        self.report(|key| MistakeKind::Type { key, found, wanted });
    }

    pub(super) fn table(&mut self) -> Option<&'d DeTable<'d>> {
        let table = self.value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type("a table");
        }
        table
    }

    pub(super) fn boolean(&mut self) -> Option<bool> {
        let boolean = self.value.get_ref().as_bool();
        if boolean.is_none() {
            self.wrong_type("true or false");
        }
        boolean
    }

    /// A whole number in a range, which must not hold negative numbers.
    pub(super) fn number(&mut self, range: RangeInclusive<i64>) -> Option<usize> {
        let Some(integer) = self.value.get_ref().as_integer() else {
            self.wrong_type("a whole number");
            return None;
        };

        let digits = integer.as_str().replace('_', "");
        let number = i64::from_str_radix(&digits, integer.radix())
            .ok()
            .filter(|number| range.contains(number))
            .and_then(|number| usize::try_from(number).ok());
        if number.is_none() {
            self.report(|key| MistakeKind::OutOfRange { key, range });
        }
        number
    }

    pub(super) fn string(&mut self) -> Option<&'d str> {
        let Some(string) = self.value.get_ref().as_str() else {
            self.wrong_type("a string");
            return None;
        };

        if string.contains('\0') {
            self.report(|key| MistakeKind::Nul { key });
            return None;
        }
        Some(string)
    }

    /// The strings of an array, each with its place in the text.
    pub(super) fn strings(&mut self) -> Option<Vec<(usize, &'d str)>> {
        let Some(array) = self.value.get_ref().as_array() else {
            self.wrong_type("an array of strings");
            return None;
        };

        let key = self.key.clone();
        let string = |item: &'d Value<'d>| {
            let string = self.entry(key.clone(), item).string()?;
            Some((item.span().start, string))
        };
        array.iter().map(string).collect()
    }

    /// What `read` makes of a string.
    pub(super) fn read<T, E: Into<ValueError>>(
        &mut self,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match read(self.string()?) {
            Ok(read) => Some(read),
            Err(error) => {
                let error = error.into();
                self.report(|key| MistakeKind::Value { key, error });
                None
            }
        }
    }

    /// A length of time.
    pub(super) fn duration(&mut self) -> Option<Duration> {
        self.with_unit(["s", "m"], values::duration)
    }

    /// A size in bytes.
    pub(super) fn size(&mut self) -> Option<u64> {
        self.with_unit(["KiB", "MiB"], values::size)
    }

    /// What `read` makes of a string that is a number with a unit, for example one of `units`.
    fn with_unit<T>(
        &mut self,
        units: [&'static str; 2],
        read: fn(&str) -> Result<T, ValueError>,
    ) -> Option<T> {
        let value = self.value.get_ref();
        let number = match (value.as_integer(), value.as_str()) {
            (Some(number), _) => Some(number.as_str()),
            (None, Some(text)) => Some(text.trim()).filter(|text| is_number(text)),
            (None, None) => None,
        };
        let Some(number) = number.map(str::to_owned) else {
            return self.read(read);
        };
        self.report(|key| MistakeKind::NoUnit { key, number, units });
        None
    }

    /// What `read` makes of each string of an array, without those that are wrong.
    pub(super) fn read_each<T, E: Into<ValueError>>(
        &mut self,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let mut good = Vec::new();

        for (at, string) in self.strings()? {
            match read(string) {
                Ok(read) => good.push(read),
                Err(error) => {
                    let (key, error) = (self.key.clone(), error.into());
                    self.reader.report(at, MistakeKind::Value { key, error });
                }
            }
        }
        Some(good)
    }

    /// The choice whose word is in the file.
    pub(super) fn choice<T: Copy>(&mut self, choices: &[(&'static str, T)]) -> Option<T> {
        let word = self.string()?;
        let found = choices.iter().find(|(name, _)| *name == word);

        if found.is_none() {
            let known = choices.iter().map(|(name, _)| *name).collect();
            let value = word.to_owned();
            self.report(|key| MistakeKind::UnknownValue { key, value, known });
        }
        found.map(|(_, choice)| *choice)
    }
}
