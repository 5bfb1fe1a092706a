// BullMQ, on a Redis that syncs its log before it answers. Usage: node bullmq.js SOCKET
"use strict";
const { Queue } = require("bullmq");
const { serve } = require("./front.js");

const queue = new Queue("tasks", { connection: { path: process.argv[2] } });

queue.waitUntilReady().then(() => serve(
    (batch) => queue.addBulk(batch.map(({ id, input }) => ({ name: input.model, data: input, opts: { jobId: id } }))), 2));
