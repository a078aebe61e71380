-- Version 13: what is asked of a long record takes no longer than of a short one.

-- For finding what waits of one application, in queues of thousands of deployments.
CREATE INDEX deployments_queued ON deployments (environment, application) WHERE status = 'queued';

-- For finding whether a revision ever succeeded, among all that its application ever had.
CREATE INDEX deployments_succeeded_revision
    ON deployments (environment, application, revision, finish_order) WHERE status = 'succeeded';

-- For finding what an environment had last.
CREATE INDEX deployments_environment ON deployments (environment);

-- What has not ended does not belong into it, so that the hook does not write it.
DROP INDEX deployments_finish_order;
CREATE INDEX deployments_ended ON deployments (finish_order) WHERE finish_order IS NOT NULL;
