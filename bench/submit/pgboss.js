// pg-boss, on a PostgreSQL that syncs every commit. Usage: node pgboss.js SOCKET_FOLDER USER
"use strict";
const PgBoss = require("pg-boss");
const { serve } = require("./front.js");

const boss = new PgBoss({ host: process.argv[2], user: process.argv[3], database: "postgres", max: 8 });
boss.on("error", console.error);

async function start() {
    await boss.start();
    await boss.createQueue("tasks");
    serve((batch) => boss.insert(batch.map(({ id, input }) => ({ id, name: "tasks", data: input }))), 4);
}

start();
