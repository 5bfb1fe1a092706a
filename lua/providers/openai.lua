-- OpenAI: chat completions, in the dialect that everybody else copied.

return {
    chat = "openai",
    url = "https://api.openai.com/v1",
    auth = function(key)
        return { Authorization = "Bearer " .. key }
    end,
    samples = { { call = "auth", key = "fake-key", expect = { Authorization = "Bearer fake-key" } } },
}
