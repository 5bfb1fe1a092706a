-- vLLM, and any other server with OpenAI's dialect that wants a key:
--
--   providers = { vllm = { url = "http://127.0.0.1:8000/v1", allow_private = true, key = env "VLLM_KEY" } }

return {
    chat = "openai",
    url = "http://127.0.0.1:8000/v1",
    auth = function(key)
        return { Authorization = "Bearer " .. key }
    end,
    samples = { { call = "auth", key = "fake-key", expect = { Authorization = "Bearer fake-key" } } },
}
