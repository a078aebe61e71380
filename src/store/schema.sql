-- Version 1. Times are milliseconds since 1970 UTC. Hashes are hexadecimal text in lower case.

-- Up to which commit the deploy branch is planned. It has at most one row. No row: nothing was ever
-- installed. commit_id NULL: the branch did not exist.
CREATE TABLE cursor (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    branch      TEXT    NOT NULL,
    commit_id   TEXT
) STRICT;

-- One row for each run of the planner that recorded deployments, and one for each retry.
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
    -- Counts up with each end. What is deployed is what succeeded last, and clocks get set back.
    finish_order      INTEGER,
    exit_status       INTEGER,
    -- The processes that carry it out, for finding out later whether they still run.
    boot_id           TEXT,
    runner_pid        INTEGER,
    runner_ticks      INTEGER,
    leader_pid        INTEGER,
    leader_ticks      INTEGER,
    cgroup            TEXT,
    -- What users asked for while it ran.
    cancelled_by      TEXT,
    released_by       TEXT
) STRICT;

CREATE INDEX deployments_open ON deployments (environment, rollout, id) WHERE status IN ('queued', 'running');
CREATE INDEX deployments_history ON deployments (environment, application, id);
CREATE INDEX deployments_succeeded ON deployments (environment, application, finish_order) WHERE status = 'succeeded';
CREATE INDEX deployments_finish_order ON deployments (finish_order);
CREATE INDEX deployments_deploy_commit ON deployments (deploy_commit);

-- Applications whose deploy file was deleted. A row is removed when the deploy file comes back.
CREATE TABLE retirements (
    environment   TEXT    NOT NULL,
    application   TEXT    NOT NULL,
    deploy_commit TEXT,
    pusher        TEXT,
    retired_at_ms INTEGER NOT NULL,
    PRIMARY KEY (environment, application)
) STRICT, WITHOUT ROWID;

-- Deploy files on the deploy branch that can't be deployed. A row is removed when the file is
-- fixed.
CREATE TABLE problems (
    path        BLOB    PRIMARY KEY,
    message     TEXT    NOT NULL,
    hint        TEXT    NOT NULL,
    commit_id   TEXT,
    found_at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
