-- Version 14: what the rules said of a deployment.

-- JSON: an array of objects with "rule" and "message", one for each rule that allowed it and had
-- something to say, in the order of the rules. NULL: none had, no rule was asked, or an earlier
-- version recorded it. It is a column and not a table, so that the hook writes no further page.
ALTER TABLE deployments ADD COLUMN notes TEXT;
