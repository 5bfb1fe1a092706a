-- wrk: submissions; BENCH_COUNT: so many answers, then it stops.
wrk.method = "POST"
wrk.path = os.getenv("BENCH_PATH") or "/v1/videos/generations"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY")
wrk.headers["Content-Type"] = "application/json"
wrk.body = os.getenv("BENCH_BODY")
    or '{"model":"seedance-2.0-text-to-video","prompt":"a fennec at dawn","duration":5,"resolution":"720p"}'

local left = tonumber(os.getenv("BENCH_COUNT") or "inf")
function response(status)
    left = left - 1
    if left <= 0 then os.exit(0) end -- stopping the thread would leave the program waiting for its time
end
