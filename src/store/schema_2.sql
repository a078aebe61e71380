-- Version 2: what the safeguards need to know and to keep.

-- For finding what a deployment waits for, in rollouts of thousands.
CREATE INDEX deployments_rollout ON deployments (rollout, environment, application);

-- For a rollback, the revision that was gone back from.
ALTER TABLE deployments ADD COLUMN rolled_back TEXT;

-- 1: may begin while its environment is frozen.
ALTER TABLE deployments ADD COLUMN overrides_freeze INTEGER NOT NULL DEFAULT 0;

-- Rollbacks go before everything else that waits.
CREATE INDEX deployments_open_rollbacks ON deployments (environment, rollout, id)
    WHERE status IN ('queued', 'running') AND rolled_back IS NOT NULL;

-- What a revision did somewhere.
CREATE INDEX deployments_revision ON deployments (environment, application, revision, id);

-- The reasons by which a deployment got past rules.
CREATE TABLE exceptions (
    deployment INTEGER NOT NULL REFERENCES deployments (id),
    kind       TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    PRIMARY KEY (deployment, kind)
) STRICT, WITHOUT ROWID;

-- What rollbacks took away, until somebody releases it.
CREATE TABLE holds (
    environment TEXT    NOT NULL,
    application TEXT    NOT NULL,
    revision    TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    deployment  INTEGER NOT NULL REFERENCES deployments (id),
    PRIMARY KEY (environment, application, revision)
) STRICT, WITHOUT ROWID;

-- What the commits that a deployment gained declare to need of another application of the same environment.
CREATE TABLE needs (
    deployment  INTEGER NOT NULL REFERENCES deployments (id),
    application TEXT    NOT NULL,
    commit_id   TEXT    NOT NULL,
    declared_by TEXT    NOT NULL,
    -- 1: the same rollout brings it, and it goes first.
    goes_first  INTEGER NOT NULL,
    PRIMARY KEY (deployment, application, commit_id, declared_by)
) STRICT, WITHOUT ROWID;

CREATE INDEX needs_application ON needs (application);

-- 1: the server stood in the way; it is judged again until that is mended.
ALTER TABLE problems ADD COLUMN is_fault INTEGER NOT NULL DEFAULT 0;

-- Where the branch was before the change, and who pushed it, for judging it again.
ALTER TABLE problems ADD COLUMN since_commit TEXT;
ALTER TABLE problems ADD COLUMN pusher TEXT;
ALTER TABLE problems ADD COLUMN pusher_known_by TEXT;

-- How it is known who pushed: by a signature, a host's variable, the unix user.
ALTER TABLE deployments ADD COLUMN pusher_known_by TEXT;

-- Environments that somebody froze. One that is over stays, for the record.
CREATE TABLE freezes (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    environment  TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    frozen_by    TEXT    NOT NULL,
    frozen_at_ms INTEGER NOT NULL,
    until_ms     INTEGER,
    thawed_by    TEXT,
    thawed_at_ms INTEGER
) STRICT;

-- At most one is in force for each environment; one whose time is over gives way to the next.
CREATE UNIQUE INDEX freezes_in_force ON freezes (environment) WHERE thawed_at_ms IS NULL;
