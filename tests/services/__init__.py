"""The paid services behind Fennec, simulated: real HTTP on loopback, with everything that goes wrong on the way.

  wire      an HTTP/1.1 server that can also answer badly: late, torn, cut off, never
  answer    answers as text: `429 Retry-After:2 {"detail":"…"}`, `truncated 200 @mp4`
  service   what all services have: a journal of every request, scripted answers, moments at which a test steps in
  clock     their time, which may run fast
  fal       fal's queue, with its webhooks and their signature
  chat      what services of language models have in common: what they say, and its troubles
  openai_chat, anthropic, gemini, ollama   such services, each with its dialect
  files     the result files, and cdn, a host that gives them
  scripted  a service that knows nothing but its script

Whatever a service does, it does because a test said so: nothing in Fennec knows of these.
"""
