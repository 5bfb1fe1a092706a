-- Phota: pictures of real people. A profile learns a person; later prompts name it as [[profile_id]].

local function images(p, count)
    local list = array{}
    local side = p.resolution == "4K" and 512 or 256
    for i = 1, count do
        list[i] = sample.image{ width = side, height = side, label = "phota",
                                seed = hash((p.prompt or p.image_url) .. i) }
    end
    return { images = list }
end

-- One result a picture; each one is paid for, so the bill follows what really came.
local function image_results(out)
    local list = array{}
    for i, image in ipairs(out.images) do
        list[i] = { url = artifact(image) }
    end
    return list, { images = #list }
end

-- The service knows fewer shapes: where it has not the one asked for, the nearest.
local SHAPES = { ["2:3"] = "3:4", ["3:2"] = "4:3" }

local FACE = "https://cdn.example.com/face.jpg"
local OUT1, OUT2 = "https://v3b.fal.media/files/b/phota/1.png", "https://v3b.fal.media/files/b/phota/2.png"

model "phota-create-profile" {
    type = "image", summary = "A profile of a person, from an archive of photographs", estimated = 120, timeout = 1800,
    params = {
        image_archive_url = url{ "file", required }, -- a ZIP of photographs of one face
    },
    routes = { fal = {
        target = "fal-ai/phota/create-profile",
        input = function(p) return { image_data_url = p.image_archive_url } end,
    } },
    simulate = function(p)
        return { profile_id = string.format("profile-%08x", hash(p.image_archive_url)) }
    end,
    results = function(out)
        return { { result_type = "profile", profile_id = out.profile_id or error("the answer has no profile_id") } }
    end,
    samples = {
        { input = { image_archive_url = "https://cdn.example.com/faces.zip" },
          valid = { image_archive_url = "https://cdn.example.com/faces.zip" }, price = 50,
          upstream = { fal = { image_data_url = "https://cdn.example.com/faces.zip" } },
          output = { profile_id = "p-77" }, results = { { result_type = "profile", profile_id = "p-77" } } },
        { input = {}, refused = { code = "missing_field", param = "image_archive_url" } },
    },
}

model "phota-image" {
    type = "image", summary = "Picture from text, with people from profiles", estimated = 30, timeout = 600,
    params = {
        prompt = text{ required, min = 1, max = 5000 },
        num_outputs = integer{ default = 1, min = 1, max = 16 },
        resolution = choice{ "1K", "4K", default = "1K" },
        aspect_ratio = choice{ "1:1", "2:3", "3:2", "4:3", "3:4", "9:16", "16:9", default = "1:1" },
    },
    routes = { fal = {
        target = "fal-ai/phota",
        input = function(p)
            return { prompt = p.prompt, num_images = p.num_outputs, resolution = p.resolution,
                     aspect_ratio = SHAPES[p.aspect_ratio] or p.aspect_ratio }
        end,
    } },
    simulate = function(p) return images(p, p.num_outputs) end,
    results = image_results,
    samples = {
        { input = { prompt = "[[p-77]] on a bicycle" },
          valid = { prompt = "[[p-77]] on a bicycle", num_outputs = 1, resolution = "1K", aspect_ratio = "1:1" },
          price = 8,
          upstream = { fal = { prompt = "[[p-77]] on a bicycle", num_images = 1, resolution = "1K",
                               aspect_ratio = "1:1" } },
          output = { images = { { url = OUT1, content_type = "image/png" } } }, results = { { url = OUT1 } },
          units = 1 },
        { input = { prompt = "A dog", num_outputs = 3, resolution = "4K", aspect_ratio = "2:3" }, price = 48,
          upstream = { fal = { prompt = "A dog", num_images = 3, resolution = "4K", aspect_ratio = "3:4" } },
          output = { images = { { url = OUT1 }, { url = OUT2 } } }, results = { { url = OUT1 }, { url = OUT2 } },
          units = 2 },
        { input = { prompt = "A dog", num_outputs = 0 }, refused = { code = "out_of_range", param = "num_outputs" } },
        { input = { prompt = "A dog", resolution = "2K" },
          refused = { code = "not_allowed_value", param = "resolution" } },
    },
}

model "phota-image-edit" {
    type = "image", summary = "Edits pictures as told, keeping the people", estimated = 30, timeout = 600,
    params = {
        image_urls = list{ url{ "image" }, required, min = 1, max = 16 },
        prompt = text{ required, min = 1, max = 5000 },
        num_outputs = integer{ default = 1, min = 1, max = 16 },
        resolution = choice{ "1K", "4K", default = "1K" },
        profile_ids = list{ text{ min = 1, max = 200 }, max = 16, nullable },
    },
    routes = { fal = {
        target = "fal-ai/phota/edit",
        input = function(p)
            return { image_urls = p.image_urls, prompt = p.prompt, num_images = p.num_outputs,
                     resolution = p.resolution, profile_ids = p.profile_ids }
        end,
    } },
    simulate = function(p) return images(p, p.num_outputs) end,
    results = image_results,
    samples = {
        { input = { image_urls = { FACE }, prompt = "Add a hat" },
          valid = { image_urls = { FACE }, prompt = "Add a hat", num_outputs = 1, resolution = "1K" }, price = 8,
          upstream = { fal = { image_urls = { FACE }, prompt = "Add a hat", num_images = 1, resolution = "1K" } },
          output = { images = { { url = OUT1 } } }, results = { { url = OUT1 } }, units = 1 },
        { input = { image_urls = { FACE, OUT1 }, prompt = "Add a hat", num_outputs = 2, profile_ids = { "p-77" } },
          price = 16,
          upstream = { fal = { image_urls = { FACE, OUT1 }, prompt = "Add a hat", num_images = 2, resolution = "1K",
                               profile_ids = { "p-77" } } } },
        { input = { image_urls = array{}, prompt = "Add a hat" },
          refused = { code = "out_of_range", param = "image_urls" } },
        { input = { prompt = "Add a hat" }, refused = { code = "missing_field", param = "image_urls" } },
    },
}

model "phota-image-enhance" {
    type = "image", summary = "A sharper, larger version of a picture", estimated = 30, timeout = 600,
    params = {
        image_url = url{ "image", required },
        resolution = choice{ "1K", "4K", default = "4K" },
        creativity = number{ min = 0, max = 1, nullable },
        resemblance = number{ min = 0, max = 1, nullable },
        profile_ids = list{ text{ min = 1, max = 200 }, max = 16, nullable },
    },
    -- The service decides about size and freedom by itself: resolution, creativity and resemblance are taken, so that clients
    -- written for this model are understood, and neither reach it nor change the price.
    routes = { fal = {
        target = "fal-ai/phota/enhance",
        input = function(p) return { image_url = p.image_url, profile_ids = p.profile_ids } end,
    } },
    simulate = function(p) return images(p, 1) end,
    results = image_results,
    samples = {
        { input = { image_url = FACE, creativity = 0.25 },
          valid = { image_url = FACE, resolution = "4K", creativity = 0.25 }, price = 13,
          upstream = { fal = { image_url = FACE } },
          output = { images = { { url = OUT1 } } }, results = { { url = OUT1 } }, units = 1 },
        { input = { image_url = FACE, profile_ids = { "p-77" }, resolution = "1K" }, price = 13,
          upstream = { fal = { image_url = FACE, profile_ids = { "p-77" } } } },
        { input = { image_url = FACE, resemblance = -0.1 },
          refused = { code = "out_of_range", param = "resemblance" } },
    },
}
