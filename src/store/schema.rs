//! The versions of the database, and the step from each version to the next.

use rusqlite::Connection;

/// The step from version N to N + 1 has index N. Its statements never change once it was released.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
    include_str!("schema_8.sql"),
    include_str!("schema_9.sql"),
    include_str!("schema_10.sql"),
    include_str!("schema_11.sql"),
    include_str!("schema_12.sql"),
    include_str!("schema_13.sql"),
    include_str!("schema_14.sql"),
];

/// The version of the database that this program reads and writes.
pub const VERSION: i64 = 14;

/// The number that marks a database of this program, from version 4 on.
const APPLICATION: i64 = 0x4462_436f;

/// Makes a database as an earlier version of this program made it.
#[cfg(test)]
pub(super) fn make_version(connection: &Connection, version: i64) {
    let steps = MIGRATIONS.iter().take(usize::try_from(version).unwrap());
    steps.for_each(|step| connection.execute_batch(step).unwrap());
    connection
        .execute_batch(&format!("PRAGMA user_version = {version}"))
        .unwrap();
}

/// The SQL that takes a database from one version to the next. `None`: it has the newest version.
pub(super) fn step(version: i64) -> Option<String> {
    let step = MIGRATIONS.get(usize::try_from(version).ok()?)?;
    Some(format!("{step}; PRAGMA user_version = {};", version + 1))
}

/// The version of a database. 0: nothing is in it yet.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    pragma(connection, "user_version")
}

/// What is wrong with the head of a database that has a version; `None`: nothing. SQLite itself
/// checks the rest of the head when it reads it (<https://sqlite.org/fileformat2.html>, "The
/// Database Header").
pub(super) fn fault(
    connection: &Connection,
    version: i64,
) -> rusqlite::Result<Option<&'static str>> {
    Ok(if version < 1 {
        Some("nothing is in it")
    } else if version >= 4 && pragma(connection, "application_id")? != APPLICATION {
        Some("it does not have the mark of this program")
    } else if pragma(connection, "auto_vacuum")? != 0 {
        Some("it has a layout that this program never uses")
    } else if !is_readable_as_laid_out(connection)? {
        Some("its pages are not laid out as its head says")
    } else {
        None
    })
}

/// Whether the one page of the table `cursor` is laid out as the head of the database says. So a
/// wrong size in the head is noticed before something is written by it.
fn is_readable_as_laid_out(connection: &Connection) -> rusqlite::Result<bool> {
    let sql = "PRAGMA quick_check(cursor)";
    let answer: String = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(answer == "ok")
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))
}
