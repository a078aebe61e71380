-- Version 5: where the numbers of processes mean something.

-- The namespaces of the processes that carry a deployment out, as the kernel names them. NULL: an
-- earlier version did not record them.
ALTER TABLE deployments ADD COLUMN namespaces TEXT;
