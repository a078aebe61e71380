-- Version 1. Times are milliseconds since 1970 UTC; hashes are lower-case hexadecimal text.

-- Up to where the deploy branch was planned. At most one row; no row: never installed; commit_id NULL: the branch did not exist.
CREATE TABLE cursor (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    branch      TEXT    NOT NULL,
    commit_id   TEXT
) STRICT;

-- One row for each run of the planner that recorded anything, and one for each retry.
CREATE TABLE rollouts (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    old_commit    TEXT,
    new_commit    TEXT,
    planned_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE deployments (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    rollout           INTEGER NOT NULL REFERENCES rollouts (id),
    environment       TEXT    NOT NULL,
    application       TEXT    NOT NULL,
    revision          TEXT    NOT NULL,
    previous_revision TEXT,
    status            TEXT    NOT NULL,
    reason            TEXT,
    deploy_commit     TEXT,
    pusher            TEXT,
    author            TEXT,
    retry_of          INTEGER REFERENCES deployments (id),
    superseded_by     INTEGER REFERENCES deployments (id),
    queued_at_ms      INTEGER NOT NULL,
    started_at_ms     INTEGER,
    finished_at_ms    INTEGER,
    -- Counts up with each end: clocks get set back, and what is deployed is what succeeded last.
    finish_order      INTEGER,
    exit_status       INTEGER,
    -- Who carries it out, for telling later whether that still runs.
    boot_id           TEXT,
    runner_pid        INTEGER,
    runner_ticks      INTEGER,
    leader_pid        INTEGER,
    leader_ticks      INTEGER,
    cgroup            TEXT,
    -- What people asked for while it ran.
    cancelled_by      TEXT,
    released_by       TEXT
) STRICT;

CREATE INDEX deployments_open ON deployments (environment, rollout, id) WHERE status IN ('queued', 'running');
CREATE INDEX deployments_history ON deployments (environment, application, id);
CREATE INDEX deployments_succeeded ON deployments (environment, application, finish_order) WHERE status = 'succeeded';
CREATE INDEX deployments_finish_order ON deployments (finish_order);
CREATE INDEX deployments_deploy_commit ON deployments (deploy_commit);

-- Applications whose deploy file was deleted, until it comes back.
CREATE TABLE retirements (
    environment   TEXT    NOT NULL,
    application   TEXT    NOT NULL,
    deploy_commit TEXT,
    pusher        TEXT,
    retired_at_ms INTEGER NOT NULL,
    PRIMARY KEY (environment, application)
) STRICT, WITHOUT ROWID;

-- What stands on the deploy branch and can't be deployed, until it is mended.
CREATE TABLE problems (
    path        BLOB    PRIMARY KEY,
    message     TEXT    NOT NULL,
    hint        TEXT    NOT NULL,
    commit_id   TEXT,
    found_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
