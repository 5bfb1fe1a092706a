-- Anthropic: the Messages API. The version that it wants to hear with each request is the dialect's.

return {
    chat = "anthropic",
    url = "https://api.anthropic.com",
    auth = function(key)
        return { ["x-api-key"] = key }
    end,
    samples = { { call = "auth", key = "fake-key", expect = { ["x-api-key"] = "fake-key" } } },
}
