-- wrk: task queries. BENCH_SAMPLE: a file with a task's id and its account's key in each line;
-- BENCH_SKIP: behind which one to begin; BENCH_COUNT: so many answers, then it stops. In the order of the file, round and round.
local requests, count, at = {}, 0, tonumber(os.getenv("BENCH_SKIP") or "0")

function init()
    local host = wrk.headers["Host"]
    for line in io.lines(os.getenv("BENCH_SAMPLE")) do
        local id, key = line:match("^(%S+) (%S+)$")
        count = count + 1
        requests[count] = "GET /v1/tasks/" .. id .. " HTTP/1.1\r\nHost: " .. host .. "\r\nAuthorization: Bearer " .. key .. "\r\n\r\n"
    end
end

function request()
    at = at % count + 1
    return requests[at]
end

local left = tonumber(os.getenv("BENCH_COUNT") or "0")
if left > 0 then
    function response()
        left = left - 1
        if left == 0 then os.exit(0) end -- stopping the thread would leave the program waiting for its time
    end
end
