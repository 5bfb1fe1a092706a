-- What each model costs, in credits, before the group's ratio. This is the one place to edit; to change prices
-- without touching the installed files, put a prices.lua of your own into the catalogue directory of the
-- configuration: it takes this file's place, so start from a copy. A price is one of
--
--   per_call(n)                              each task, whatever it makes
--   per_second{ n, field = "duration" }      each second that the parameter says; auto = n: how many -1 reserves
--   per_second{ n, seconds = 8 }             each of so many seconds
--   per_image{ n, field = "num_outputs" }    each picture; without a field one; count = "image_urls": each of a list
--
-- and instead of n it can say `by = { resolution = { ["1K"] = 8, ["4K"] = 16 } }`: a price for each value of a
-- parameter.

local seedance = per_second{ field = "duration", auto = 15,
                             by = { resolution = { ["480p"] = 2, ["720p"] = 5, ["1080p"] = 12 } } }
local seedance_fast = per_second{ field = "duration", auto = 15,
                                  by = { resolution = { ["480p"] = 1.6, ["720p"] = 4 } } }

price "seedance-2.0-text-to-video" (seedance)
price "seedance-2.0-image-to-video" (seedance)
price "seedance-2.0-reference-to-video" (seedance)
price "seedance-2.0-fast-text-to-video" (seedance_fast)
price "seedance-2.0-fast-image-to-video" (seedance_fast)
price "seedance-2.0-fast-reference-to-video" (seedance_fast)

price "lipsync-2" (per_call(40))
price "lipsync-2-pro" (per_call(70))
price "sync-3" (per_call(90))

price "kling-video-create-voice" (per_call(5))
price "sora-2-character" (per_call(0))
price "minimax-voice-clone" (per_call(15))
price "scribe-v2" (per_call(4))

price "phota-create-profile" (per_call(50))
price "phota-image" (per_image{ field = "num_outputs", by = { resolution = { ["1K"] = 8, ["4K"] = 16 } } })
price "phota-image-edit" (per_image{ field = "num_outputs", by = { resolution = { ["1K"] = 8, ["4K"] = 16 } } })
price "phota-image-enhance" (per_image{ by = { resolution = { ["1K"] = 8, ["4K"] = 16 } } })

price "patina-pbr-maps" (per_call(10))
price "patina-material" (per_call(15))
price "patina-material-extract" (per_call(15))

price "local-speech" (per_call(1))
price "local-transcribe" (per_call(2))
price "local-image" (per_call(1))
price "local-pbr-maps" (per_call(1))
price "local-image-to-video" (per_second{ 0.5, field = "duration" })
