// Standard Webhooks' own library, as talk.mjs uses it, to prove that callbacks are signed as it expects.
import { Webhook } from "standardwebhooks";

export const connect = (_url, secret) => new Webhook(secret);

export const commands = {
  verify: (webhook, { body, headers }) => webhook.verify(body, headers),
};

export const describe = ({ name, message }) => ({ name, message });
