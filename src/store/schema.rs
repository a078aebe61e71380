//! The versions of the database, and the way from each to the next.

use super::{Error, FILE, Store};

/// The step from version N to N + 1 stands at index N. A step is never changed once it was
/// released.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql"), include_str!("schema_2.sql")];

/// The version of the database that this program reads and writes.
pub const VERSION: i64 = 2;

/// Makes a database as an earlier version made it.
#[cfg(test)]
pub(super) fn make_version(connection: &rusqlite::Connection, version: i64) {
    let steps = MIGRATIONS.iter().take(usize::try_from(version).unwrap());
    steps.for_each(|step| connection.execute_batch(step).unwrap());
    connection
        .execute_batch(&format!("PRAGMA user_version = {version}"))
        .unwrap();
}

/// The version that a database has.
#[cfg(test)]
pub(super) fn version_of(store: &Store) -> i64 {
    read(&store.connection).unwrap()
}

/// Brings an older database up to date; each step and its number are one transaction.
pub(super) fn migrate(store: &mut Store) -> Result<(), Error> {
    while check(store)? < VERSION {
        let done: Result<(), Error> = store.transaction(|transaction| {
            // Another process may have been faster since the look above.
            let version = read(transaction.connection).map_err(|error| transaction.error(error))?;
            let Some(step) = usize::try_from(version)
                .ok()
                .and_then(|version| MIGRATIONS.get(version))
            else {
                return Ok(());
            };
            let sql = format!("{step}; PRAGMA user_version = {};", version + 1);
            transaction
                .connection
                .execute_batch(&sql)
                .map_err(|error| transaction.error(error))
        });
        done?;
    }
    Ok(())
}

pub(super) fn check(store: &Store) -> Result<i64, Error> {
    let found = read(&store.connection).map_err(|error| store.error(error))?;
    if found > VERSION {
        return Err(Error::TooNew {
            file: store.folder.join(FILE),
            found,
            known: VERSION,
        });
    }
    Ok(found)
}

fn read(connection: &rusqlite::Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}
