-- NVIDIA's hosted models, in OpenAI's dialect. A microservice of one's own is reached by providers.nvidia.url.

return {
    chat = "openai",
    url = "https://integrate.api.nvidia.com/v1",
    auth = function(key)
        return { Authorization = "Bearer " .. key }
    end,
    samples = { { call = "auth", key = "fake-key", expect = { Authorization = "Bearer fake-key" } } },
}
