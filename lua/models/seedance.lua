-- Seedance 2.0: video from text, from an image, from references; each also as the faster, cheaper "fast" variant.

local MODES = {
    text = { summary = "Video from text", estimated = 90 },
    image = { summary = "Video from a first frame, and a last one if wanted", estimated = 100 },
    reference = { summary = "Video that follows reference images, videos and sounds", estimated = 120 },
}

local function parameters(mode, fast)
    local params = {
        prompt = text{ required, min = 1, max = 5000 },
        resolution = fast and choice{ "480p", "720p", default = "720p" }
            or choice{ "480p", "720p", "1080p", default = "720p" },
        aspect_ratio = choice{ "16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive", default = "adaptive" },
        duration = integer{ default = 5, min = 4, max = 15, also = { -1 } }, -- -1: the model chooses
        generate_audio = boolean{ default = true },
        seed = integer{ default = -1, min = -1, max = 4294967295 }, -- -1: any
    }
    if mode == "image" then
        params.image_url = url{ "image", required, max_bytes = "30 MiB" }
        params.end_image_url = url{ "image", nullable, max_bytes = "30 MiB" }
    elseif mode == "reference" then
        params.image_urls = list{ url{ "image", max_bytes = "30 MiB" }, max = 9 }
        params.video_urls = list{ url{ "video", max_bytes = "50 MiB", max_seconds = 15 }, max = 3 }
        params.audio_urls = list{ url{ "audio", max_bytes = "15 MiB", max_seconds = 15 }, max = 3 }
    end
    return params
end

local function rules(mode)
    if mode ~= "reference" then
        return nil
    end
    return {
        requires_any{ "audio_urls", "image_urls", "video_urls" },
        total{ "image_urls", "video_urls", "audio_urls", max = 12 },
    }
end

-- The service takes durations as text, and "auto" where we say -1 or "adaptive". It takes no seed: the one it chose
-- comes with the result.
local function fal_input(p)
    return {
        prompt = p.prompt,
        resolution = p.resolution,
        aspect_ratio = p.aspect_ratio == "adaptive" and "auto" or p.aspect_ratio,
        duration = p.duration == -1 and "auto" or tostring(p.duration),
        generate_audio = p.generate_audio,
        image_url = p.image_url,
        end_image_url = p.end_image_url,
        image_urls = p.image_urls,
        video_urls = p.video_urls,
        audio_urls = p.audio_urls,
    }
end

local function simulate(p)
    local seed = p.seed ~= -1 and p.seed or hash(p.prompt)
    return { video = sample.video{ seconds = p.duration == -1 and 5 or p.duration, seed = seed }, seed = seed }
end

-- Where the model chose how long the film becomes, the film tells what it costs.
local function results(out, p)
    local film = artifact(out.video)
    return { { url = film, seed = out.seed or null } }, p.duration == -1 and { seconds = film } or nil
end

local VIDEO = "https://v3b.fal.media/files/b/seedance/video.mp4"
local IMAGE = "https://cdn.example.com/first.png"
local OUTPUT = { video = { url = VIDEO, content_type = "video/mp4" }, seed = 42 }
local RESULTS = { { url = VIDEO, seed = 42 } }

local function changed(table, changes)
    local copy = {}
    for name, value in pairs(table) do copy[name] = value end
    for name, value in pairs(changes) do copy[name] = value end
    return copy
end

-- What every variant answers to its smallest body, plus what only it knows.
local function samples(mode, fast)
    local input = { prompt = "A paper boat on a pond" }
    local valid = { prompt = "A paper boat on a pond", resolution = "720p", aspect_ratio = "adaptive", duration = 5,
                    generate_audio = true, seed = -1 }
    local upstream = { prompt = "A paper boat on a pond", resolution = "720p", aspect_ratio = "auto", duration = "5",
                       generate_audio = true }
    if mode == "image" then
        input.image_url, valid.image_url, upstream.image_url = IMAGE, IMAGE, IMAGE
    end
    local function with(changes)
        return changed(input, changes)
    end
    local function refused(changes, code, param)
        return { input = with(changes), refused = { code = code, param = param } }
    end

    local list = {
        { input = input, valid = valid, price = fast and 20 or 25, upstream = { fal = upstream }, output = OUTPUT,
          results = RESULTS },
        { input = with{ duration = -1, resolution = "480p" }, price = fast and 24 or 30,
          upstream = { fal = changed(upstream, { duration = "auto", resolution = "480p" }) }, output = OUTPUT,
          results = RESULTS, units = VIDEO },
        { input = with{ aspect_ratio = "21:9", generate_audio = false, duration = 15 },
          upstream = { fal = changed(upstream, { aspect_ratio = "21:9", generate_audio = false, duration = "15" }) } },
        { input = {}, refused = { code = "missing_field", param = mode == "image" and "image_url" or "prompt" } },
        refused({ prompt = "" }, "out_of_range", "prompt"),
        refused({ prompt = string.rep("x", 5001) }, "too_long", "prompt"),
        refused({ duration = 3 }, "out_of_range", "duration"),
        refused({ duration = "5" }, "invalid_type", "duration"),
        refused({ aspect_ratio = "2:1" }, "not_allowed_value", "aspect_ratio"),
        refused({ loop = true }, "unknown_field", "loop"),
    }
    if fast then
        list[#list + 1] = refused({ resolution = "1080p" }, "not_allowed_value", "resolution")
    else
        list[#list + 1] = { input = with{ resolution = "1080p", duration = 10, seed = 7 }, price = 120 }
    end
    if mode == "image" then
        local last = "https://cdn.example.com/last.png"
        list[#list + 1] = { input = with{ end_image_url = last },
                            upstream = { fal = changed(upstream, { end_image_url = last }) } }
        list[#list + 1] = refused({ image_url = "first.png" }, "invalid_url", "image_url")
    elseif mode == "reference" then
        local sound = "https://cdn.example.com/voice.mp3"
        list[#list + 1] = refused({ audio_urls = { sound } }, "missing_field", nil)
        list[#list + 1] = refused({ audio_urls = { sound }, image_urls = array{} }, "missing_field", "image_urls")
        list[#list + 1] = { input = with{ audio_urls = array{}, video_urls = array{} } }
        list[#list + 1] = refused({ image_urls = null }, "invalid_type", "image_urls")
        list[#list + 1] = refused({ image_urls = { IMAGE, "x" } }, "invalid_url", "image_urls[1]")
        list[#list + 1] = {
            input = with{ image_urls = { IMAGE }, audio_urls = { sound }, duration = 15, seed = 7 },
            upstream = { fal = { prompt = input.prompt, resolution = "720p", aspect_ratio = "auto", duration = "15",
                                 generate_audio = true, image_urls = { IMAGE }, audio_urls = { sound } } },
        }
    end
    return list
end

for _, mode in ipairs{ "text", "image", "reference" } do
    for _, fast in ipairs{ false, true } do
        model("seedance-2.0-" .. (fast and "fast-" or "") .. mode .. "-to-video") {
            type = "video",
            summary = MODES[mode].summary .. (fast and ", fast" or ""),
            estimated = fast and MODES[mode].estimated // 2 or MODES[mode].estimated,
            timeout = 1800,
            params = parameters(mode, fast),
            rules = rules(mode),
            routes = { fal = { target = "bytedance/seedance-2.0/" .. (fast and "fast/" or "") .. mode .. "-to-video",
                               input = fal_input } },
            simulate = simulate,
            results = results,
            samples = samples(mode, fast),
        }
    end
end
