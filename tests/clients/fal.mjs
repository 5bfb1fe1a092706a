// fal's own client, as talk.mjs uses it.
import { createFalClient } from "@fal-ai/client";

// The client knows its hosts by heart; whichever it means, the request goes to the simulated one.
export function connect(url, key) {
  function toSimulator(target, init) {
    const { host, pathname, search } = new URL(target);
    return fetch(/(^|\.)fal\.(run|ai)$/.test(host) ? url + pathname + search : target, init);
  }
  return createFalClient({ credentials: key, fetch: toSimulator });
}

export const commands = {
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

export function describe({ name, message, status, body, requestId, fieldErrors }) {
  return { name, message, status, body, requestId, fieldErrors };
}
