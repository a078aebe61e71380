//! The versions of the database, and the step from each version to the next.

use rusqlite::Connection;

/// The step from version N to N + 1 has index N. Its statements never change once it was released.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
];

/// The version of the database that this program reads and writes.
pub const VERSION: i64 = 4;

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
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}
