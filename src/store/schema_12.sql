-- Version 12: the checkout of a deployment that runs.

-- The folder of the checkout, and the user that works in it, as the configuration had them when the
-- deployment began. Going back after a crash needs them, whatever the configuration says by then.
-- NULL: it has no checkout, or an earlier version began it.
ALTER TABLE deployments ADD COLUMN checkout TEXT;
-- NULL: the user of its runner.
ALTER TABLE deployments ADD COLUMN checkout_user TEXT;
