-- wrk's requests: one POST each, with the next text of a file, so that no two are alike.
-- The environment says what: LOAD_PATH, LOAD_TEXTS (one JSON string a line), LOAD_BODY (%s is the JSON string;
-- without it, the same request every time), LOAD_FROM
-- (how many of the file's texts to pass over).
local path, template = os.getenv("LOAD_PATH"), os.getenv("LOAD_BODY")
local bodies = {}
local next_body = 0

function init()
   local before, after = template:match("^(.-)%%s(.*)$")
   if not before then
      bodies[1] = template
      return
   end
   for line in io.lines(os.getenv("LOAD_TEXTS")) do
      bodies[#bodies + 1] = before .. line .. after
   end
   next_body = tonumber(os.getenv("LOAD_FROM") or "0") % #bodies
end

function request()
   next_body = next_body % #bodies + 1
   return wrk.format("POST", path, { ["Content-Type"] = "application/json" }, bodies[next_body])
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p95_ms": %.3f, "p99_ms": %.3f, "failed": %d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
      latency:percentile(99) / 1e3, errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
