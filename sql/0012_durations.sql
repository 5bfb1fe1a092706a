-- How long a model's tasks take is read from the newest tasks of all, once a start (SQL_LIST_DURATIONS): an index for it was
-- one more insertion for each task that completes.
DROP INDEX task_duration;
