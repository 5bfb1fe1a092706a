-- Only tasks whose durations are told have them at hand: a language model's take seconds and are many, and what its
-- catalogue says will do until the first one since the start has ended.
DROP INDEX task_duration;
CREATE INDEX task_duration ON task (model, finished_ms) WHERE state = 2 AND book = 0 AND type <> 3;
