// OpenAI's own client, as talk.mjs uses it. It tries nothing twice unless `retries` says so.
import OpenAI from "openai";

export function connect(url, key, { retries = 0 } = {}) {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: retries });
}

const headersOf = (response) => Object.fromEntries(response.headers);

export const commands = {
  async create(openai, { body }) {
    const { data, response } = await openai.chat.completions.create(body).withResponse();
    return { data, headers: headersOf(response) };
  },

  // Each chunk is told as it comes. `abortAfter`: the caller loses patience after so many.
  async stream(openai, { body, abortAfter }, tell) {
    const controller = new AbortController();
    const { data, response } = await openai.chat.completions
      .create({ ...body, stream: true }, { signal: controller.signal }).withResponse();
    const chunks = [];
    for await (const chunk of data) {
      chunks.push(chunk);
      tell(chunk);
      if (chunks.length === abortAfter) controller.abort();
    }
    return { chunks, headers: headersOf(response) };
  },

  // Aborts a request that is not answered, once `when` has been told from outside: by a request to that URL.
  async abort(openai, { body, when }) {
    const controller = new AbortController();
    const answer = openai.chat.completions.create(body, { signal: controller.signal });
    answer.catch(() => {});
    await fetch(when);
    controller.abort();
    return answer;
  },

  // The client's own collector of chunks, strict about their order and shape.
  async collect(openai, { body }) {
    return openai.chat.completions.stream(body).finalChatCompletion();
  },

  // The client's own loop of tool calls: each tool answers with what it was given, as `name(arguments)`.
  async runTools(openai, { body, tools }) {
    const called = [];
    const run = openai.chat.completions.runTools({
      ...body,
      tools: tools.map(({ name, parameters }) => ({
        type: "function",
        function: { name, parameters, parse: JSON.parse, function(given) {
          called.push([name, given]);
          return `${name}(${JSON.stringify(given)})`;
        } },
      })),
    });
    const content = await run.finalContent();
    return { called, content, messages: run.messages };
  },

  async models(openai) {
    const models = [];
    for await (const model of openai.models.list()) models.push(model);
    return models;
  },
};

export function describe(error) {
  const { name, message, status, code, type, param, requestID } = error;
  return { class: error.constructor.name, name, message, status, code, type, param, requestID };
}
