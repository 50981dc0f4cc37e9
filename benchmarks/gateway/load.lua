-- The load of the benchmark for wrk. After "--": a file with the headers, an empty line and
-- one body a line; then "stream" to count the answers that end with [DONE].
local headers, bodies, next_body = {}, {}, 1
complete = 0 -- global: read by done() of the main thread
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local in_head = true
  for line in io.lines(args[1]) do
    if in_head and line == "" then
      in_head = false
    elseif in_head then
      local name, value = line:match("^(.-): (.*)$")
      headers[name] = value
    else
      table.insert(bodies, wrk.format("POST", nil, headers, line))
    end
  end
  if args[2] == "stream" then
    response = function(status, _, body)
      if status == 200 and body:sub(-14) == "data: [DONE]\n\n" then
        complete = complete + 1
      end
    end
  end
end

function request()
  next_body = next_body % #bodies + 1
  return bodies[next_body]
end

function done(summary, latency)
  local errors = summary.errors
  local ended = 0
  for _, thread in ipairs(threads) do
    ended = ended + (thread:get("complete") or 0)
  end
  print(string.format(
    'RESULT {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d, "complete": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout, ended))
end
