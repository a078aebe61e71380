-- Version 9: who of several has what was sent, and whose section is gone.

-- What became of a notification for each of those whom it goes to, for good. A row is written where
-- others among them are still to get it, or where not all of them got it.
CREATE TABLE addressees (
    notification INTEGER NOT NULL REFERENCES notifications (id),
    address      TEXT    NOT NULL,
    -- 1: they have it. 0: they were refused.
    has_it       INTEGER NOT NULL,
    answer       TEXT    NOT NULL,
    PRIMARY KEY (notification, address)
) STRICT, WITHOUT ROWID;

-- The status of a notification can also be 'partial': some have it, and it is tried again for others.
CREATE INDEX notifications_partial ON notifications (target, next_attempt_ms)
    WHERE status = 'partial';

-- When it was first seen that the configuration does not name the reader any more. NULL: it does, or
-- nobody has looked.
ALTER TABLE event_readers ADD COLUMN gone_since_ms INTEGER;
