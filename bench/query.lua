-- wrk: task queries. BENCH_SAMPLE: a file with a task's id and its account's key in each line; BENCH_FIRST: how many of them are
-- asked for, 0: all; BENCH_SKIP: where to begin. They are asked for in the order of the file, round and round.
local requests, count, at = {}, 0, tonumber(os.getenv("BENCH_SKIP") or "0")
local most = tonumber(os.getenv("BENCH_FIRST") or "0")

function init()
    local host = wrk.headers["Host"]
    for line in io.lines(os.getenv("BENCH_SAMPLE")) do
        local id, key = line:match("^(%S+) (%S+)$")
        count = count + 1
        requests[count] = "GET /v1/tasks/" .. id .. " HTTP/1.1\r\nHost: " .. host .. "\r\nAuthorization: Bearer " .. key .. "\r\n\r\n"
        if count == most then break end
    end
end

function request()
    at = at % count + 1
    return requests[at]
end
