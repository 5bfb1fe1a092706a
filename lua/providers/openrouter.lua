-- OpenRouter: the models of many services behind one key. A target is its name of a model, "deepseek/deepseek-chat".

return {
    chat = "openai",
    url = "https://openrouter.ai/api/v1",
    auth = function(key)
        return { Authorization = "Bearer " .. key }
    end,
    samples = { { call = "auth", key = "fake-key", expect = { Authorization = "Bearer fake-key" } } },
}
