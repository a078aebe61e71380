-- Version 2.

-- For finding what a deployment waits for, in rollouts of thousands.
CREATE INDEX deployments_rollout ON deployments (rollout, environment, application);
