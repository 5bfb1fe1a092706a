-- A submission writes fewer rows and index entries: an input of ordinary length lies in its task's row (a longer one in
-- task_input as before), where its results take its place at the end; and tasks that are open are found by one index.
ALTER TABLE task ADD COLUMN input TEXT NOT NULL DEFAULT '';
DROP INDEX task_open;
