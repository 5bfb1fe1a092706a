-- What a key of its own may ask and spend.
--
-- Budgets are microcredits, in all and a UTC day; 0 means "none of its own".
ALTER TABLE api_key ADD COLUMN requests_per_minute INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN concurrency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN budget_total INTEGER NOT NULL DEFAULT 0;
ALTER TABLE api_key ADD COLUMN budget_day INTEGER NOT NULL DEFAULT 0;
