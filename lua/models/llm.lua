-- Language models. Each says what it takes, its limits and who runs it; prices are in prices.lua. `output` is what it
-- writes at most, and what is reserved when a request has no max_tokens.
--
-- A name with a '*' at its end stands for every name that begins so and is not a model by itself; the '*' of the target
-- is what it stood for. So one line opens a whole server:
--
--   llm "house/*" { routes = { vllm = { target = "*" } }, price = per_token{ input = 10, output = 30 } }

local SOUND = { "audio/wav", "audio/x-wav", "audio/mp3", "audio/mpeg", "audio/aiff", "audio/x-aiff", "audio/aac",
                "audio/ogg", "audio/flac", "audio/x-flac", "audio/mp4", "audio/m4a", "audio/x-m4a" }

-- What a route's `reasoning` adds to a request whose client wants the model to think, in the words of its service;
-- false where there is nothing to say.
local THINKING = { thinking = { type = "enabled" } }
local TEMPLATE = { chat_template_kwargs = { enable_thinking = true } }
local OPENROUTER = { reasoning = { enabled = true } }

-- The maker's own service first, and one that has it too when that one cannot.
local function routes(provider, target, second, reasoning)
    return { { provider = provider, target = target, priority = 0, reasoning = reasoning },
             second and { provider = "openrouter", target = second, priority = 1, reasoning = OPENROUTER } or nil }
end

-- A route's `options.efforts` are those that its model takes; of others the next above is said, or the highest.

-- ---- Anthropic

-- A route's `options.request` is put over the request, and null takes a member out of it: models after Opus 4.6 refuse
-- to be told how to sample. They were the first to have an effort above high.
local NO_SAMPLING = { request = { temperature = null, top_p = null, top_k = null } }
local UP_TO_HIGH = { efforts = { "low", "medium", "high" } }

local function claude(name, second, output, options)
    local list = routes("anthropic", name, second)
    list[1].options = options
    llm (name) {
        summary = "Anthropic's Claude", takes = { "text", "image", "file" }, max_tokens = { required = true },
        output = output, routes = list,
    }
end

claude("claude-opus-4-7", "anthropic/claude-opus-4.7", 128000, NO_SAMPLING)
claude("claude-opus-4-6", "anthropic/claude-opus-4.6", 128000, UP_TO_HIGH)
claude("claude-sonnet-4-6", "anthropic/claude-sonnet-4.6", 64000, UP_TO_HIGH)

-- ---- Google

-- They always think, and take few efforts.
local function gemini(name, efforts)
    local list = routes("gemini", name, "google/" .. name)
    list[1].options = { efforts = efforts }
    return list
end

llm "gemini-2.5-pro" {
    summary = "Google's Gemini 2.5", takes = { "text", "image", "video", "audio" }, audio_types = SOUND,
    output = 65536, body = "20 MB", routes = gemini("gemini-2.5-pro", { "minimal", "low", "medium", "high" }),
}

local function gemini_3(name, efforts)
    llm (name) {
        summary = "Google's Gemini 3", takes = { "text", "image", "video", "audio", "file" }, output = 65536,
        routes = gemini(name, efforts),
    }
end

gemini_3("gemini-3-pro-preview", { "low", "high" })
gemini_3("gemini-3.1-pro-preview", { "low", "medium", "high" })

-- ---- OpenAI

-- Its own service has max_completion_tokens in the place of max_tokens.
for _, name in ipairs{ "gpt-5.4", "gpt-5.5" } do
    local both = routes("openai", name, "openai/" .. name)
    both[1].options = { max_tokens = "max_completion_tokens" }
    llm (name) {
        summary = "OpenAI's GPT", takes = { "text", "image" }, max_tokens = { least = 16 }, output = 128000,
        routes = both,
    }
end

-- ---- others

llm "kimi-k2.6" {
    summary = "Moonshot's Kimi, which thinks before it answers", takes = { "text", "image" }, output = 32768,
    routes = routes("moonshot", "kimi-k2.6", "moonshotai/kimi-k2.6", THINKING),
}
llm "kimi-k2" {
    summary = "Moonshot's Kimi", takes = { "text" }, output = 32768,
    routes = routes("moonshot", "kimi-k2-0905-preview", "moonshotai/kimi-k2-0905", false),
}
llm "nemotron-3-nano-omni" {
    summary = "NVIDIA's Nemotron", takes = { "text", "image", "video", "audio" }, most = { image = 1, video = 1 },
    audio_types = { "audio/wav", "audio/mpeg" }, output = 32768,
    routes = routes("nvidia", "nvidia/nemotron-3-nano-omni-30b-a3b-reasoning",
                    "nvidia/nemotron-3-nano-omni-30b-a3b-reasoning", TEMPLATE),
}

-- DeepSeek's own service does not know max_completion_tokens: who sent that would get an answer without a limit.
local function deepseek(name, second, reasoning, more)
    local both = routes("deepseek", name, second, reasoning)
    both[1].options = { max_tokens = "max_tokens" }
    llm (name) { summary = more.summary, takes = { "text" }, output = more.output, routes = both }
end

deepseek("deepseek-chat", "deepseek/deepseek-chat", THINKING, { summary = "DeepSeek", output = 8192 })
deepseek("deepseek-reasoner", "deepseek/deepseek-r1", false,
         { summary = "DeepSeek, which thinks before it answers", output = 65536 })

llm "minimax-m2.5" {
    summary = "MiniMax", takes = { "text" }, output = 65536,
    routes = routes("minimax-llm", "MiniMax-M2.5", "minimax/minimax-m2.5", false),
}

local function doubao(name, target)
    llm (name) {
        summary = "ByteDance's Doubao Seed", takes = { "text", "image", "video" }, output = 32768,
        routes = routes("ark-llm", target, nil, THINKING),
    }
end

doubao("doubao-seed-2.0", "doubao-seed-2-0-pro-260215")
doubao("doubao-seed-2.0-pro", "doubao-seed-2-0-pro-260215")
doubao("doubao-seed-2.0-lite", "doubao-seed-2-0-lite-260215")
doubao("doubao-seed-2.0-mini", "doubao-seed-2-0-mini-260215")
doubao("doubao-seed-2.0-code", "doubao-seed-2-0-code-preview-260215")

-- ---- whatever a server has

llm "ollama/*" {
    summary = "Any model of an Ollama server: ollama/llama3.2", takes = { "text", "image" },
    routes = { ollama = { target = "*" } },
}
llm "local/*" {
    summary = "Any model of a server with OpenAI's dialect, such as llama.cpp's: local/qwen3",
    routes = { llamacpp = { target = "*", reasoning = TEMPLATE } },
}
llm "openrouter/*" {
    summary = "Any model of OpenRouter by its name there: openrouter/qwen/qwen3-coder", output = 32768,
    routes = { openrouter = { target = "*", reasoning = OPENROUTER } },
}
