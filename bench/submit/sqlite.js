// SQLite in the server's own process: what arrived in a turn is one transaction with a sync, a task and an entry in the
// ledger each. Usage: node sqlite.js FILE
"use strict";
const Database = require("better-sqlite3");
const { serve } = require("./front.js");

const PRICE = 250000;

const database = new Database(process.argv[2]);
database.pragma("journal_mode = WAL");
database.pragma("synchronous = FULL");
database.exec(`
    CREATE TABLE task (id TEXT PRIMARY KEY, account INTEGER NOT NULL, state INTEGER NOT NULL, created_ms INTEGER NOT NULL,
        model TEXT NOT NULL, input TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE ledger (sequence INTEGER PRIMARY KEY, account INTEGER NOT NULL, task TEXT NOT NULL,
        microcredits INTEGER NOT NULL) STRICT;
`);
const add_task = database.prepare("INSERT INTO task VALUES (?, 1, 0, ?, ?, ?)");
const add_entry = database.prepare("INSERT INTO ledger (account, task, microcredits) VALUES (1, ?, ?)");

const store = database.transaction((batch) => {
    const now = Date.now();
    for (const { id, input } of batch) {
        add_task.run(id, now, input.model, JSON.stringify(input));
        add_entry.run(id, -PRICE);
    }
});

serve(store, 1);
