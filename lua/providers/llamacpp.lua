-- llama.cpp's server, and any other with OpenAI's dialect that wants no key:
--
--   providers = { llamacpp = { url = "http://127.0.0.1:8080/v1", allow_private = true } }

return {
    chat = "openai",
    url = "http://127.0.0.1:8080/v1",
}
