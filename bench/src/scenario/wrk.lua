-- Sends each request of a file once. Every request has the same length, so one read finds the next.
-- REQUESTS_FILE and REQUEST_BYTES come from the environment.

local path = os.getenv("REQUESTS_FILE")
local request_bytes = tonumber(os.getenv("REQUEST_BYTES"))
local file

function init(_)
  file = assert(io.open(path, "rb"))
end

function request()
  local bytes = file:read(request_bytes)
  if not bytes or #bytes < request_bytes then
    -- A repeated request would be answered from memory: a run that comes here does not count.
    file:seek("set", 0)
    bytes = file:read(request_bytes)
  end
  return bytes
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format("claw-requests %d %d\n", summary.requests, summary.duration))
  io.write(string.format("claw-errors %d\n", errors.connect + errors.read + errors.write
    + errors.status + errors.timeout))
  for index = 1, #latency do
    local value, count = latency(index)
    io.write(string.format("claw-latency %d %d\n", value, count))
  end
end
