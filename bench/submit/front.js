// What the queues that Fennec is compared with stand behind: HTTP, a submission as JSON in, its id out, once `store` says
// that it is on disk. Submissions that come while others are being stored are stored together, which is what a careful
// server in front of a queue does.
"use strict";
const http = require("node:http");
const { randomBytes } = require("node:crypto");

const BODY_MAX = 1 << 20;
const BATCH_MAX = 1024;
const key = `Bearer ${process.env.BENCH_KEY}`;

// A UUID of version 7: new rows lie side by side in an index.
function new_id() {
    const time = Date.now().toString(16).padStart(12, "0");
    const random = randomBytes(10).toString("hex");
    return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-a${random.slice(3, 6)}-${random.slice(6, 18)}`;
}

function answer(response, status, value) {
    const body = JSON.stringify(value);
    response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(body) });
    response.end(body);
}

function parsed(chunks) {
    try {
        const input = JSON.parse(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
        return typeof input?.model === "string" && typeof input?.prompt === "string" ? input : null;
    } catch {
        return null;
    }
}

function read(request, response, take) {
    const chunks = [];
    let size = 0;
    request.on("data", (chunk) => {
        size += chunk.length;
        if (size <= BODY_MAX)
            chunks.push(chunk);
    });
    request.on("end", () => {
        const input = size <= BODY_MAX && request.headers.authorization === key ? parsed(chunks) : null;
        if (input === null)
            answer(response, 400, { error: "not a submission" });
        else
            take({ id: new_id(), input, response });
    });
}

/* `store([{id, input}])` resolves when all are on disk. `at_once`: so many stores may be under way. */
exports.serve = function serve(store, at_once) {
    let waiting = [];
    let under_way = 0;
    let planned = false;

    async function write() {
        planned = false;
        while (under_way < at_once && waiting.length > 0) {
            const batch = waiting.splice(0, BATCH_MAX);
            under_way++;
            settle(batch);
        }
    }

    async function settle(batch) {
        let status = 200;
        try {
            await store(batch);
        } catch (error) {
            console.error(error);
            status = 500;
        }
        for (const { id, response } of batch)
            answer(response, status, { id, status: status === 200 ? "pending" : "failed" });
        under_way--;
        plan();
    }

    function plan() {
        if (!planned && waiting.length > 0 && under_way < at_once) {
            planned = true;
            setImmediate(write); // after all that has arrived in this turn of the loop was read
        }
    }

    const server = http.createServer((request, response) => read(request, response, (submission) => {
        waiting.push(submission);
        plan();
    }));
    server.keepAliveTimeout = 60000;
    server.listen(0, "127.0.0.1", 4096, () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
};
