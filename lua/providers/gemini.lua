-- Google's Gemini API: generateContent.

return {
    chat = "gemini",
    url = "https://generativelanguage.googleapis.com",
    auth = function(key)
        return { ["x-goog-api-key"] = key }
    end,
    samples = { { call = "auth", key = "fake-key", expect = { ["x-goog-api-key"] = "fake-key" } } },
}
