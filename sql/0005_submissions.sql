-- What a client asked for beside the task itself: seconds for which the files of its result are kept (0: as long as the
-- operator's setting says), and whether somebody is called back at its end.
ALTER TABLE task ADD COLUMN result_ttl_s INTEGER NOT NULL DEFAULT 0;
ALTER TABLE task ADD COLUMN calls_back INTEGER NOT NULL DEFAULT 0 CHECK (calls_back IN (0, 1));
