-- Version 10: who approved what.

-- Who approved a deployment, and the commits of the deploy repository that say so.
CREATE TABLE approvals (
    deployment INTEGER NOT NULL REFERENCES deployments (id),
    approved_by TEXT   NOT NULL,
    commit_id  TEXT    NOT NULL,
    PRIMARY KEY (deployment, approved_by)
) STRICT, WITHOUT ROWID;

-- Who signed the commit that gives the reason. NULL: a pusher gave it, or nobody needs to sign it.
ALTER TABLE exceptions ADD COLUMN signed_by TEXT;
