-- What an attempt at a remote service needs to be gone on with: where it went, with which key, what its adapter keeps.
-- `credential` tells keys apart without being one; '' means "none".
ALTER TABLE attempt ADD COLUMN target TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN credential TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN kept TEXT NOT NULL DEFAULT '';
