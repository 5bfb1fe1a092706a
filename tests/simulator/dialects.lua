-- Models of services that are spoken to in other dialects, for scenarios; each gets its own alone.

model "minimax-film" {
    type = "video", summary = "A film by MiniMax", estimated = 5, timeout = 86400, price = per_call(5),
    params = { prompt = text{ required, min = 1, max = 5000 } },
    routes = { ["minimax-video"] = { target = "hailuo" } },
    results = function(out) return { { url = artifact(out.video) } } end,
}

model "kling-film" {
    type = "video", summary = "A film by Kling", estimated = 5, timeout = 86400, price = per_call(5),
    params = { prompt = text{ required, min = 1, max = 5000 } },
    routes = { ["kling-legacy"] = { target = "/v1/videos/text2video" } },
    results = function(out) return { { url = artifact(out.videos[1].url) } } end,
}

model "videos-film" {
    type = "video", summary = "A film by a gateway", estimated = 5, timeout = 86400, price = per_call(5),
    params = { prompt = text{ required, min = 1, max = 5000 } },
    routes = { ["openai-videos"] = { target = "/videos" } },
    results = function(out) return { { url = artifact(out.video) } } end,
}

model "spoken" {
    type = "audio", summary = "Speech, at once", estimated = 5, timeout = 86400, price = per_call(5),
    params = { prompt = text{ required, min = 1, max = 5000 } },
    routes = { ["openai-speech"] = { target = "tts-1", input = function(p) return { model = "tts-1", input = p.prompt } end } },
    results = function(out) return { { url = artifact(out.audio) } } end,
}

model "videos-character" {
    type = "video", summary = "A character from a film", estimated = 5, timeout = 86400, price = per_call(5),
    params = { video_url = url{ "video", required }, name = text{ required, min = 1, max = 80 } },
    routes = { ["openai-videos"] = { target = "/videos/characters", files = { video = "video_url" } } },
    results = function(out) return { { character_id = out.id, name = out.name } } end,
}
