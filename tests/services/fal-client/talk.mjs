// fal's own client, told what to do line by line: {"url", "key", "command", "argument"} on standard input.
// Answers each with a line: {"value": …}, or {"error": {name, status, message, body, …}}.
import { createInterface } from "node:readline";
import { createFalClient } from "@fal-ai/client";

// The client knows its hosts by heart; whichever it means, the request goes to the simulated one.
function clientOf(url, key) {
  function toSimulator(target, init) {
    const { host, pathname, search } = new URL(target);
    return fetch(/(^|\.)fal\.(run|ai)$/.test(host) ? url + pathname + search : target, init);
  }
  return createFalClient({ credentials: key, fetch: toSimulator });
}

const commands = {
  async subscribe(fal, { model, input, mode }) {
    const updates = [];
    const onQueueUpdate = (update) => updates.push(update);
    const result = await fal.subscribe(model, { input, mode, pollInterval: 20, logs: true, onQueueUpdate });
    return { result, updates };
  },
  submit: (fal, { model, input, webhookUrl }) => fal.queue.submit(model, { input, webhookUrl }),
  status: (fal, { model, requestId }) => fal.queue.status(model, { requestId, logs: true }),
  result: (fal, { model, requestId }) => fal.queue.result(model, { requestId }),
  async cancel(fal, { model, requestId }) {
    await fal.queue.cancel(model, { requestId });
    return "cancelled";
  },
  upload: (fal, { text, type }) => fal.storage.upload(new Blob([text], { type })),
};

async function answer({ url, key, command, argument }) {
  try {
    return { value: await commands[command](clientOf(url, key), argument) };
  } catch ({ name, message, status, body, requestId, fieldErrors }) {
    return { error: { name, message, status, body, requestId, fieldErrors } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
