-- Version 4: the file says which program it belongs to (file(1), SQLite's "Application ID").

-- "DbCo"
PRAGMA application_id = 1147290479;
