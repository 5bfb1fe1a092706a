-- wrk: durable submissions with a test key.
wrk.method = "POST"
wrk.path = "/v1/videos/generations"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY")
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"model":"seedance-2.0-text-to-video","prompt":"a fennec at dawn","duration":5,"resolution":"720p"}'

local refused = 0
function response(status)
    if status ~= 200 then refused = refused + 1 end
end
