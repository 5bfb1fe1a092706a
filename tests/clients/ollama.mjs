// Ollama's own client, as talk.mjs uses it, to prove that the simulated Ollama speaks its protocol.
import { Ollama } from "ollama";

export const connect = (url) => new Ollama({ host: url });

export const commands = {
  chat: (ollama, { body }) => ollama.chat({ ...body, stream: false }),
  async stream(ollama, { body }) {
    const parts = [];
    for await (const part of await ollama.chat({ ...body, stream: true })) parts.push(part);
    return parts;
  },
};

export const describe = ({ name, message, status_code: status }) => ({ name, message, status });
