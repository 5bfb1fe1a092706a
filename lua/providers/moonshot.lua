-- Moonshot AI: Kimi, in OpenAI's dialect. In China set providers.moonshot.url = "https://api.moonshot.cn/v1".

return {
    chat = "openai",
    url = "https://api.moonshot.ai/v1",
    auth = function(key)
        return { Authorization = "Bearer " .. key }
    end,
    samples = { { call = "auth", key = "fake-key", expect = { Authorization = "Bearer fake-key" } } },
}
