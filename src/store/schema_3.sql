-- Version 3: events are rows, and with each name it is recorded how the name is known.

-- What happened, recorded by the transaction that made it happen. The number counts up.
CREATE TABLE events (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    kind  TEXT    NOT NULL,
    -- JSON of the type Event.
    data  TEXT    NOT NULL
) STRICT;

-- Those who read the events, and the last event that each of them has read.
CREATE TABLE event_readers (
    name     TEXT    PRIMARY KEY,
    position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How it is known who acted. 'unrecorded': an earlier version recorded only the name.
ALTER TABLE deployments ADD COLUMN cancelled_known_by TEXT;
ALTER TABLE deployments ADD COLUMN released_known_by TEXT;
ALTER TABLE retirements ADD COLUMN pusher_known_by TEXT;
ALTER TABLE freezes ADD COLUMN frozen_known_by TEXT;
ALTER TABLE freezes ADD COLUMN thawed_known_by TEXT;

UPDATE deployments SET pusher_known_by = 'unrecorded'
    WHERE pusher IS NOT NULL AND COALESCE(pusher_known_by, '') = '';
UPDATE deployments SET cancelled_known_by = 'unrecorded' WHERE cancelled_by IS NOT NULL;
UPDATE deployments SET released_known_by = 'unrecorded' WHERE released_by IS NOT NULL;
UPDATE problems SET pusher_known_by = 'unrecorded'
    WHERE pusher IS NOT NULL AND COALESCE(pusher_known_by, '') = '';
UPDATE retirements SET pusher_known_by = 'unrecorded' WHERE pusher IS NOT NULL;
UPDATE freezes SET frozen_known_by = 'unrecorded';
UPDATE freezes SET thawed_known_by = 'unrecorded' WHERE thawed_by IS NOT NULL;
