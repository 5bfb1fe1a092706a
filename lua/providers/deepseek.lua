-- DeepSeek, in OpenAI's dialect; its usage tells the cached part of the input in words of its own.

return {
    chat = "openai",
    url = "https://api.deepseek.com",
    auth = function(key)
        return { Authorization = "Bearer " .. key }
    end,
    samples = { { call = "auth", key = "fake-key", expect = { Authorization = "Bearer fake-key" } } },
}
