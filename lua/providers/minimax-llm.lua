-- MiniMax's language models, in OpenAI's dialect. In China set providers["minimax-llm"].url =
-- "https://api.minimaxi.com/v1".

return {
    chat = "openai",
    url = "https://api.minimax.io/v1",
    auth = function(key)
        return { Authorization = "Bearer " .. key }
    end,
    samples = { { call = "auth", key = "fake-key", expect = { Authorization = "Bearer fake-key" } } },
}
