-- Models that run on this machine, with nothing but Debian packages behind them. Each route names the command, the
-- programs it runs and the packages that bring them; a machine without them says so when a task is submitted.

local PYTHON = "/usr/bin/python3"

local function exec(command, programs, packages, input)
    return { exec = { command = command, programs = programs, package = packages, input = input } }
end

-- espeak-ng's languages; a voice is one of them.
local VOICES = {
    "af", "am", "ar", "az", "be", "bg", "bn", "bs", "ca", "cmn", "cs", "cy", "da", "de", "el", "en", "en-gb",
    "en-gb-scotland", "en-us", "eo", "es", "es-419", "et", "eu", "fa", "fi", "fr", "fr-be", "fr-ch", "ga", "gd", "gu",
    "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "ka", "kk", "kn", "ko", "ku", "ky", "la", "lt", "lv", "mk",
    "ml", "mr", "ms", "mt", "my", "nb", "ne", "nl", "pa", "pl", "pt", "pt-br", "ro", "ru", "sk", "sl", "sq", "sr",
    "sv", "sw", "ta", "te", "tr", "tt", "uk", "ur", "uz", "vi", "yue",
    default = "en",
}

model "local-speech" {
    type = "audio", summary = "Speech from text, on this machine", estimated = 2, timeout = 120,
    params = {
        prompt = text{ required, min = 1, max = 5000 },
        voice = choice(VOICES),
        speed = number{ default = 1, min = 0.5, max = 2 },
    },
    routes = exec("local-speech", { PYTHON, "espeak-ng" }, "python3 espeak-ng"),
    simulate = function(p)
        return { audio = sample.audio{ seconds = 2, seed = hash(p.prompt) } }
    end,
    results = function(out)
        return { { url = artifact(out.audio) } }
    end,
    samples = {
        { input = { prompt = "Good morning" }, valid = { prompt = "Good morning", voice = "en", speed = 1 }, price = 1,
          upstream = { exec = { prompt = "Good morning", voice = "en", speed = 1 } },
          output = { audio = { file = "speech.wav" } }, results = { { url = { file = "speech.wav" } } } },
        { input = { prompt = "Guten Morgen", voice = "de", speed = 1.5 },
          valid = { prompt = "Guten Morgen", voice = "de", speed = 1.5 } },
        { input = { prompt = "Hi", voice = "--help" }, refused = { code = "not_allowed_value", param = "voice" } },
        { input = { prompt = "Hi", speed = 3 }, refused = { code = "out_of_range", param = "speed" } },
        { input = { prompt = 7 }, refused = { code = "invalid_type", param = "prompt" } },
    },
}

local SPOKEN = "data:audio/wav;base64,UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="

model "local-transcribe" {
    type = "audio", summary = "English speech to text with word times, on this machine",
    estimated = 20, timeout = 900,
    params = {
        audio_url = url{ "audio", required },
        language = choice{ "en", "en-us", "en-US", nullable },
    },
    routes = exec("local-transcribe", { PYTHON, "ffmpeg", "pocketsphinx_continuous" },
                  "python3 ffmpeg pocketsphinx pocketsphinx-en-us"),
    simulate = function()
        return {
            text = "hello world", language_code = "en", language_probability = 1.0,
            words = { { text = "hello", start = 0.12, ["end"] = 0.5, type = "word" },
                      { text = " ", start = 0.5, ["end"] = 0.55, type = "spacing" },
                      { text = "world", start = 0.55, ["end"] = 1.02, type = "word" } },
        }
    end,
    results = function(out)
        local words = array{}
        for i, word in ipairs(out.words or {}) do
            words[i] = { text = word.text, start = word.start, ["end"] = word["end"], type = word.type or "word" }
        end
        return { { text = out.text, language_code = out.language_code,
                   language_probability = out.language_probability, words = words } }
    end,
    samples = {
        { input = { audio_url = SPOKEN }, valid = { audio_url = SPOKEN }, price = 2,
          upstream = { exec = { audio_url = SPOKEN } },
          output = { text = "go", language_code = "en", language_probability = 1.0,
                     words = { { text = "go", start = 0.25, ["end"] = 0.5, type = "word" } } },
          results = { { text = "go", language_code = "en", language_probability = 1.0,
                        words = { { text = "go", start = 0.25, ["end"] = 0.5, type = "word" } } } } },
        { input = { audio_url = "https://cdn.example.com/talk.wav", language = "en" },
          output = { text = "", language_code = "en", language_probability = 1.0, words = array{} },
          results = { { text = "", language_code = "en", language_probability = 1.0, words = array{} } } },
        { input = { audio_url = SPOKEN, language = "xx" },
          refused = { code = "not_allowed_value", param = "language" } },
        { input = {}, refused = { code = "missing_field", param = "audio_url" } },
    },
}

local SIZES = {
    square = { width = 512, height = 512 },
    square_hd = { width = 1024, height = 1024 },
    portrait_4_3 = { width = 768, height = 1024 },
    portrait_16_9 = { width = 576, height = 1024 },
    landscape_4_3 = { width = 1024, height = 768 },
    landscape_16_9 = { width = 1024, height = 576 },
}

-- The seed that a picture is made from: the one given, else one that follows from the words.
local function picture(p)
    return { prompt = p.prompt, seed = p.seed or hash(p.prompt),
             image_size = type(p.image_size) == "table" and p.image_size or SIZES[p.image_size] }
end

model "local-image" {
    type = "image", summary = "A procedural picture that follows from its prompt and seed, on this machine",
    estimated = 3, timeout = 120,
    params = {
        prompt = text{ required, min = 1, max = 2000 },
        seed = integer{ min = 0, max = 4294967295, nullable },
        image_size = either{
            choice{ "square", "square_hd", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9" },
            object{ width = integer{ required, min = 64, max = 2048 },
                    height = integer{ required, min = 64, max = 2048 } },
            default = "square",
        },
    },
    routes = exec("local-image", { PYTHON, "convert" }, "python3 imagemagick", picture),
    simulate = function(p)
        local wanted = picture(p)
        return { image = sample.image{ width = wanted.image_size.width, height = wanted.image_size.height,
                                       seed = wanted.seed, label = "local-image" },
                 seed = wanted.seed }
    end,
    results = function(out)
        return { { url = artifact(out.image), content_type = "image/png" } }
    end,
    samples = {
        { input = { prompt = "Blue marble", seed = 5 },
          valid = { prompt = "Blue marble", seed = 5, image_size = "square" }, price = 1,
          upstream = { exec = { prompt = "Blue marble", seed = 5, image_size = { width = 512, height = 512 } } },
          output = { image = { file = "image.png" }, seed = 5 },
          results = { { url = { file = "image.png" }, content_type = "image/png" } } },
        { input = { prompt = "Blue marble", seed = 5, image_size = { width = 64, height = 2048 } },
          valid = { prompt = "Blue marble", seed = 5, image_size = { width = 64, height = 2048 } },
          upstream = { exec = { prompt = "Blue marble", seed = 5, image_size = { width = 64, height = 2048 } } } },
        -- Without a seed the same words give the same picture.
        { input = { prompt = "Blue marble" }, valid = { prompt = "Blue marble", image_size = "square" },
          upstream = { exec = { prompt = "Blue marble", seed = 2069288768,
                                image_size = { width = 512, height = 512 } } } },
        { input = { prompt = "Blue marble", image_size = { width = 32, height = 64 } },
          refused = { code = "out_of_range", param = "image_size.width" } },
        { input = { prompt = "Blue marble", image_size = "huge" },
          refused = { code = "not_allowed_value", param = "image_size" } },
    },
}

local PIXEL = "data:image/png;base64," ..
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

model "local-pbr-maps" {
    type = "image", summary = "Material maps of a picture, on this machine", estimated = 5, timeout = 180,
    params = {
        image_url = url{ "image", required },
        maps = list{ choice{ "basecolor", "normal", "roughness", "metalness", "height" }, required, min = 1, max = 5 },
    },
    routes = exec("local-pbr-maps", { PYTHON, "convert" }, "python3 imagemagick"),
    simulate = function(p)
        local maps = array{}
        for i, name in ipairs(p.maps) do
            maps[i] = sample.image{ width = 256, height = 256, seed = hash(p.image_url), label = name }
            maps[i].map_type = name
        end
        return { maps = maps }
    end,
    results = function(out)
        local list = array{}
        for i, map in ipairs(out.maps) do
            list[i] = { url = artifact(map), content_type = "image/png", result_type = "pbr_map",
                        map_type = map.map_type }
        end
        return list
    end,
    samples = {
        { input = { image_url = PIXEL, maps = { "normal", "height" } },
          valid = { image_url = PIXEL, maps = { "normal", "height" } }, price = 1,
          upstream = { exec = { image_url = PIXEL, maps = { "normal", "height" } } },
          output = { maps = { { map_type = "normal", file = "normal.png" },
                              { map_type = "height", file = "height.png" } } },
          results = { { url = { map_type = "normal", file = "normal.png" }, content_type = "image/png",
                        result_type = "pbr_map", map_type = "normal" },
                      { url = { map_type = "height", file = "height.png" }, content_type = "image/png",
                        result_type = "pbr_map", map_type = "height" } } },
        { input = { image_url = PIXEL, maps = array{} }, refused = { code = "out_of_range", param = "maps" } },
        { input = { image_url = PIXEL, maps = { "albedo" } },
          refused = { code = "not_allowed_value", param = "maps[0]" } },
        { input = { image_url = "file:///etc/hostname", maps = { "height" } },
          refused = { code = "invalid_url", param = "image_url" } },
    },
}

model "local-image-to-video" {
    type = "video", summary = "A slow zoom into a picture, on this machine", estimated = 10, timeout = 300,
    params = {
        image_url = url{ "image", required },
        duration = number{ default = 4, min = 1, max = 10 },
        zoom = number{ default = 1.2, min = 1, max = 2 },
    },
    routes = exec("local-image-to-video", { PYTHON, "ffmpeg", "ffprobe" }, "python3 ffmpeg"),
    simulate = function(p)
        return { video = sample.video{ seconds = p.duration, seed = hash(p.image_url) } }
    end,
    results = function(out)
        return { { url = artifact(out.video) } }
    end,
    samples = {
        { input = { image_url = PIXEL }, valid = { image_url = PIXEL, duration = 4, zoom = 1.2 }, price = 2,
          upstream = { exec = { image_url = PIXEL, duration = 4, zoom = 1.2 } },
          output = { video = { file = "video.mp4" } }, results = { { url = { file = "video.mp4" } } } },
        { input = { image_url = PIXEL, duration = 2.5 }, price = 1.25 },
        { input = { image_url = PIXEL, duration = 11 }, refused = { code = "out_of_range", param = "duration" } },
        { input = { image_url = PIXEL, zoom = 0.5 }, refused = { code = "out_of_range", param = "zoom" } },
    },
}
