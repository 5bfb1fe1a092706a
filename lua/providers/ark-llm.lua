-- Volcengine Ark: the language models of ByteDance, in OpenAI's dialect. Outside of China, BytePlus ModelArk:
-- set providers["ark-llm"].url = "https://ark.ap-southeast.bytepluses.com/api/v3".

return {
    chat = "openai",
    url = "https://ark.cn-beijing.volces.com/api/v3",
    auth = function(key)
        return { Authorization = "Bearer " .. key }
    end,
    samples = { { call = "auth", key = "fake-key", expect = { Authorization = "Bearer fake-key" } } },
}
