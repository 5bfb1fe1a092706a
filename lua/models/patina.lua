-- Patina: textures and the maps that a physically based renderer needs of them.

local MAPS = { "basecolor", "normal", "roughness", "metalness", "height" }

local function maps()
    return list{ choice{ MAPS[1], MAPS[2], MAPS[3], MAPS[4], MAPS[5] }, required, min = 1, max = 5 }
end

-- The service takes sizes as width and height, and other words for the directions. What it makes always tiles, so
-- "none" is left to its choice.
local TILING = { x = "horizontal", y = "vertical", xy = "both" }

-- It enlarges not at all, twice or four times: the next of these that is not less than was asked for.
local function enlargement(factor)
    return factor and (factor <= 1 and 0 or factor <= 2 and 2 or 4)
end

-- The maps alone come in the size of the picture.
local function fal_maps(p)
    return { image_url = p.image_url, maps = p.maps }
end

local function fal_material(p)
    return { prompt = p.prompt, image_url = p.image_url, mask_url = p.mask_url, maps = p.maps,
             image_size = { width = p.image_size, height = p.image_size }, tiling_mode = TILING[p.tiling_mode],
             upscale_factor = enlargement(p.upscale_factor) }
end

-- The service wants words for what to take out of the picture, and takes no mask.
local EXTRACT = "the main material of the picture"

local function fal_extract(p)
    return { prompt = EXTRACT, image_url = p.image_url, maps = p.maps,
             image_size = { width = p.image_size, height = p.image_size },
             upscale_factor = enlargement(p.upscale_factor) }
end

local function simulate(p, with_texture)
    local seed = hash((p.prompt or "") .. (p.image_url or ""))
    local images = array{}
    if with_texture then
        images[1] = sample.image{ width = 256, height = 256, seed = seed, label = "texture" }
    end
    for _, map in ipairs(p.maps) do
        local image = sample.image{ width = 256, height = 256, seed = seed, label = map }
        image.map_type = map
        images[#images + 1] = image
    end
    return { images = images, seed = seed, prompt = p.prompt }
end

-- What the service calls a map is what the caller asked for, so the name goes through unchanged.
local function results(out)
    local list = array{}
    for i, image in ipairs(out.images) do
        list[i] = { url = artifact(image), content_type = image.content_type or "image/png",
                    result_type = image.map_type and "pbr_map" or "texture", map_type = image.map_type }
    end
    return list
end

local function file(name, map)
    return { url = "https://v3b.fal.media/files/b/patina/" .. name .. ".png", content_type = "image/png",
             map_type = map }
end

local function result(name, map)
    return { url = "https://v3b.fal.media/files/b/patina/" .. name .. ".png", content_type = "image/png",
             result_type = map and "pbr_map" or "texture", map_type = map }
end

local STONE = "https://cdn.example.com/stone.jpg"

model "patina-pbr-maps" {
    type = "image", summary = "Material maps of a picture", estimated = 30, timeout = 600,
    params = {
        image_url = url{ "image", required },
        maps = maps(),
        image_size = integer{ min = 64, max = 8192, nullable },
    },
    routes = { fal = { target = "fal-ai/patina", input = fal_maps } },
    simulate = function(p) return simulate(p, false) end,
    results = results,
    samples = {
        { input = { image_url = STONE, maps = { "basecolor", "normal" } },
          valid = { image_url = STONE, maps = { "basecolor", "normal" } }, price = 10,
          upstream = { fal = { image_url = STONE, maps = { "basecolor", "normal" } } },
          output = { images = { file("b", "basecolor"), file("n", "normal") }, seed = 3 },
          results = { result("b", "basecolor"), result("n", "normal") } },
        { input = { image_url = STONE, maps = { "normal" }, image_size = 512 },
          upstream = { fal = { image_url = STONE, maps = { "normal" } } } },
        { input = { image_url = STONE }, refused = { code = "missing_field", param = "maps" } },
        { input = { image_url = STONE, maps = array{} }, refused = { code = "out_of_range", param = "maps" } },
        { input = { image_url = STONE, maps = { "normal", "shine" } },
          refused = { code = "not_allowed_value", param = "maps[1]" } },
    },
}

model "patina-material" {
    type = "image", summary = "A texture from text, with its material maps", estimated = 60, timeout = 900,
    params = {
        prompt = text{ required, min = 1, max = 5000 },
        maps = maps(),
        image_url = url{ "image", nullable },
        mask_url = url{ "image", nullable },
        image_size = integer{ default = 1024, min = 64, max = 8192 },
        tiling_mode = choice{ "none", "x", "y", "xy", nullable },
        upscale_factor = number{ min = 0, max = 8, nullable },
    },
    rules = { requires{ "mask_url", "image_url" } },
    routes = { fal = { target = "fal-ai/patina/material", input = fal_material } },
    simulate = function(p) return simulate(p, true) end,
    results = results,
    samples = {
        { input = { prompt = "Mossy stone", maps = { "height" } },
          valid = { prompt = "Mossy stone", maps = { "height" }, image_size = 1024 }, price = 15,
          upstream = { fal = { prompt = "Mossy stone", maps = { "height" },
                               image_size = { width = 1024, height = 1024 } } },
          output = { images = { file("t"), file("h", "height") }, prompt = "Mossy stone", seed = 3 },
          results = { result("t"), result("h", "height") } },
        { input = { prompt = "Mossy stone", maps = { "height" }, image_url = STONE, mask_url = STONE, image_size = 512,
                    tiling_mode = "x", upscale_factor = 1.5 },
          upstream = { fal = { prompt = "Mossy stone", maps = { "height" }, image_url = STONE, mask_url = STONE,
                               image_size = { width = 512, height = 512 }, tiling_mode = "horizontal",
                               upscale_factor = 2 } } },
        { input = { prompt = "Mossy stone", maps = { "height" }, tiling_mode = "none", upscale_factor = 8 },
          upstream = { fal = { prompt = "Mossy stone", maps = { "height" },
                               image_size = { width = 1024, height = 1024 }, upscale_factor = 4 } } },
        { input = { prompt = "Mossy stone", maps = { "height" }, mask_url = STONE },
          refused = { code = "missing_field", param = "image_url" } },
        { input = { prompt = "Mossy stone", maps = { "height" }, tiling_mode = "z" },
          refused = { code = "not_allowed_value", param = "tiling_mode" } },
    },
}

model "patina-material-extract" {
    type = "image", summary = "The material seen in a picture, as a texture with its maps",
    estimated = 60, timeout = 900,
    params = {
        image_url = url{ "image", required },
        maps = maps(),
        mask_url = url{ "image", nullable },
        image_size = integer{ default = 1024, min = 64, max = 8192 },
        upscale_factor = number{ min = 0, max = 8, nullable },
    },
    routes = { fal = { target = "fal-ai/patina/material/extract", input = fal_extract } },
    simulate = function(p) return simulate(p, true) end,
    results = results,
    samples = {
        { input = { image_url = STONE, maps = { "roughness" }, mask_url = STONE },
          valid = { image_url = STONE, maps = { "roughness" }, mask_url = STONE, image_size = 1024 }, price = 15,
          upstream = { fal = { prompt = EXTRACT, image_url = STONE, maps = { "roughness" },
                               image_size = { width = 1024, height = 1024 } } },
          output = { images = { file("t"), file("r", "roughness") }, seed = 3 },
          results = { result("t"), result("r", "roughness") } },
        { input = { maps = { "roughness" } }, refused = { code = "missing_field", param = "image_url" } },
        { input = { image_url = STONE, maps = { "roughness" }, prompt = "x" },
          refused = { code = "unknown_field", param = "prompt" } },
    },
}
