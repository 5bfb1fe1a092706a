-- An account's tasks by state, for lists: the states that most of its tasks are not in. What is completed is most of them,
-- and is found by going through all.
CREATE INDEX task_open_of_account ON task (account) WHERE state IN (0, 1);
CREATE INDEX task_failed_of_account ON task (account) WHERE state = 3;
