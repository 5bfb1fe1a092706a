-- Ollama, in its own dialect, which tells what was used and why an answer ended; it wants no key:
--
--   providers = { ollama = { url = "http://127.0.0.1:11434", allow_private = true } }

return {
    chat = "ollama",
    url = "http://127.0.0.1:11434",
}
