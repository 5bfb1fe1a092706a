// Anthropic's own client, as talk.mjs uses it, to prove that the simulated Anthropic speaks its protocol.
import Anthropic from "@anthropic-ai/sdk";

// Whatever the environment says of keys is not for the simulated service.
export const connect = (url, key) => new Anthropic({ baseURL: url, apiKey: key, authToken: null, maxRetries: 0 });

export const commands = {
  create: (anthropic, { body }) => anthropic.messages.create(body),
  collect: (anthropic, { body }) => anthropic.messages.stream(body).finalMessage(),
};

export function describe(error) {
  const { name, message, status, type } = error;
  return { class: error.constructor.name, name, message, status, type };
}
