-- Version 11: the phases of deployments.

-- One row for each phase that a deployment came to. Only the last one can be without an end.
CREATE TABLE phases (
    deployment     INTEGER NOT NULL REFERENCES deployments (id),
    -- Counts up within a deployment.
    number         INTEGER NOT NULL,
    -- fetch, export, command, activate, verify, go-back
    phase          TEXT    NOT NULL,
    -- running, succeeded, failed, cancelled, interrupted
    status         TEXT    NOT NULL,
    reason         TEXT,
    started_at_ms  INTEGER NOT NULL,
    finished_at_ms INTEGER,
    PRIMARY KEY (deployment, number)
) STRICT, WITHOUT ROWID;
