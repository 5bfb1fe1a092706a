-- What the input files of an account's tasks take beside its uploads, each once however many tasks have it.
ALTER TABLE file_space ADD COLUMN inputs INTEGER NOT NULL DEFAULT 0 CHECK (inputs >= 0);
CREATE INDEX artifact_input ON artifact (account, hash) WHERE role = 0;
INSERT INTO file_space (account, bytes, files, last, inputs)
    SELECT account, 0, 0, 0, sum(size) FROM (SELECT DISTINCT account, hash, size FROM artifact WHERE role = 0)
    WHERE true GROUP BY account
    ON CONFLICT (account) DO UPDATE SET inputs = excluded.inputs;
