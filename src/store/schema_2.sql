-- Version 2: what the safeguards read and record.

-- For finding what a deployment waits for, in rollouts of thousands of deployments.
CREATE INDEX deployments_rollout ON deployments (rollout, environment, application);

-- For a rollback, the revision that was rolled back.
ALTER TABLE deployments ADD COLUMN rolled_back TEXT;

-- 1: it may begin while its environment is frozen.
ALTER TABLE deployments ADD COLUMN overrides_freeze INTEGER NOT NULL DEFAULT 0;

-- For finding the rollbacks, which go before everything else that waits.
CREATE INDEX deployments_open_rollbacks ON deployments (environment, rollout, id)
    WHERE status IN ('queued', 'running') AND rolled_back IS NOT NULL;

-- For finding what became of a revision in an environment.
CREATE INDEX deployments_revision ON deployments (environment, application, revision, id);

-- The exceptions from rules that were made for a deployment, with their reasons.
CREATE TABLE exceptions (
    deployment INTEGER NOT NULL REFERENCES deployments (id),
    kind       TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    PRIMARY KEY (deployment, kind)
) STRICT, WITHOUT ROWID;

-- Revisions that rollbacks took away. A row is removed when the revision is released.
CREATE TABLE holds (
    environment TEXT    NOT NULL,
    application TEXT    NOT NULL,
    revision    TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    deployment  INTEGER NOT NULL REFERENCES deployments (id),
    PRIMARY KEY (environment, application, revision)
) STRICT, WITHOUT ROWID;

-- What is needed of another application of the same environment, as the commits that a deployment
-- gained declare it.
CREATE TABLE needs (
    deployment  INTEGER NOT NULL REFERENCES deployments (id),
    application TEXT    NOT NULL,
    commit_id   TEXT    NOT NULL,
    declared_by TEXT    NOT NULL,
    -- 1: the same rollout brings what is needed, and that goes first.
    goes_first  INTEGER NOT NULL,
    PRIMARY KEY (deployment, application, commit_id, declared_by)
) STRICT, WITHOUT ROWID;

CREATE INDEX needs_application ON needs (application);

-- 1: it is a fault of the server. It is judged again until that fault is fixed.
ALTER TABLE problems ADD COLUMN is_fault INTEGER NOT NULL DEFAULT 0;

-- Where the branch was before the change, and who pushed the change, for judging it again.
ALTER TABLE problems ADD COLUMN since_commit TEXT;
ALTER TABLE problems ADD COLUMN pusher TEXT;
ALTER TABLE problems ADD COLUMN pusher_known_by TEXT;

-- How it is known who pushed: by a signature, a variable of the host, the unix user.
ALTER TABLE deployments ADD COLUMN pusher_known_by TEXT;

-- Environments that somebody froze. A freeze that is over stays, for the record.
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

-- At most one freeze is in force for each environment. One whose time is over is replaced by the
-- next.
CREATE UNIQUE INDEX freezes_in_force ON freezes (environment) WHERE thawed_at_ms IS NULL;
