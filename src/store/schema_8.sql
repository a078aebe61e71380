-- Version 8: what is deployed, in words.

-- One line: what the entry of the deploy file says, or the title of the revision. NULL: neither says
-- anything, or an earlier version recorded the deployment.
ALTER TABLE deployments ADD COLUMN summary TEXT;
