-- Version 7: what the figures need.

-- The committer date of the middle one of the commits that it gained. NULL: it gained none, it was
-- not looked at yet, or the date is unknown.
ALTER TABLE deployments ADD COLUMN committed_at_ms INTEGER;

-- 1: the application's repository was not asked for that date yet.
ALTER TABLE deployments ADD COLUMN is_undated INTEGER NOT NULL DEFAULT 0;

-- For finding what is to be asked, and how long after its commits something was deployed.
CREATE INDEX deployments_undated ON deployments (finished_at_ms) WHERE is_undated = 1;
CREATE INDEX deployments_dated ON deployments (environment, finished_at_ms, committed_at_ms)
    WHERE committed_at_ms IS NOT NULL;

-- For finding what failed, and what ended that.
CREATE INDEX deployments_broken
    ON deployments (environment, application, finish_order, finished_at_ms)
    WHERE status IN ('failed', 'interrupted');
CREATE INDEX deployments_went_back ON deployments (environment, application, finish_order)
    WHERE status = 'succeeded' AND rolled_back IS NOT NULL;
