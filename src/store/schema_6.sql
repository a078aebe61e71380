-- Version 6: who was told of what.

-- One row for each event that somebody was told of or is being told of. Up to which event they have
-- come is their position in event_readers.
CREATE TABLE notifications (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    -- The name of the reader of events in event_readers: for [notify.team] that is notify:team.
    target           TEXT    NOT NULL,
    event            INTEGER NOT NULL REFERENCES events (id),
    -- waiting, delivered, refused, given-up
    status           TEXT    NOT NULL,
    attempts         INTEGER NOT NULL,
    -- NULL: it was not tried yet.
    last_attempt_ms  INTEGER,
    next_attempt_ms  INTEGER,
    -- What the other side said last.
    answer           TEXT,
    UNIQUE (target, event)
) STRICT;

CREATE INDEX notifications_waiting ON notifications (target, event) WHERE status = 'waiting';
CREATE INDEX notifications_failed ON notifications (target, id) WHERE status IN ('refused', 'given-up');
